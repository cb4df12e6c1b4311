/** What `show sscc info` and `show sscc statistics` say, from events and from the running client. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import type { SrcSettings } from '../domain/configuration.ts'
import type { EventData, NewEvent } from '../domain/event.ts'
import { noStatistics } from '../domain/sae/client.ts'
import { follow, withPositions } from '../projections/follow.ts'
import { srcRouterStatistics, srcStatistics } from '../projections/src-statistics.ts'
import { srcInfoText, srcStatisticsText } from '../projections/src-text.ts'

const mac = '02-00-00-00-00-01'
const at = Date.UTC(2026, 10, 20, 12)

function event<T extends NewEvent['type']>(type: T, data: EventData<T>): NewEvent {
	const onRelay = ['SrcServerChanged', 'SrcAnswersDiscarded', 'RelayStarted'].includes(type)
	const stream = onRelay ? 'relay-default' : `subscriber-default.${mac}`
	return { stream, type, v: 1, at, data } as NewEvent
}

const client = 'hw:01020000000001'
const login = { mac, address: '10.2.0.1', since: at }
const asked = event('PoolRequested', { mac, client, interface: 'eth0', dhcpOptions: {} })
const selected = (more: Partial<EventData<'PoolSelected'>>) =>
	event('PoolSelected', { mac, client, by: 'src', pool: 'staff', reason: 'R.', ...more })
const opened = event('SrcSessionOpened', {
	...{ ...login, session: 'SAE-1', server: 'a:1', authenticated: true },
})
const closed = (more: Partial<EventData<'SrcSessionClosed'>>) =>
	event('SrcSessionClosed', { ...login, cause: 'User-Request', endedAt: at, ...more })

const history = [
	event('SrcServerChanged', { from: '', to: '10.10.2.2:4222', role: 'primary' }),
	...[asked, selected({ request: 2, srcServer: 'a:1', decision: {} })],
	...[asked, selected({ request: 4, by: 'interface', srcServer: 'a:1', decision: {} })],
	...[asked, selected({ request: 6, by: 'interface', srcFailure: 'timeout' })],
	...[asked, event('LeaseRefused', { mac, client, reason: 'src-refused', request: 8 })],
	// Chosen without a question: none of SRC's.
	selected({ by: 'giaddr' }),
	event('LeaseRefused', { mac, client, reason: 'no-address' }),
	...[opened, opened, opened],
	closed({ session: 'SAE-1', server: 'a:1', reported: true }),
	closed({ session: 'SAE-2', server: 'a:1' }),
	closed({ unanswered: 'refused', reported: true }),
	event('SrcAnswersDiscarded', { reason: 'late', count: 2 }),
	event('SrcAnswersDiscarded', { reason: 'late', count: 1 }),
	event('SrcAnswersDiscarded', { reason: 'malformed', count: 4 }),
]

function folded(events: readonly NewEvent[]) {
	const state = srcStatistics.initial()
	for (const each of withPositions(1, events)) srcStatistics.fold(state, each)
	return state
}

test('questions, sessions and servers are counted from what is on record', () => {
	assert.equal(srcRouterStatistics(folded(history), 'default'), {
		virtualRouter: 'default',
		discovers: 4,
		accepted: 2,
		chosenHere: 1,
		refused: 1,
		unanswered: { timeout: 1 },
		sessionsOpened: 3,
		sessionsClosed: 2,
		sessionsGivenUp: 1,
		sessionsOpen: 1,
		ignored: { late: 3, malformed: 4 },
		serverChanges: 1,
		server: { name: '10.10.2.2:4222', role: 'primary', at },
	})
	assert.is(srcRouterStatistics(folded(history), 'other'), undefined)
})

test('a relay that starts asks nobody yet', () => {
	const started = event('RelayStarted', { release: '0.3.0', configuration: [] })
	const state = folded([...history, started])
	assert.is(srcRouterStatistics(state, 'default')!.server, null)
	assert.equal(folded([started]).routers, [])
})

test('the view survives being saved', () => {
	const journal = openMemoryJournal()
	journal.append(history)
	const first = follow({ reader: journal, snapshots: journal, projection: srcStatistics })
	first.catchUp()
	first.save()
	const second = follow({ reader: journal, snapshots: journal, projection: srcStatistics })
	assert.equal(second.state(), folded(history))
})

const settings: SrcSettings = {
	enabled: true,
	servers: { primary: { address: '10.10.2.2', port: 3 } },
	retrySeconds: 90,
	sourceAddress: '10.13.5.61',
}
const query = {
	virtualRouter: 'default',
	settings,
	live: undefined,
	source: '10.13.5.61',
	interfaceWith: (address: string) => (address === '10.13.5.61' ? 'eth0' : undefined),
}

test('show sscc info is laid out as the router has it', () => {
	const lines = srcInfoText(folded([]), query)
	assert.equal(lines.slice(0, 10), [
		'The SSC Client is currently unconnected',
		'The SSC Client configured servers are:',
		'        Primary: 10.10.2.2:3',
		'        Secondary: 0.0.0.0:0',
		'        Tertiary: 0.0.0.0:0',
		'        Local Source: eth0, Local Source Address: 10.13.5.61',
		'        The configured transport router is: default',
		'        The configured retry timer is (seconds): 90',
		'        The connection state is: NoConnection',
		' SSC Client Statistics:',
	])
	const info = { state: 'connected', server: '10.10.2.2:3', role: 'primary' } as const
	const live = { info, statistics: noStatistics() }
	const [first] = srcInfoText(folded([]), { ...query, live })
	assert.is(first, 'The SSC Client is currently connected to the primary server 10.10.2.2:3')
	const local = { ...query, source: undefined, settings: { ...settings, localRules: 'src.rules' } }
	const text = srcInfoText(folded([]), local).join('\n')
	assert.match(text, '        Local Rules: src.rules\n        Local Source: as routed')
})

test('show sscc statistics tells what is on record from what only the client knows', () => {
	const statistics = { ...noStatistics(), connectionAttempts: 5, activeDiscovers: 2 }
	const live = { info: { state: 'connected' } as const, statistics }
	const text = srcStatisticsText(folded(history), { ...query, live }).join('\n')
	for (const row of [
		/^Connection attempts: +5 \*$/m,
		/^Active Discovers: +2 \*$/m,
		/^Discovers Seen: +4$/m,
		/^Discover Transitions: +3$/m,
		/^Active Addresses: +1$/m,
		/^Address Transitions: +5$/m,
		/^Discovers Unanswered: +1$/m,
		/^Discovers Unanswered, timeout: +1$/m,
		/^Late Answers: +3$/m,
		/^Server Since: +10.10.2.2:4222, FRI NOV 20 2026 12:00:00 UTC$/m,
		/^\* Of the client as it is now: not recorded, and counted from its start\.$/m,
	]) {
		assert.match(text, row)
	}
	assert.match(srcStatisticsText(folded([]), query).join('\n'), /^Connection attempts: +0 \*$/m)
})

test.run()
