import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { newVirtualRouter } from '../domain/configuration.ts'
import type { NewEvent, RecordedEvent } from '../domain/event.ts'
import { execute, newSession } from '../domain/junose/session.ts'
import { evolve, initialState } from '../domain/state.ts'
import { allStatistics } from '../projections/all-statistics.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { relayStatisticsText } from '../projections/statistics-text.ts'
import { type Horizon, newHorizon } from '../src/horizon.ts'
import { positionAt } from '../src/position-at.ts'
import { linesAt, type ShowAt, showAt } from '../src/show-at.ts'
import { type ShowStatistics, statisticsLines } from '../src/shown-statistics.ts'
import { fakeOperator, typeLines } from './fake-operator.ts'
import { followed, lifeEvents } from './view-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-show-at-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const events = lifeEvents(3000)
const recorded = events.map((event, index) => ({ position: index + 1, ...event }) as RecordedEvent)
const journal = openJournal({ folder })
journal.append(events)
journal.close()
const reader = openReader(folder)
followed(reader, viewsFile(folder))
reader.close()

const now = events.at(-1)!.at + 1
const settings = newVirtualRouter('default')
const times = [0, 1, 250, 1200, 2999].map(index => events[index]!.at)
const lines = (what: ShowAt, of = folder) =>
	linesAt({ showAtOf: of, horizon: undefined, settings, what, now })
const iso = (ms: number) => new Date(ms).toISOString()

test('statistics at a time are those that the events up to it make', () => {
	for (const at of times) {
		let state = relayStatistics.initial()
		const known = recorded.filter(event => event.at <= at)
		for (const event of known) state = relayStatistics.fold(state, event)
		for (const query of [{ delta: false }, { delta: false, service: 'authentication' as const }]) {
			const shown = lines({ kind: 'relay-statistics', ...query, at: iso(at) })
			const expected = relayStatisticsText(state, { virtualRouter: 'default', ...query })
			assert.equal(shown.slice(0, -2), expected)
			assert.match(shown.at(-1)!, new RegExp(`^As of .*, position ${known.length}\\.$`))
		}
	}
})

test('statistics of servers, DHCP and dynamic requests at a time', () => {
	const kinds: ShowStatistics[] = [
		{ kind: 'radius-statistics', delta: false },
		{ kind: 'dhcp-statistics', server: 'local', delta: false },
		{ kind: 'dhcp-statistics', server: 'external', delta: true },
		{ kind: 'dynamic-request-statistics', delta: false },
	]
	const shownBefore = new Set<string>()
	for (const at of times) {
		let state = allStatistics.initial()
		for (const event of recorded) if (event.at <= at) state = allStatistics.fold(state, event)
		for (const kind of kinds) {
			const shown = lines({ ...kind, at: iso(at) })
			assert.equal(shown.slice(0, -2), statisticsLines(state, kind, settings))
			shownBefore.add(shown.slice(0, -2).join('\n'))
		}
	}
	assert.ok(shownBefore.size >= kinds.length + 3, 'they grow')
})

test('subscribers at a time are the live sessions of then, where they were then', () => {
	let shownOnce = 0
	for (const at of times) {
		const state = initialState()
		for (const event of recorded) if (event.at <= at) evolve(state, event)
		const live = [...(state.routers.get('default')?.sessions.values() ?? [])]
		const shown = lines({ kind: 'subscribers', at: iso(at) })
		const rows = shown.filter(line => /^02-/.test(line)).map(line => line.split(/\s+/))
		const places = rows.map(([mac, user, wap]) => `${mac} ${user} ${wap}`)
		assert.equal(
			places,
			live.map(({ mac, user, wap }) => `${mac} ${user} ${wap}`).sort(),
			`at ${iso(at)}`,
		)
		const accounting = rows
			.map(row => row.at(-1))
			.filter(last => last?.includes('-0') || last?.includes('-1'))
		const expected = live.map(one => one.accounting).filter(name => name !== undefined)
		assert.equal(accounting.sort(), expected.sort())
		shownOnce += rows.length
	}
	assert.ok(shownOnce > 20)
})

test('one subscriber at a time', () => {
	const accepted = recorded.find(({ type }) => type === 'LeaseGranted')!
	const { mac, address } = accepted.data as { mac: string; address: string }
	const shown = lines({ kind: 'subscribers', mac, at: iso(accepted.at) }).join('\n')
	assert.match(shown, new RegExp(`^Subscriber ${mac} at `))
	assert.match(shown, /Session: +since /)
	assert.ok(shown.includes(`Address:          ${address} from pool`), shown)
	assert.match(
		lines({ kind: 'subscribers', mac, at: iso(events[0]!.at) }).join('\n'),
		/Session: +none/,
	)
})

