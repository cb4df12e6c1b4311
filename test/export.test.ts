import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader, type Reader } from '../adapters/journal/reader.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { exportColumns } from '../projections/export-columns.ts'
import { writeExport } from '../src/export.ts'
import { type ExportFormat, exportFormats } from '../src/export-settings.ts'
import { lifeEvents } from './view-database.ts'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'radledger-export-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const events = lifeEvents(1234)
const recorded = events.map((event, index) => ({ position: index + 1, ...event }) as RecordedEvent)
const data = join(folder, 'data')
const journal = openJournal({ folder: data })
journal.append(events.slice(0, 700))
journal.append(events.slice(700))
journal.close()
const reader = openReader(data)

let files = 0
const newFile = () => join(folder, `export-${files++}`)

function exported(
	format: ExportFormat,
	range: { from?: number; to?: number } = {},
	from: Reader = reader,
	out = newFile(),
) {
	const settings = { data, format, out, from: range.from, to: range.to, eventsPerPart: 100 }
	writeExport(from, settings, () => {})
	return out
}

test('NDJSON has one recorded event a line', () => {
	const lines = readFileSync(exported('ndjson'), 'utf8').split('\n')
	assert.is(lines.pop(), '')
	assert.equal(
		lines.map(line => JSON.parse(line)),
		recorded,
	)
})

test('a range of positions, both included', () => {
	const lines = readFileSync(exported('ndjson', { from: 250, to: 251 }), 'utf8')
		.trim()
		.split('\n')
	assert.equal(
		lines.map(line => JSON.parse(line).position),
		[250, 251],
	)
})

/** RFC 4180, read by another program than wrote it: state by state. */
function parseCsv(text: string): string[][] {
	const rows: string[][] = []
	let row: string[] = []
	let cell = ''
	let quoted = false
	for (let i = 0; i < text.length; i++) {
		const char = text[i]!
		if (quoted && char === '"' && text[i + 1] === '"') cell += text[i++]
		else if (char === '"') quoted = !quoted
		else if (!quoted && char === ',') {
			row.push(cell)
			cell = ''
		} else if (!quoted && char === '\r' && text[i + 1] === '\n') {
			rows.push([...row, cell])
			row = []
			cell = ''
			i++
		} else cell += char
	}
	return rows
}

test('CSV has a header and the documented columns', () => {
	const [header, ...rows] = parseCsv(readFileSync(exported('csv'), 'utf8'))
	assert.equal(
		header,
		exportColumns.map(({ name }) => name),
	)
	assert.is(rows.length, recorded.length)
	for (const [index, row] of rows.entries()) {
		const event = recorded[index]!
		const cells = Object.fromEntries(header!.map((name, column) => [name, row[column]]))
		assert.is(cells['position'], String(event.position))
		assert.is(cells['recorded_at'], String(event.at))
		assert.equal(JSON.parse(cells['data']!), event.data)
	}
})

test('in CSV a user name that a spreadsheet would run is text; what it was is in the data', () => {
	const user = '=HYPERLINK("http://192.0.2.1")'
	const place = recorded.findIndex(({ data }) => 'user' in data) + 1
	const named: Reader = {
		...reader,
		read: (from, limit) =>
			reader
				.read(from, limit)
				.map(event => ({ ...event, data: { ...event.data, user } }) as RecordedEvent),
	}
	const [header, row] = parseCsv(
		readFileSync(exported('csv', { from: place, to: place }, named), 'utf8'),
	)
	const cells = Object.fromEntries(header!.map((name, column) => [name, row![column]]))
	assert.is(cells['user'], `'${user}`)
	assert.is(JSON.parse(cells['data']!).user, user)
})

test('Parquet has typed columns in several row groups', async () => {
	const file = await asyncBufferFromFile(exported('parquet'))
	const { row_groups: groups, num_rows: count } = await parquetMetadataAsync(file)
	assert.is(count, BigInt(recorded.length))
	assert.is(groups.length, 13)
	const rows = await parquetReadObjects({ file })
	assert.equal(
		Object.keys(rows[0]!),
		exportColumns.map(({ name }) => name),
	)
	for (const [index, row] of rows.entries()) {
		const { position, at, type, stream, data: facts } = recorded[index]!
		assert.is(row['position'], BigInt(position))
		assert.is(row['recorded_at'].getTime(), at)
		assert.equal([row['type'], row['stream'], row['data']], [type, stream, facts])
	}
	const accepted = rows.find(row => row['type'] === 'AccessAccepted')!
	assert.match(accepted['mac'], /^02-00-/)
	assert.match(accepted['user'], /^user\d+@/)
	assert.is(typeof accepted['exchange'], 'bigint')
})

