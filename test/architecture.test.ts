/**
 * Which file may know which: `src` knows `adapters` and `projections`, these know `domain`, and
 * `domain` knows nothing but io-ts. Part of `npm run check`.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = resolve(import.meta.dirname, '..')

/** What a file of each layer may import of the others; of itself it always may. */
const layers: Readonly<Record<string, readonly string[]>> = {
	src: ['adapters', 'projections', 'domain'],
	adapters: ['domain'],
	projections: ['domain'],
	domain: [],
	infra: ['src', 'adapters', 'projections', 'domain', 'test'],
	test: ['src', 'adapters', 'projections', 'domain', 'infra'],
}
/** Packages that the inner layers may use; `domain` has `fp-ts` for io-ts's Either alone. */
const packages: Readonly<Record<string, readonly string[]>> = {
	domain: ['io-ts', 'fp-ts/lib/Either.js'],
	projections: ['io-ts', 'fp-ts/lib/Either.js'],
}
/** What differs from run to run, or reaches the machine: it comes in from outside as input. */
const impure =
	/\bDate\.(now|parse)|\bnew Date\(\s*\)|\bnew Date\b(?!\()|(?<!new )(?<![.\w])Date\(|\bMath\.random\b|\bcrypto\b|\bperformance\b|\bprocess\b|\bBuffer\b|\bconsole\b|\bfetch\(|\bset(Timeout|Interval|Immediate)\b/g

const strings = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/
const comments = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/

function withoutComments(text: string): string {
	const either = new RegExp(`(${strings.source})|${comments.source}`, 'g')
	return text.replace(either, (_all, string?: string) => string ?? '')
}

function withoutStrings(text: string): string {
	return text.replace(new RegExp(strings.source, 'g'), "''")
}

/** What a file imports, exports again or loads, as it is written there. */
function importsOf(text: string): string[] {
	const code = withoutComments(text)
	const from = /\b(?:import|export)\b[^'"`;]*?\bfrom\s*'([^']+)'/g
	const bare = /\bimport\s*\(?\s*'([^']+)'/g
	return [...code.matchAll(from), ...code.matchAll(bare)].map(match => match[1]!)
}

/** Whether a file has nothing of its own, or hands on everything that another has. */
function isBarrel(code: string): boolean {
	if (/\bexport\s+(type\s+)?\*/.test(code)) return true
	const own = code.replace(/\b(import|export)\b[^'"`;]*?\bfrom\s*'[^']+'/g, '')
	return own.trim() === '' && /\bexport\b/.test(code)
}

/** What is wrong with a file, in sentences. `file` is its path from the root. */
function problems(file: string, text: string): string[] {
	const found: string[] = []
	const layer = file.split('/')[0]!
	for (const name of importsOf(text)) {
		const problem = name.startsWith('.') ? relative(file, layer, name) : foreign(layer, name)
		if (problem !== undefined) found.push(`${file} imports ${name}: ${problem}`)
	}
	const code = withoutComments(text)
	if (isBarrel(code)) found.push(`${file} is a barrel: import from where a thing is defined`)
	if (layer !== 'domain' && layer !== 'projections') return found
	for (const [name] of withoutStrings(code).matchAll(impure)) {
		found.push(`${file} uses ${name}: time, chance and the machine come in as input`)
	}
	return found
}

function relative(file: string, layer: string, name: string): string | undefined {
	if (!name.endsWith('.ts')) return 'a path ends with .ts'
	const target = posix.join(dirname(file), name)
	const [to, folder] = target.split('/')
	if (layer === 'adapters' && to === 'adapters' && folder !== file.split('/')[1]) {
		return 'adapters do not know each other'
	}
	if (to === layer || layers[layer]!.includes(to!)) return undefined
	return `${layer} knows ${layers[layer]!.join(', ') || 'no other folder'} only`
}

function foreign(layer: string, name: string): string | undefined {
	const allowed = packages[layer]
	if (allowed === undefined || allowed.includes(name)) return undefined
	return `${layer} uses ${allowed.join(' and ')} only`
}

const files = globSync('{src,domain,adapters,projections,infra,test}/**/*.ts', { cwd: root })
	.map(file => file.replaceAll('\\', '/'))
	// This one has examples of what is wrong.
	.filter(file => !file.includes('node_modules') && file !== 'test/architecture.test.ts')
	.sort()
const read = (file: string) => readFileSync(join(root, file), 'utf8')

test('there are files to check in every layer', () => {
	for (const layer of ['src', 'domain', 'adapters', 'projections', 'test']) {
		assert.ok(files.filter(file => file.startsWith(`${layer}/`)).length > 3, layer)
	}
})

test('dependencies point inward, and the domain is pure', () => {
	assert.equal(
		files.flatMap(file => problems(file, read(file))),
		[],
	)
})

test('imports lead to files that exist', () => {
	const missing = files.flatMap(file =>
		importsOf(read(file))
			.filter(name => name.startsWith('.') && !existsSync(join(root, dirname(file), name)))
			.map(name => `${file}: ${name}`),
	)
	assert.equal(missing, [])
})

/** Files that import each other in a circle, types included: none of them can be understood alone. */
function circleIn(edges: ReadonlyMap<string, readonly string[]>): string[] {
	const done = new Set<string>()
	const path: string[] = []
	const visit = (file: string): string[] => {
		if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
		if (done.has(file)) return []
		path.push(file)
		for (const next of edges.get(file) ?? []) {
			const circle = visit(next)
			if (circle.length > 0) return circle
		}
		path.pop()
		done.add(file)
		return []
	}
	for (const file of edges.keys()) {
		const circle = visit(file)
		if (circle.length > 0) return circle
	}
	return []
}

test('no file imports what imports it', () => {
	const edges = new Map(
		files
			.filter(file => !file.startsWith('test/'))
			.map(file => {
				const names = importsOf(read(file)).filter(name => name.startsWith('.'))
				return [file, names.map(name => posix.join(dirname(file), name))]
			}),
	)
	assert.equal(circleIn(edges), [])
	const circle = new Map([
		['a', ['b']],
		['b', ['c', 'd']],
		['c', []],
		['d', ['b']],
	])
	assert.equal(circleIn(circle), ['b', 'd', 'b'])
})

test('every test file runs its tests', () => {
	const silent = files
		.filter(file => file.endsWith('.test.ts'))
		.filter(file => !/^\w+\.run\(\)$/m.test(withoutComments(read(file))))
	assert.equal(silent, [])
})

test('no file is named for what it is not about', () => {
	const vague = files.filter(file =>
		/(^|\/)(utils?|helpers?|common|misc|index)(\.ts|\/)/.test(file),
	)
	assert.equal(vague, [])
})

const wrong: readonly (readonly [file: string, text: string])[] = [
	['domain/a.ts', "import { readFileSync } from 'node:fs'"],
	['domain/a.ts', "import { b } from '../src/b.ts'"],
	['domain/radius/a.ts', "import type { B } from '../../adapters/journal/b.ts'"],
	['domain/a.ts', "import {\n\ta,\n\tb,\n} from '../projections/b.ts'"],
	['domain/a.ts', "const b = await import('../src/b.ts')"],
	['domain/a.ts', "import { pipe } from 'fp-ts/lib/function.js'"],
	['domain/a.ts', 'const at = Date.now()'],
	['domain/a.ts', 'const at = new Date()'],
	['domain/a.ts', 'const at = Date()'],
	['domain/a.ts', 'const salt = Math.random()'],
	['domain/a.ts', 'const id = crypto.randomUUID()'],
	['domain/a.ts', "const text = Buffer.from('a')"],
	['projections/a.ts', 'const at = performance.now()'],
	['projections/a.ts', "import { b } from '../adapters/journal/b.ts'"],
	['projections/a.ts', "import 'node:fs'"],
	['adapters/shell/a.ts', "import { b } from '../journal/b.ts'"],
	['adapters/shell/a.ts', "import { b } from '../../src/b.ts'"],
	['adapters/shell/a.ts', "import { b } from '../../projections/b.ts'"],
	['src/a.ts', "import { b } from '../test/b.ts'"],
	['src/a.ts', "import { b } from './b'"],
	['src/a.ts', "export { b } from './b.ts'"],
	['src/a.ts', "export * from './b.ts'"],
	['src/a.ts', "export type { B } from './b.ts'"],
]
const right: readonly (readonly [file: string, text: string])[] = [
	['domain/a.ts', "import * as t from 'io-ts'\nimport { b } from './b.ts'"],
	['domain/a.ts', 'const text = new Date(ms).toISOString()'],
	['domain/a.ts', "// Date.now() would differ\nconst a = 'Math.random()'"],
	['domain/a.ts', "const url = 'http://example.org' // crypto"],
	['adapters/shell/a.ts', "import { b } from './b.ts'\nimport { c } from '../../domain/c.ts'"],
	['adapters/shell/a.ts', "import { createServer } from 'node:net'\nconst at = Date.now()"],
	['src/a.ts', "import { b } from '../adapters/shell/b.ts'\nexport { a }"],
	['src/engine/a.ts', "import { b } from '../../projections/b.ts'"],
]

test('each rule finds what breaks it, and only that', () => {
	for (const [file, text] of wrong) assert.is(problems(file, text).length, 1, `${file}: ${text}`)
	for (const [file, text] of right) assert.equal(problems(file, text), [], `${file}: ${text}`)
})

test.run()