test('what is not there yet is said', () => {
	const at = iso(now + 60_000)
	assert.match(lines({ kind: 'subscribers', at })[0]!, /^% .* has not come yet\.$/)
	const bare = join(folder, 'bare')
	const other = openJournal({ folder: bare })
	other.append(events.slice(0, 50))
	other.close()
	assert.match(
		lines({ kind: 'subscribers', at: iso(now) }, bare)[0]!,
		/^% There are no read models \(views\.db\) here\. .*--views, or run "radledger views --data /,
	)
	const reading = openReader(bare)
	followed(reading, viewsFile(bare))
	reading.close()
	const db = new DatabaseSync(viewsFile(bare))
	db.exec('UPDATE checkpoint SET position = 49')
	db.close()
	assert.match(
		lines({ kind: 'subscribers', at: iso(now) }, bare)[0]!,
		/^% The read models do not reach that time yet/,
	)
	assert.match(
		lines({ kind: 'relay-statistics', delta: false, at: iso(now) }, bare).at(-1)!,
		/position 50/,
	)
})

test('a thread answers, and no more of them than there may be', async () => {
	const what: ShowAt = { kind: 'subscribers', at: iso(times[3]!) }
	const asked = [1, 2, 3].map(() => showAt(folder, undefined, settings, what, now))
	const answers = await Promise.all(asked)
	assert.equal(answers[0], lines(what))
	assert.equal(answers[1], lines(what))
	assert.match(answers[2]![0]!, /^% 2 questions about the past are being answered already/)
	assert.match(
		(await showAt(join(folder, 'none'), undefined, settings, what, now))[0]!,
		/^% There is no journal/,
	)
	assert.equal(await showAt(folder, undefined, settings, what, now), answers[0])
})

test('the position of a time', () => {
	const small = openMemoryJournal()
	assert.is(positionAt(small, undefined, 5), 0)
	const at = [10, 10, 20, 30]
	small.append(at.map(ms => ({ ...events[0]!, at: ms }) as NewEvent))
	const found = [9, 10, 15, 20, 29, 30, 99].map(ms => positionAt(small, undefined, ms))
	assert.equal(found, [0, 2, 2, 3, 3, 4, 4])
})

test('nothing is shown that is not on disk yet', () => {
	const shown = (horizon: Horizon | undefined) =>
		linesAt({
			...{ showAtOf: folder, horizon, settings, now },
			what: { kind: 'relay-statistics', delta: false, at: iso(now) },
		}).at(-1)!
	assert.match(shown(newHorizon(2990)), /position 2990\.$/)
	assert.match(shown(undefined), /position 3000\.$/)
})

test('statistics begin from the snapshot, not from the first event', () => {
	const requests = (from: number) =>
		recorded.filter(({ type, position }) => type === 'AccessRequested' && position > from).length
	const shown = () =>
		Number(
			lines({ kind: 'relay-statistics', delta: false, at: iso(now) })
				.join()
				.match(/Access Requests +(\d+)/)![1],
		)
	assert.is(shown(), requests(0))
	// One that counts nothing at all: what is shown then began there.
	const db = new DatabaseSync(viewsFile(folder))
	const { version, initial } = allStatistics
	db.exec('DELETE FROM statistics_newest')
	db.prepare('INSERT INTO statistics_snapshot VALUES (2000, 1, ?, ?)').run(
		version,
		JSON.stringify(initial()),
	)
	db.close()
	assert.is(shown(), requests(2000))
})

test('the commands, in the shell', async () => {
	const operator = fakeOperator()
	await typeLines(
		operator,
		...[
			[
				'show subscribers at -2h',
				'show subscribers mac 0200.0000.0001 at "2027-01-05 14:02"',
				'show radius relay accounting statistics delta at 14:02 | include Start',
				'show radius statistics delta at -1h',
				'show ip dhcp-local statistics at -1h',
				'show ip dhcp-external statistics at -1h',
				'show radius dynamic-request statistics at -1h',
			],
		],
	)
	const mac = '02-00-00-00-00-01'
	assert.equal(operator.shown, [
		['default', { kind: 'subscribers', at: '-2h' }],
		['default', { kind: 'subscribers', mac, at: '2027-01-05 14:02' }],
		['default', { kind: 'relay-statistics', service: 'accounting', delta: true, at: '14:02' }],
		['default', { kind: 'radius-statistics', delta: true, at: '-1h' }],
		['default', { kind: 'dhcp-statistics', server: 'local', delta: false, at: '-1h' }],
		['default', { kind: 'dhcp-statistics', server: 'external', delta: false, at: '-1h' }],
		['default', { kind: 'dynamic-request-statistics', delta: false, at: '-1h' }],
	])
	const wrong = await execute(newSession('privileged'), 'show subscribers at soon', operator)
	assert.match(wrong.lines.join('\n'), /A time is written as 2027-01-05T14:02:00Z/)
})

test.run()