for (const format of exportFormats) {
	test(`${format}: what was interrupted goes on exactly where it was`, () => {
		const whole = readFileSync(exported(format))
		for (const stopAt of [1, 101, 650, 1201]) {
			const out = newFile()
			const failing: Reader = {
				...reader,
				read(from, limit) {
					if (from >= stopAt) throw new Error('interrupted')
					return reader.read(from, limit)
				},
			}
			assert.throws(() => exported(format, {}, failing, out), 'interrupted')
			assert.not.ok(existsSync(out), 'no half file under the name of a whole one')
			exported(format, {}, reader, out)
			assert.ok(whole.equals(readFileSync(out)), `${format} from ${stopAt}`)
			assert.not.ok(existsSync(`${out}.part`) || existsSync(`${out}.part.state`))
		}
	})

	test(`${format}: killed, it goes on to the same file`, async () => {
		const out = newFile()
		const program = resolve(import.meta.dirname, 'export-writer.ts')
		for (const lines of [3, 6]) {
			const child = spawn(process.execPath, [program, data, format, out], {
				stdio: ['ignore', 'pipe', 'inherit'],
			})
			let count = 0
			child.stdout.on('data', chunk => {
				count += String(chunk).split('\n').length - 1
				if (count >= lines) child.kill('SIGKILL')
			})
			await once(child, 'exit')
		}
		if (!existsSync(out)) exported(format, {}, reader, out)
		assert.ok(readFileSync(exported(format)).equals(readFileSync(out)))
	})
}

test('octets beyond what was saved are written again', () => {
	const out = newFile()
	const failing: Reader = {
		...reader,
		read: (from, limit) => {
			if (from > 300) throw new Error('interrupted')
			return reader.read(from, limit)
		},
	}
	assert.throws(() => exported('ndjson', {}, failing, out))
	const size = statSync(`${out}.part`).size
	writeFileSync(`${out}.part`, 'half a line', { flag: 'a' })
	assert.ok(statSync(`${out}.part`).size > size)
	exported('ndjson', {}, reader, out)
	assert.ok(readFileSync(exported('ndjson')).equals(readFileSync(out)))
	// Shorter than was saved: what is missing cannot be trusted to be the end alone.
	const other = newFile()
	assert.throws(() => exported('ndjson', {}, failing, other))
	writeFileSync(`${other}.part`, '')
	exported('ndjson', {}, reader, other)
	assert.ok(readFileSync(out).equals(readFileSync(other)))
})

test('the events that came since are not in an export that goes on', () => {
	const out = newFile()
	const early: Reader = {
		...reader,
		last: () => 400,
		read(from, limit) {
			if (from > 200) throw new Error('interrupted')
			return reader.read(from, limit)
		},
	}
	assert.throws(() => exported('ndjson', {}, early, out))
	exported('ndjson', {}, reader, out)
	assert.is(readFileSync(out, 'utf8').split('\n').length - 1, 400)
})

function run(...args: string[]) {
	const { status, stderr } = spawnSync(process.execPath, ['src/main.ts', 'export', ...args], {
		cwd: root,
		encoding: 'utf8',
	})
	return { status, stderr }
}

test('the command says what is wrong and what to do', () => {
	const out = newFile()
	const args = ['--data', data, '--format', 'csv']
	const done = run(...args, '--out', out)
	assert.is(done.status, 0)
	assert.match(done.stderr, /is whole: 1,234 events/)
	assert.match(run(...args, '--out', out).stderr, /is there already: name another file/)
	assert.match(run(...args).stderr, /--out must name the file/)
	assert.match(
		run('--data', data, '--out', out).stderr,
		/--format must be one of ndjson, csv, parquet/,
	)
	assert.match(
		run(...args, '--out', newFile(), '--to-position', '9999').stderr,
		/journal ends at position 1234/,
	)
	assert.match(
		run(...args, '--out', newFile(), '--from-position', 'x').stderr,
		/must be a position/,
	)
	assert.match(run(...args, '--out', join(folder, 'no', 'f')).stderr, /cannot be written/)
	const part = newFile()
	const failing: Reader = {
		...reader,
		read: (from, limit) => (from > 200 ? [] : reader.read(from, limit)),
	}
	const stopped: Reader = {
		...failing,
		read: (from, limit) => {
			if (from > 200) throw new Error('x')
			return reader.read(from, limit)
		},
	}
	assert.throws(() => exported('csv', {}, stopped, part))
	const other = run('--data', data, '--format', 'ndjson', '--out', part)
	assert.match(other.stderr, /is of another export \(csv, positions 1 to 1234\)/)
	assert.is(other.status, 1)
})

test('a hole in the journal is no shorter export', () => {
	const hole: Reader = {
		...reader,
		read: (from, limit) => reader.read(from, limit).filter(({ position }) => position !== 77),
	}
	assert.throws(() => exported('ndjson', {}, hole), /has no event 77/)
	const shrunk: Reader = {
		...reader,
		read: (from, limit) => (from > 500 ? [] : reader.read(from, limit)),
	}
	assert.throws(() => exported('ndjson', { from: 501 }, shrunk), /has no event 501/)
})

test.run()
