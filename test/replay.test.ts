import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import type { NewEvent, RecordedEvent } from '../domain/event.ts'
import { eventLine } from '../projections/history/event-line.ts'
import { type HistorySource, openExportSource, openFolderSource } from '../src/history-source.ts'
import { answer } from '../src/replay.ts'
import { replaySettings } from '../src/replay-settings.ts'
import { followed, lifeEvents } from './view-database.ts'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'radledger-replay-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const events = lifeEvents(3000)
const recorded = events.map((event, index) => ({ position: index + 1, ...event }) as RecordedEvent)
const begin = events[0]!.at

function dataFolder(name: string): string {
	const data = join(folder, name)
	const journal = openJournal({ folder: data })
	for (let from = 0; from < events.length; from += 64) journal.append(events.slice(from, from + 64))
	journal.close()
	return data
}

const indexed = dataFolder('indexed')
const bare = dataFolder('bare')
const behind = dataFolder('behind')
const reader = openReader(indexed)
followed(reader, viewsFile(indexed))
followed(
	{
		...reader,
		last: () => 1000,
		read: (from, limit) => reader.read(from, limit).filter(e => e.position <= 1000),
	},
	viewsFile(behind),
)
reader.close()
const exported = join(folder, 'export.ndjson')
writeFileSync(exported, recorded.map(event => `${JSON.stringify(event)}\n`).join(''))

const sources: [string, () => HistorySource][] = [
	['with read models', () => openFolderSource(indexed)],
	['without', () => openFolderSource(bare)],
	['with read models that are behind', () => openFolderSource(behind)],
	['an export', () => openExportSource(exported)],
]

function ask(open: () => HistorySource, ...args: string[]) {
	const source = open()
	const notices: string[] = []
	const settings = replaySettings([...args, '--data', folder], {}, begin)
	try {
		return { ...answer(source, settings, notice => notices.push(notice)), notices }
	} finally {
		source.close()
	}
}

/** Asks every source, which must say the same, and hands out what they say. */
function askAll(...args: string[]) {
	const [first, ...others] = sources.map(([name, open]) => [name, ask(open, ...args)] as const)
	const { notices: _, ...expected } = first![1]
	for (const [name, { notices, ...found }] of others) {
		assert.equal(
			JSON.parse(JSON.stringify(found)),
			JSON.parse(JSON.stringify(expected)),
			`${args.join(' ')} ${name}`,
		)
	}
	return first![1]
}

const minute = (count: number) => new Date(begin + count * 60_000).toISOString()
const lease = recorded.find(event => event.type === 'LeaseGranted')!
const { mac, address } = lease.data as { mac: string; address: string }
const accepted = recorded.find(event => event.type === 'AccessAccepted' && event.data.mac === mac)!
const { user, wap } = accepted.data as { user: string; wap: string }
const ended = recorded.find(
	event => event.type === 'LeaseReleased' && event.data.address === address,
)!

test("a subscriber's history is its stream, from wherever it is read", () => {
	const { events: found, hasMore } = askAll('--subscriber', mac.replaceAll('-', ':').toLowerCase())
	assert.equal(
		found.map(({ position }) => position),
		recorded.filter(({ stream }) => stream.endsWith(`.${mac}`)).map(({ position }) => position),
	)
	assert.not.ok(hasMore)
})

test("a user's history goes from the first request to the last answer", () => {
	const { events: found } = askAll('--user', user)
	assert.equal(
		found.map(({ position }) => position),
		recorded.filter(({ stream }) => stream.endsWith(`.${mac}`)).map(({ position }) => position),
	)
})

test('a user is found in whatever case the name is given', () => {
	const odd = user.toUpperCase()
	const whole = askAll('--user', user)
	assert.equal(askAll('--user', odd).events, whole.events)
	const at = new Date(lease.at + 60_000).toISOString()
	assert.is(askAll('--user', odd, '--at', at).states.length, 1)
})

test("a WAP's history is that of the subscribers who were there, while they were", () => {
	const { events: found } = askAll('--wap', wap)
	const positions = new Set(found.map(({ position }) => position))
	assert.ok(positions.has(accepted.position))
	const requests = recorded.filter(
		({ type, data }) => type === 'AccessRequested' && 'wap' in data && data.wap === wap,
	)
	for (const { position } of requests) assert.ok(positions.has(position), `request ${position}`)
	const elsewhere = found.filter(
		({ type, data }) => type === 'AccessRequested' && 'wap' in data && data.wap !== wap,
	)
	assert.equal(elsewhere, [])
})

test('who held an address at a time is the first line', () => {
	const at = lease.at + 60_000
	const {
		answer: line,
		states,
		events: none,
	} = askAll('--address', address, '--at', new Date(at).toISOString())
	assert.ok(line.startsWith(`${address} was held on `), line)
	assert.ok(line.includes(`by ${mac} (${user}), leased from `), line)
	assert.is(states.length, 1)
	assert.is(states[0]!.leases[0]!['address'], address)
	assert.is(states[0]!.session!['user'], user)
	assert.is(states[0]!.wapAccounting.length, 1)
	assert.is(none.length, 0)
})

