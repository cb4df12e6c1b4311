/**
 * What is put in the place of a file, or named for the first time, is there after a power failure, too:
 * its octets are synced before it gets its name, and the folder after that.
 */
import fs, { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openPartFile } from '../adapters/export/part-file.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openRebuild } from '../adapters/journal/rebuild.ts'
import { makeSealKey } from '../adapters/journal/seal-key.ts'
import { initialConfiguration } from '../domain/configuration.ts'
import { saveConfiguration } from '../src/configuration-file.ts'
import { numberedEvents } from './journal-events.ts'

const base = mkdtempSync(join(tmpdir(), 'radledger-durable-'))
test.after(() => rmSync(base, { recursive: true }))

type Step =
	| { readonly what: 'sync'; readonly path: string; readonly size: number; readonly has: string[] }
	| { readonly what: 'rename'; readonly path: string; readonly to: string }

/** What a task syncs and renames, in order; `has`: what was in a folder then. */
function stepsOf(task: () => void): Step[] {
	const steps: Step[] = []
	const paths = new Map<number, string>()
	const { openSync, fsyncSync, fdatasyncSync, renameSync } = fs
	const synced = (path: string) => {
		const isFolder = statSync(path).isDirectory()
		const has = isFolder ? fs.readdirSync(path) : []
		steps.push({ what: 'sync', path, size: statSync(path).size, has })
	}
	fs.openSync = (path, ...more) => {
		const descriptor = openSync(path, ...more)
		paths.set(descriptor, String(path))
		return descriptor
	}
	fs.fsyncSync = descriptor => {
		fsyncSync(descriptor)
		synced(paths.get(descriptor)!)
	}
	fs.fdatasyncSync = descriptor => {
		fdatasyncSync(descriptor)
		synced(paths.get(descriptor)!)
	}
	fs.renameSync = (from, to) => {
		renameSync(from, to)
		steps.push({ what: 'rename', path: String(from), to: String(to) })
	}
	syncBuiltinESMExports()
	try {
		task()
	} finally {
		Object.assign(fs, { openSync, fsyncSync, fdatasyncSync, renameSync })
		syncBuiltinESMExports()
	}
	return steps
}

/** Whether the file was synced whole before it got its name. */
function isWholeBefore(steps: readonly Step[], file: string): boolean {
	const renamed = steps.findLastIndex(step => step.what === 'rename' && step.to === file)
	const { path } = steps[renamed]!
	const { size } = statSync(file)
	return steps
		.slice(0, renamed)
		.some(step => step.what === 'sync' && step.path === path && step.size === size)
}

/** Whether its folder was synced when the name was in it for good. */
function isNamed(steps: readonly Step[], file: string): boolean {
	const renamed = steps.findLastIndex(step => step.what === 'rename' && step.to === file)
	return steps
		.slice(renamed + 1)
		.some(
			step =>
				step.what === 'sync' &&
				step.path === dirname(file) &&
				step.has.includes(file.slice(step.path.length + 1)),
		)
}

test('a snapshot', () => {
	const folder = join(base, 'snapshot')
	const journal = openJournal({ folder, reserveLog: false })
	journal.append(numberedEvents(1, 3))
	journal.save('view', 1, 2, [1])
	const steps = stepsOf(() => journal.save('view', 1, 3, [1, 'two', 'x'.repeat(5000)]))
	const file = join(folder, 'snapshots', 'view.json')
	assert.ok(isWholeBefore(steps, file))
	assert.ok(isNamed(steps, file))
	journal.close()
})

test('the files of a new journal, and every folder that had to be made for it', () => {
	const folder = join(base, 'a', 'b', 'c')
	const logBytesMax = 2 ** 21
	const steps = stepsOf(() => openJournal({ folder, logBytesMax }).close())
	for (const made of [join(base, 'a'), join(base, 'a', 'b'), folder]) {
		assert.ok(isNamed(steps, made), made)
	}
	assert.ok(isNamed(steps, join(folder, 'journal.db')))
	const log = `${join(folder, 'journal.db')}-wal`
	const whole = steps.some(
		step => step.what === 'sync' && step.path === log && step.size === logBytesMax,
	)
	assert.ok(whole, 'the length of the log')
	const again = stepsOf(() => openJournal({ folder }).close())
	assert.not.ok(again.some(({ path }) => path === dirname(folder)))
})

test('a journal that was rebuilt', () => {
	const folder = join(base, 'rebuilt')
	const rebuild = openRebuild(folder)
	for (const [index, event] of numberedEvents(1, 3).entries()) {
		rebuild.put({ ...event, position: index + 1 })
	}
	const steps = stepsOf(() => rebuild.finish('6f1a0c9e-52d1-4c3b-9a55-0e7d2c1b4a10', 3))
	assert.ok(existsSync(join(folder, 'journal.db')))
	assert.ok(steps.some(step => step.what === 'rename' && step.to === folder))
	assert.ok(isNamed(steps, folder))
})

test("a seal's key", () => {
	const file = join(base, 'seal.key')
	const steps = stepsOf(() => void makeSealKey(file, 'radledger/test'))
	const { size } = statSync(file)
	assert.ok(steps.some(step => step.what === 'sync' && step.path === file && step.size === size))
	assert.ok(isNamed(steps, file))
})

test('an export, and how far it has come', () => {
	const file = join(base, 'events.csv')
	const steps = stepsOf(() => {
		const part = openPartFile(file)
		part.write(Buffer.from('one\n'))
		part.save('one')
		part.write(Buffer.from('two\n'))
		part.finish()
	})
	const saved = steps.slice(
		0,
		steps.findIndex(step => step.what === 'rename'),
	)
	assert.equal(
		saved.map(step => [step.path, step.what === 'sync' && step.size]),
		[
			[`${file}.part`, 4],
			[`${file}.part.state.new`, JSON.stringify({ size: 4, state: 'one' }).length],
		],
		'what the state speaks of comes before it',
	)
	assert.ok(isWholeBefore(steps, file))
	assert.ok(isNamed(steps, file))
})

test('a configuration', () => {
	const file = join(base, 'relay.conf')
	const steps = stepsOf(() => saveConfiguration(file, initialConfiguration()))
	assert.ok(isWholeBefore(steps, file))
	assert.ok(isNamed(steps, file))
})

test.run()