test('where nobody held it, who did before and who afterwards', () => {
	const before = askAll('--address', address, '--at', new Date(lease.at - 1).toISOString()).answer
	assert.match(before, new RegExp(`^Nobody held ${address} on .* Afterwards: ${mac}`))
	const after = askAll('--address', address, '--at', new Date(ended.at).toISOString()).answer
	assert.match(after, new RegExp(`^Nobody held ${address} on .* Before: ${mac}`))
	assert.match(askAll('--address', '192.0.2.99', '--at', minute(5)).answer, /Nothing is recorded/)
})

test('state at an instant: of a user, of a WAP, of a subscriber who was not there', () => {
	const then = new Date(lease.at + 60_000).toISOString()
	assert.match(
		askAll('--user', user, '--at', then).answer,
		new RegExp(`^${user} was on the network on .*: as ${mac} at WAP ${wap} with ${address}`),
	)
	const { states } = askAll('--wap', wap, '--at', then)
	assert.ok(states.some(state => state.mac === mac))
	for (const { session } of states) assert.is(session!['wap'], wap)
	const early = new Date(begin).toISOString()
	assert.match(askAll('--subscriber', mac, '--at', early).answer, /was not on the network/)
})

test('times narrow the history, and a limit cuts it and says so', () => {
	const [from, to] = [minute(1), minute(12)]
	const { events: found } = askAll('--wap', wap, '--from', from, '--to', to)
	assert.ok(found.length > 0)
	for (const { at } of found) assert.ok(at >= Date.parse(from) && at <= Date.parse(to))
	const { events: all } = askAll('--wap', wap)
	const { events: cut, hasMore } = askAll('--wap', wap, '--limit', '5')
	assert.equal(cut, all.slice(0, 5))
	assert.ok(hasMore)
})

test('a scan is told of where there is an index to be had', () => {
	assert.match(ask(() => openFolderSource(bare), '--user', user).notices.join(), /no read models/)
	assert.equal(ask(() => openFolderSource(indexed), '--user', user).notices, [])
	assert.equal(ask(() => openExportSource(exported), '--user', user).notices, [])
})

test('an export that is cut off, or none at all, is told of', () => {
	const half = join(folder, 'half.ndjson')
	writeFileSync(half, `${JSON.stringify(recorded[0])}\n${JSON.stringify(recorded[1]).slice(0, 50)}`)
	assert.throws(
		() => ask(() => openExportSource(half), '--user', user),
		/ends in the middle of line 2/,
	)
	writeFileSync(half, '{"a":1}\n')
	assert.throws(() => ask(() => openExportSource(half), '--user', user), /line 1, is no event/)
	assert.throws(
		() => ask(() => openExportSource(join(folder, 'no')), '--user', user),
		/cannot be read/,
	)
})

function run(...args: string[]) {
	const all = ['src/main.ts', 'replay', ...args]
	const { status, stdout, stderr } = spawnSync(process.execPath, all, {
		cwd: root,
		encoding: 'utf8',
	})
	return { status, lines: stdout.split('\n'), stderr }
}

test('the command prints the answer first, and JSON for programs', () => {
	const at = new Date(lease.at + 60_000).toISOString()
	const { status, lines } = run('--address', address, '--at', at, '--data', indexed)
	assert.is(status, 0)
	assert.match(lines[0]!, new RegExp(`^${address} was held on .* by ${mac}`))
	assert.match(
		lines.join('\n'),
		/Session: .* since .*\n.*Address: .*\n.*Accounting, WAPs: .*\n.*Accounting, SRC: /,
	)
	const json = JSON.parse(run('--subscriber', mac, '--data', indexed, '--json').lines.join('\n'))
	assert.is(json.events[0].type, 'AccessRequested')
	const two = run('--subscriber', mac, '--from', '-9000w', '--export', exported)
	assert.is(two.lines.filter(line => /^ *\d+ {2}2027-01-05T08/.test(line)).length > 10, true)
})

test('what is asked wrongly is answered with how to ask', () => {
	const cases: [string[], RegExp][] = [
		[[], /Name one of --subscriber, --user, --address and --wap/],
		[['--user', 'a', '--wap', 'b'], /Name one of/],
		[['--subscriber', 'x', '--data', indexed], /twelve hexadecimal digits/],
		[['--address', '10.1', '--data', indexed], /write an IPv4 address/],
		[['--user', 'a', '--at', 'soon', '--data', indexed], /--at cannot be "soon": write /],
		[
			['--user', 'a', '--from', '-1h', '--to', '-2h', '--data', indexed],
			/--from is later than --to/,
		],
		[['--user', 'a', '--data', join(folder, 'nowhere')], /There is no journal in/],
	]
	for (const [args, expected] of cases) {
		const { status, stderr } = run(...args)
		assert.is(status, 1)
		assert.match(stderr, expected)
		assert.not.match(stderr, /^\s+at /m)
	}
})

test('nothing that a subscriber sends breaks a line', () => {
	const bad: NewEvent = {
		...accepted,
		data: { ...accepted.data, user: 'a\n1  2027 \u001b[2Jfake' },
	} as NewEvent
	assert.not.match(eventLine({ ...bad, position: 1 } as RecordedEvent), /[\n\u001b]/)
})

test.run()
