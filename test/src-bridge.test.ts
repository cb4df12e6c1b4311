/** The relay's side of the SRC bridge in the engine: questions, decisions, logins and their ends. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { encodeOption, optionOf, options } from '../domain/dhcp/option.ts'
import { optionCodes, readFileName, readOption, readServerName } from '../domain/dhcp/packet.ts'
import type { NewEvent } from '../domain/event.ts'
import { loginKey } from '../domain/sae/logins.ts'
import { stateFromPieces, statePieces } from '../domain/state-snapshot.ts'
import { queueSize } from '../src/engine/queue.ts'
import { stopEngine } from '../src/engine/stop.ts'
import { recoverState } from '../src/recover.ts'
import { ask, type ClientMessage, machine, read, type Told } from './dhcp-client.ts'
import { assertInvariants, ofType, settled } from './relay-invariants.ts'
import {
	accountingRequest,
	answerPacket,
	handTurnedClock,
	oneServer,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	u32,
} from './simulated-relay.ts'
import { type SimulatedSrc, simulatedSrc } from './simulated-src.ts'

const mac = '02-00-00-00-00-01'
const sscc = 'sscc primary address 10.10.2.2\nsscc secondary address 10.10.2.3\nsscc enable\n'
const configuration = (src = sscc, service = 'equal-access') => `${oneServer}${relayServers}
service dhcp-local ${service}
ip dhcp-local pool near
 network 10.0.0.0 255.255.255.0
 lease 0 1
exit
ip dhcp-local pool staff
 network 10.2.0.0 255.255.255.0
 dns-server 192.0.2.53
 lease 0 1
exit
${src}`

const vsa = (type: number, text: string): TestAttribute => [
	26,
	[0, 0, 0x13, 0x0a, type, text.length + 2, ...Buffer.from(text)],
]
const profile: TestAttribute[] = [[1, 'alice@example.org'], [25, 'staff'], vsa(31, 'gold')]

type Bridged = SimulatedRelay & { readonly src: SimulatedSrc }

async function bridged(
	text = configuration(),
	more: Parameters<typeof simulatedRelay>[1] = {},
): Promise<Bridged> {
	const src = simulatedSrc()
	const relay = await simulatedRelay(text, { dhcp: machine(), openSrc: src.openSrc, ...more })
	return { ...relay, src }
}

function login(
	relay: SimulatedRelay,
	attributes = profile,
	who = 1,
	place: TestAttribute[] = [],
): void {
	const attributesOfWho: TestAttribute[] = [
		[1, 'alice@example.org'],
		...place,
		[30, '00-11-22-33-44-55:campus'],
		[31, `02-00-00-00-00-0${who}`],
	]
	const request = requestPacket({ code: 1, identifier: who, attributes: attributesOfWho })
	const [forwarded] = relay.fromWap(request)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2, attributes }))
}

/** Sends a DHCPDISCOVER that must be put off. */
function discover(relay: Bridged, more: Partial<ClientMessage> = {}): void {
	assert.is(ask(relay, { type: 'discover', ...more }), undefined)
}

/** What has left since; one reply at most. */
function reply(relay: SimulatedRelay): Told | undefined {
	const [left, ...others] = relay.turn()
	assert.is(others.length, 0)
	return left === undefined ? undefined : read(left)
}

/** Login, DISCOVER, decision, OFFER, REQUEST, ACK. */
async function joined(
	relay: Bridged,
	decision: Parameters<ReturnType<typeof relay.src.next<'discover'>>['answer']>[0] = {
		accept: true,
		poolName: 'staff',
	},
): Promise<Told> {
	discover(relay)
	await relay.src.next('discover').answer(decision)
	const offer = reply(relay)!
	assert.is(offer.type, 'offer')
	return ask(relay, { type: 'request', requested: offer.address, server: '10.0.0.1' })!
}

const types = (relay: SimulatedRelay) => relay.events().map(({ type }) => type)

test('a DISCOVER is put off, its question is on record, and the decision makes the offer', async () => {
	const relay = await bridged()
	login(relay)
	const information = [1, 5, ...Buffer.from('vlan7')]
	const hostname = encodeOption(options.hostName, 'laptop')
	discover(relay, { options: [hostname], giaddr: '10.0.0.1', information })
	const [requested] = ofType(relay, 'PoolRequested')
	const question = relay.src.next('discover')
	assert.equal(question.body, {
		macAddress: mac,
		virtualRouterName: 'default',
		interfaceName: 'eth0',
		dhcpOptions: { 12: 'bGFwdG9w', 82: 'AQV2bGFuNw==' },
		userName: 'alice@example.org',
		radiusClass: 'staff',
		serviceBundle: 'gold',
		wap: '00-11-22-33-44-55',
		ssid: 'campus',
		giaddr: '10.0.0.1',
		// The access point named no port: the relay agent's circuit stands in.
		nasPortId: 'vlan7',
	})
	assert.equal(requested!.data.dhcpOptions, question.body.dhcpOptions)
	await question.answer({ accept: true, poolName: 'staff', reason: 'rule staff' })
	const offer = reply(relay)!
	assert.equal([offer.type, offer.address], ['offer', '10.2.0.1'])
	const { data } = ofType(relay, 'PoolSelected')[0]!
	assert.equal(data, {
		mac,
		client: requested!.data.client,
		by: 'src',
		pool: 'staff',
		reason: 'SRC names it (rule staff).',
		request: requested!.position,
		srcServer: '10.10.2.2:4222',
		decision: { pool: 'staff', reason: 'rule staff' },
	})
})

test('where a subscriber is attached is asked and told: port, description and name of the interface', async () => {
	const words = { alias: 'campus', description: 'vlan eth0' }
	const [first, ...others] = machine().interfaces()
	const dhcp = { ...machine(), interfaces: () => [{ ...first!, ...words }, ...others] }
	const port: TestAttribute = [5, u32(17)]
	const cases: readonly (readonly [TestAttribute[], string | undefined])[] = [
		[[[87, 'wlan0'], port], 'wlan0'],
		[[port], '17'],
		[[], undefined],
	]
	for (const [place, nasPortId] of cases) {
		const relay = await bridged(configuration(), { dhcp })
		login(relay, profile, 1, place)
		discover(relay)
		const question = relay.src.next('discover')
		const expected = { ifAlias: 'campus', ifDesc: 'vlan eth0', nasPortId }
		const told = (body: { ifAlias?: string; ifDesc?: string; nasPortId?: string }) => {
			return { ifAlias: body.ifAlias, ifDesc: body.ifDesc, nasPortId: body.nasPortId }
		}
		assert.equal(told(question.body), expected)
		assert.is(ofType(relay, 'PoolRequested')[0]!.data.nasPortId, nasPortId)
		await question.answer({ accept: true, poolName: 'staff' })
		const { address } = reply(relay)!
		ask(relay, { type: 'request', requested: address, server: '10.0.0.1' })
		assert.equal(told(relay.src.next('address').body), expected)
	}
})

test('nothing is offered before the decision is on disk', async () => {
	let broken = false
	const journal = openMemoryJournal({ appendFault: () => (broken ? 'lost' : undefined) })
	const relay = await bridged(configuration(), { journal })
	login(relay)
	discover(relay)
	broken = true
	await relay.src.next('discover').answer({ accept: true, poolName: 'staff' })
	assert.is(reply(relay), undefined)
	assert.is(relay.failures.length, 1)
})

test('packets are served while a question is open, and a repeated DISCOVER does not ask again', async () => {
	const relay = await bridged()
	login(relay)
	discover(relay)
	login(relay, profile, 2)
	assert.is(types(relay).filter(type => type === 'AccessAccepted').length, 2)
	discover(relay)
	assert.is(relay.src.open.length, 1)
	await relay.src.next('discover').answer({ accept: true, poolName: 'staff' })
	assert.is(reply(relay)!.type, 'offer')
	// The offer stands: it is made again without a question.
	assert.is(ask(relay, { type: 'discover' })?.address, '10.2.0.1')
	assert.is(ofType(relay, 'PoolRequested').length, 1)
	relay.pass(1000)
	const discards = ofType(relay, 'DhcpDiscarded').map(
		({ data }) => `${data.message} ${data.reason}`,
	)
	assert.equal(discards, ['discover waiting', 'discover repeated'])
})

test('no decision: the pool is chosen here, and the event says by whom and why', async () => {
	for (const failure of ['no-connection', 'timeout', 'too-many-questions', 'refused'] as const) {
		const relay = await bridged()
		login(relay)
		discover(relay)
		await relay.src.next('discover').answer(failure)
		assert.is(reply(relay)!.address, '10.0.0.2')
		const { data } = ofType(relay, 'PoolSelected')[0]!
		assert.equal([data.by, data.srcFailure, data.decision], ['interface', failure, undefined])
		assert.is(data.reason, `It is ${failure}. The interface's address 10.0.0.1 is in its network.`)
	}
})

test('a client that breaks is as good as one that does not answer', async () => {
	const src = simulatedSrc()
	const relay = await simulatedRelay(configuration(), {
		dhcp: machine(),
		openSrc: async (...given) =>
			({
				...((await src.openSrc(...given)) as object),
				discover: () => Promise.reject(new Error('out of order')),
			}) as never,
	})
	login(relay)
	ask(relay, { type: 'discover' })
	await settled()
	assert.is(read(relay.turn()[0]!).address, '10.0.0.2')
})

test('accept=false: no offer, and on record why; nobody is asked again within a second', async () => {
	const relay = await bridged()
	login(relay)
	discover(relay)
	await relay.src.next('discover').answer({ accept: false, reason: 'no service for this vendor' })
	assert.is(reply(relay), undefined)
	const { data } = ofType(relay, 'LeaseRefused')[0]!
	assert.equal(
		[data.reason, data.silent, data.why],
		['src-refused', true, 'no service for this vendor'],
	)
	assert.equal(
		[data.request, data.srcServer],
		[ofType(relay, 'PoolRequested')[0]!.position, '10.10.2.2:4222'],
	)
	discover(relay)
	assert.is(relay.src.open.length, 0)
	relay.pass(1050)
	discover(relay)
	assert.is(relay.src.open.length, 1)
})

test('when SRC was asked about somebody is forgotten, however often others ask', async () => {
	const relay = await bridged()
	login(relay)
	login(relay, profile, 2)
	const { askedAt } = relay.engine.src.get('default')!
	const asks = async (who: number) => {
		discover(relay, { who })
		await relay.src.next('discover').answer({ accept: false })
	}
	// The table is looked through each second, and the first one's question is always young then.
	relay.pass(1000)
	relay.pass(500)
	await asks(1)
	relay.pass(100)
	await asks(2)
	relay.pass(450)
	relay.pass(460)
	await asks(1)
	relay.pass(560)
	assert.equal([...askedAt.keys()], [mac])
})

test('SRC that leaves the choice open, or names what there is not, is written down with the choice', async () => {
	const cases = [
		[{ accept: true }, 'SRC leaves the choice open.'],
		[{ accept: true, poolName: 'nowhere' }, 'SRC names nowhere, and there is no such pool.'],
		[{ accept: true, ipAddress: '10.9.9.9' }, 'SRC gives 10.9.9.9, which is in no pool.'],
	] as const
	for (const [decision, why] of cases) {
		const relay = await bridged()
		login(relay)
		discover(relay)
		await relay.src.next('discover').answer(decision)
		assert.is(reply(relay)!.address, '10.0.0.2')
		const { data } = ofType(relay, 'PoolSelected')[0]!
		assert.is(data.by, 'interface')
		assert.is(data.reason, `${why} The interface's address 10.0.0.1 is in its network.`)
		assert.is(data.srcServer, '10.10.2.2:4222')
	}
})

test("JunosE's order: an address goes before a pool's name, SRC's before RADIUS'", async () => {
	const cases = [
		[[8, [10, 0, 0, 77]], { poolName: 'staff' }, '10.0.0.77', 'framed-address'],
		[[8, [10, 0, 0, 77]], { ipAddress: '10.2.0.9' }, '10.2.0.9', 'src'],
		[[88, 'near'], { poolName: 'staff' }, '10.2.0.1', 'src'],
		[[88, 'staff'], {}, '10.2.0.1', 'pool-name'],
	] as const
	for (const [attribute, decision, address, by] of cases) {
		const relay = await bridged()
		login(relay, [...profile, attribute as unknown as TestAttribute])
		discover(relay)
		await relay.src.next('discover').answer({ accept: true, ...decision })
		assert.is(reply(relay)!.address, address)
		assert.is(ofType(relay, 'PoolSelected')[0]!.data.by, by)
	}
})

test("the decision's lease, options and boot file reach the client, in offer and ACK", async () => {
	const relay = await bridged()
	login(relay)
	const ack = await joined(relay, {
		accept: true,
		poolName: 'staff',
		leaseTime: 600,
		// Domain name; and a server identifier, which is none of SRC's business.
		dhcpOptions: { 15: Buffer.from('example.net').toString('base64'), 54: 'CQkJCQ==' },
		bootServerName: '192.0.2.7',
		bootFileName: 'pxe.0',
	})
	const { packet } = ack
	const text = (code: number) => readOption(packet, optionOf(code))
	assert.equal([text(51), text(15), text(54)], [600, 'example.net', 0x0a000001])
	assert.equal([text(66), text(67)], ['192.0.2.7', 'pxe.0'])
	assert.equal([readServerName(packet), readFileName(packet)], ['192.0.2.7', 'pxe.0'])
	assert.is(packet.siaddr, 0xc0000207)
	assert.ok(optionCodes(packet).includes(6))
	// What was decided stands: a renewal is not asked about.
	relay.pass(300_000)
	const renewed = ask(relay, { type: 'request', ciaddr: ack.address })!
	assert.equal([renewed.type, readOption(renewed.packet, optionOf(51))], ['ack', 600])
	assert.is(ofType(relay, 'PoolRequested').length, 1)
})

test('an address that was taken is told once it is on disk, with what SRC decided', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay, {
		accept: true,
		poolName: 'staff',
		userName: 'alice@staff.example.org',
		serviceBundle: 'platinum',
		radiusClass: 'platinum-2026',
	})
	const granted = ofType(relay, 'LeaseGranted')[0]!
	const report = relay.src.next('address')
	assert.equal(report.body, {
		event: 'AUTHADDR',
		at: granted.at,
		macAddress: mac,
		virtualRouterName: 'default',
		ipAddress: '10.2.0.1',
		interfaceName: 'eth0',
		dhcpOptions: {},
		poolName: 'staff',
		leaseTime: 3600,
		userName: 'alice@staff.example.org',
		radiusClass: 'platinum-2026',
		serviceBundle: 'platinum',
		wap: '00-11-22-33-44-55',
		ssid: 'campus',
	})
	await report.answer({ sessionId: 'SAE-1', service: 'platinum', radiusClass: 'p-class' })
	relay.pass(50)
	assert.equal(ofType(relay, 'SrcSessionOpened')[0]!.data, {
		mac,
		address: '10.2.0.1',
		since: granted.at,
		user: 'alice@staff.example.org',
		class: 'platinum-2026',
		serviceBundle: 'platinum',
		service: 'platinum',
		serviceClass: 'p-class',
		wap: '00-11-22-33-44-55',
		ssid: 'campus',
		interface: 'eth0',
		session: 'SAE-1',
		server: '10.10.2.2:4222',
		authenticated: true,
	})
	relay.pass(5000)
	assert.is(relay.src.open.length, 0)
})

test('a report leaves only with its lease on disk', async () => {
	let broken = false
	const journal = openMemoryJournal({ appendFault: () => (broken ? 'lost' : undefined) })
	const relay = await bridged(configuration(), { journal })
	login(relay)
	discover(relay)
	await relay.src.next('discover').answer({ accept: true, poolName: 'staff' })
	reply(relay)
	broken = true
	assert.is(ask(relay, { type: 'request', requested: '10.2.0.1', server: '10.0.0.1' }), undefined)
	await settled()
	assert.is(relay.src.open.length, 0)
})

const stop = (cause?: number) =>
	accountingRequest('stop', {
		identifier: 9,
		attributes: cause === undefined ? [] : [[49, u32(cause)]],
	})

test('the end of a lease is told with its cause and what the report was answered', async () => {
	const cases: readonly (readonly [string, (relay: Bridged) => void, string])[] = [
		['DHCPRELEASE', r => void ask(r, { type: 'release', ciaddr: '10.2.0.1' }), 'User-Request'],
		['expiry', r => void r.pass(3_610_000), 'Lost-Carrier'],
		['Stop', r => void r.fromWap(stop()), 'User-Request'],
		['Stop, lost carrier', r => void r.fromWap(stop(2)), 'Lost-Carrier'],
		['Stop, session timeout', r => void r.fromWap(stop(5)), 'Session-Timeout'],
		[
			'access point off',
			r => void r.fromWap(accountingRequest('off', { identifier: 9 })),
			'Lost-Carrier',
		],
		['silence', r => void r.pass(3_600_000 * 2), 'Idle-Timeout'],
	]
	for (const [how, end, cause] of cases) {
		const idle = how === 'silence' ? 'radius relay idle-timeout 60\n' : ''
		const relay = await bridged(configuration(sscc + idle))
		login(relay)
		await joined(relay)
		const opened = { sessionId: 'SAE-1', service: 'gold', radiusClass: 'gold-class' }
		await relay.src.next('address').answer(opened)
		relay.pass(50)
		const since = ofType(relay, 'LeaseGranted')[0]!.at
		end(relay)
		relay.pass(50)
		const deletion = relay.src.next('delete')
		const over = relay.events().find(({ type }) => /^Lease(Released|Expired)$/.test(type))!
		assert.equal(
			deletion.body,
			{
				macAddress: mac,
				virtualRouterName: 'default',
				ipAddress: '10.2.0.1',
				cause,
				since,
				at: over.at,
				sessionId: 'SAE-1',
				service: 'gold',
				radiusClass: 'gold-class',
				userName: 'alice@example.org',
				interfaceName: 'eth0',
				wap: '00-11-22-33-44-55',
				ssid: 'campus',
			},
			how,
		)
		await deletion.answer({ sessionId: 'SAE-1', sessionSeconds: 7 })
		relay.pass(50)
		const { data } = ofType(relay, 'SrcSessionClosed')[0]!
		assert.equal(
			[data.cause, data.session, data.sessionSeconds, data.reported],
			[cause, 'SAE-1', 7, true],
		)
		assert.is(relay.state.routers.get('default')!.src.debts.size, 0)
		assertInvariants(relay)
	}
})

test('an end that comes before the report is answered is told with what comes later', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	const report = relay.src.next('address')
	ask(relay, { type: 'release', ciaddr: '10.2.0.1' })
	relay.pass(50)
	assert.is(relay.src.open.length, 1, 'the deletion waits for the report')
	await report.answer({ sessionId: 'SAE-1' })
	relay.pass(50)
	const deletion = relay.src.next('delete')
	assert.is(deletion.body.sessionId, 'SAE-1')
	await deletion.answer({ sessionId: 'SAE-1', sessionSeconds: 1 })
	relay.pass(50)
	assert.equal(types(relay).slice(-3), ['LeaseReleased', 'SrcSessionOpened', 'SrcSessionClosed'])
})

test('what SRC does not answer is told again, after a pause that grows, and at once to a new server', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	await relay.src.next('address').answer('timeout')
	relay.pass(900)
	assert.is(relay.src.open.length, 0)
	relay.pass(200)
	await relay.src.next('address').answer('no-connection')
	relay.pass(1500)
	assert.is(relay.src.open.length, 0)
	relay.src.change({ state: 'connected', server: '10.10.2.3:4222', role: 'secondary' })
	relay.pass(50)
	const report = relay.src.next('address')
	await report.answer({ sessionId: 'SAE-1' })
	relay.pass(50)
	assert.is(ofType(relay, 'SrcSessionOpened').length, 1)
	assert.is(ofType(relay, 'SrcSessionOpened')[0]!.data.server, '10.10.2.3:4222')
})

test('what SRC refuses is not told again at once: a report rests, a deletion is put on record', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	await relay.src.next('address').answer('refused')
	relay.pass(60_000)
	assert.is(relay.src.open.length, 0)
	assert.match(
		relay.warnings.at(-1)!,
		'SRC does not take the reports of addresses (1 in this second): It is refused.',
	)
	ask(relay, { type: 'release', ciaddr: '10.2.0.1' })
	relay.pass(50)
	await relay.src.next('delete').answer('refused')
	relay.pass(50)
	const { data } = ofType(relay, 'SrcSessionClosed')[0]!
	assert.equal([data.unanswered, data.server, data.reported], ['refused', undefined, undefined])
})

/** A relay that finds so many logins in its journal of which SRC has not heard. */
async function withUnreported(count: number): Promise<Bridged> {
	const journal = openMemoryJournal()
	const at = 1_800_000_000_000
	const events = Array.from({ length: count }, (_, n): NewEvent => {
		const digits = n.toString(16).toUpperCase().padStart(4, '0')
		const who = `02-00-00-01-${digits.slice(0, 2)}-${digits.slice(2)}`
		const address = `10.9.${n >> 8}.${n & 255}`
		const told = { src: true as const, leaseSeconds: 0, expiresAt: 0 }
		const data = { mac: who, client: `hw:${n}`, pool: 'staff', address, interface: 'eth0', ...told }
		return { stream: `subscriber-default.${who}`, type: 'LeaseGranted', v: 1, at, data }
	})
	journal.append(events)
	const state = recoverState(journal, journal, () => undefined)
	return bridged(configuration(), { journal, state })
}

/** Answers reports until none is open; gives how many there were. */
async function answerReports(relay: Bridged, outcome: 'refused' | undefined): Promise<number> {
	let answered = 0
	for (; relay.src.open.length > 0; answered++) {
		const report = relay.src.next('address')
		await report.answer(outcome ?? { sessionId: report.body.macAddress })
		relay.turn()
	}
	return answered
}

test('refused reports hold up no others, cost a turn nothing, and are told again a few at a time', async () => {
	const relay = await withUnreported(1000)
	relay.pass(50)
	assert.is(relay.src.open.length, 64, 'under way at once')
	const { unreported } = relay.state.routers.get('default')!.src
	// A walk through all of them would be the same work in every turn.
	const walk = () => assert.unreachable('they are walked through')
	Object.assign(unreported, { [Symbol.iterator]: walk, values: walk, keys: walk, entries: walk })
	assert.is(await answerReports(relay, 'refused'), 1000)
	relay.pass(1000)
	assert.equal(
		relay.warnings
			.filter(line => line.includes('does not take'))
			.map(line => /\((\d+)/.exec(line)![1]),
		['1000'],
	)
	login(relay)
	await joined(relay)
	assert.is(await answerReports(relay, undefined), 1, 'whoever is new is told of at once')
	for (let second = 0; second < 500; second++) relay.pass(1000)
	assert.is(relay.src.open.length, 0)

	// The rest is over: a hundred a second, in the order in which they were refused.
	relay.pass(100_000)
	const times: number[] = []
	for (let second = 0; second < 12; second++) {
		times.push(await answerReports(relay, second < 6 ? 'refused' : undefined))
		relay.pass(1000)
	}
	assert.ok(
		times.every(count => count <= 100 + 64),
		times.join(),
	)
	assert.is(
		times.reduce((a, b) => a + b, 0),
		1000,
		times.join(),
	)
	const opened = ofType(relay, 'SrcSessionOpened').length
	relay.src.change({ state: 'connected', server: '10.10.2.3:4222', role: 'secondary' })
	relay.pass(1000)
	for (let second = 0; second < 12; second++) {
		const count = await answerReports(relay, undefined)
		assert.ok(count <= 100 + 64, `${count} at once`)
		relay.pass(1000)
	}
	assert.is(unreported.size, 0)
	assert.ok(ofType(relay, 'SrcSessionOpened').length > opened)
})

test('a report that was refused is forgotten when its login has ended', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	await relay.src.next('address').answer('refused')
	ask(relay, { type: 'release', ciaddr: '10.2.0.1' })
	relay.pass(50)
	await relay.src.next('delete').answer({ sessionId: 'x', sessionSeconds: 0 })
	relay.pass(700_000)
	assert.equal(
		[relay.src.open.length, queueSize(relay.engine.src.get('default')!.telling.refused)],
		[0, 0],
	)
})

test('after a crash the journal knows the open sessions and what is owed', async () => {
	const first = await bridged()
	login(first)
	await joined(first)
	await first.src.next('address').answer({ sessionId: 'SAE-1', service: 'gold' })
	first.pass(50)
	login(first, profile, 2)
	discover(first, { who: 2 })
	await first.src.next('discover').answer({ accept: true, poolName: 'staff', leaseTime: 900 })
	const offer = reply(first)!
	ask(first, { type: 'request', who: 2, requested: offer.address, server: '10.0.0.1' })
	const before = first.src.next('address').body
	ask(first, { type: 'release', ciaddr: '10.2.0.1' })
	first.pass(50)
	const { journal } = first
	assert.is(first.engine.batch.length, 0)

	const state = recoverState(journal, journal, () => undefined)
	const saved = JSON.parse(JSON.stringify([...statePieces(state)]))
	assert.equal([...statePieces(stateFromPieces(saved))], [...statePieces(state)])
	const second = await bridged(configuration(), { journal, state })
	second.pass(50)
	const deletion = second.src.next('delete')
	assert.equal([deletion.body.sessionId, deletion.body.service], ['SAE-1', 'gold'])
	await deletion.answer({ sessionId: 'SAE-1', sessionSeconds: 0 })
	// The same report as before: SRC names the session by it.
	const report = second.src.next('address')
	assert.equal(report.body, before)
	await report.answer({ sessionId: 'SAE-2' })
	second.pass(50)
	assert.is(ofType(second, 'SrcSessionClosed').length, 1)
	assert.is(ofType(second, 'SrcSessionOpened').at(-1)!.data.session, 'SAE-2')
	// And the decision stands: its lease time is that of renewals.
	const renewed = ask(second, { type: 'request', who: 2, ciaddr: offer.address })!
	assert.is(readOption(renewed.packet, optionOf(51)), 900)
	const live = [...statePieces(second.state)]
	const folded = recoverState(
		journal,
		{ load: () => undefined, save: () => undefined },
		() => undefined,
	)
	second.pass(50)
	assert.equal([...statePieces(folded)], live)
})

test('a session that ends takes its decision with it, and leaves nothing behind', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	await relay.src.next('address').answer({ sessionId: 'SAE-1' })
	relay.pass(50)
	relay.fromWap(stop())
	relay.pass(50)
	await relay.src.next('delete').answer({ sessionId: 'SAE-1', sessionSeconds: 0 })
	relay.pass(50)
	const { src } = relay.state.routers.get('default')!
	assert.equal([src.subscribers.size, src.unreported.size, src.debts.size], [0, 0, 0])
})

test('a session that ends while its question is open is offered nothing', async () => {
	const relay = await bridged()
	login(relay)
	discover(relay)
	relay.fromWap(stop())
	await relay.src.next('discover').answer({ accept: true, poolName: 'staff' })
	assert.is(reply(relay), undefined)
	assert.is(ofType(relay, 'LeaseOffered').length, 0)
	assert.is(relay.state.routers.get('default')!.src.subscribers.size, 0)
})

test('another pool at the next DISCOVER: the old address is given back, and SRC hears of both', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	await relay.src.next('address').answer({ sessionId: 'SAE-1' })
	relay.pass(5000)
	const ack = await joined(relay, { accept: true, poolName: 'near' })
	assert.is(ack.address, '10.0.0.2')
	const told = relay.src.open.map(({ kind, body }) => [kind, 'ipAddress' in body && body.ipAddress])
	assert.equal(told, [
		['delete', '10.2.0.1'],
		['address', '10.0.0.2'],
	])
})

test('clients that were there before SRC was on are told of when they renew', async () => {
	const relay = await bridged(configuration(''))
	login(relay)
	const offer = ask(relay, { type: 'discover' })!
	ask(relay, { type: 'request', requested: offer.address, server: '10.0.0.1' })
	assert.is(await relay.configure(configuration()), undefined)
	relay.pass(5000)
	assert.is(relay.src.open.length, 0)
	ask(relay, { type: 'request', ciaddr: offer.address })
	const report = relay.src.next('address')
	assert.is(report.body.at, ofType(relay, 'LeaseRenewed')[0]!.at)
	await report.answer({ sessionId: 'SAE-1' })
	ask(relay, { type: 'request', ciaddr: offer.address })
	relay.pass(5000)
	assert.is(relay.src.open.length, 0)
})

test('a standalone server asks nobody; with "authenticate" it does', async () => {
	const relay = await bridged(configuration(sscc, 'standalone'))
	const offer = ask(relay, { type: 'discover' })!
	ask(relay, { type: 'request', requested: offer.address, server: '10.0.0.1' })
	relay.pass(1000)
	assert.is(relay.src.open.length, 0)
	const authenticating = await bridged(configuration(sscc, 'standalone authenticate'))
	login(authenticating)
	discover(authenticating)
	assert.is(authenticating.src.open.length, 1)
})

test('servers come and go: each change is on record once', async () => {
	const relay = await bridged()
	relay.src.change({ state: 'trying', server: '10.10.2.3:4222', role: 'secondary' })
	relay.src.change({ state: 'connected', server: '10.10.2.3:4222', role: 'secondary' })
	relay.src.change({ state: 'connected', server: '10.10.2.3:4222', role: 'secondary' })
	assert.is(await relay.configure(configuration('')), undefined)
	relay.pass(50)
	assert.equal(
		ofType(relay, 'SrcServerChanged').map(({ data }) => data),
		[
			{ from: '', to: '10.10.2.2:4222', role: 'primary' },
			{ from: '10.10.2.2:4222', to: '' },
			{ from: '', to: '10.10.2.3:4222', role: 'secondary' },
			{ from: '10.10.2.3:4222', to: '' },
		],
	)
	assert.equal([relay.src.opened, relay.src.closed], [1, 1])
	const told = 'No SRC server is asked any more: pools are chosen here.'
	assert.equal(relay.warnings, [told, told])
})

test('a change is on record with the time at which the client was open, however long that took', async () => {
	const src = simulatedSrc()
	const clock = handTurnedClock()
	const begun = clock.wall()
	const openSrc: typeof src.openSrc = async (...given) => {
		clock.advance(700)
		return src.openSrc(...given)
	}
	const relay = await simulatedRelay(configuration(), { dhcp: machine(), openSrc, clock })
	relay.pass(50)
	assert.is(ofType(relay, 'SrcServerChanged')[0]!.at, begun + 700)
})

test('a change of the servers closes the old client; its open question is decided here', async () => {
	const relay = await bridged()
	login(relay)
	discover(relay)
	await relay.configure(configuration(`${sscc}sscc retryTimer 30\n`))
	await settled()
	assert.equal([relay.src.opened, relay.src.closed], [2, 1])
	assert.is(reply(relay)!.address, '10.0.0.2')
	assert.is(ofType(relay, 'PoolSelected')[0]!.data.srcFailure, 'closed')
})

test('connections come from the source address, and from elsewhere only with a new client', async () => {
	const relay = await bridged(configuration(`sscc sourceAddress 10.0.0.1\n${sscc}`))
	assert.equal([relay.src.source, relay.src.opened], ['10.0.0.1', 1])
	const mgmt = (address: string) =>
		`sscc transportRouter mgmt\n${sscc}virtual-router mgmt\nradius update-source-addr ${address}\n`
	for (const [n, address] of ['10.0.0.1', '10.0.0.2'].entries()) {
		assert.is(await relay.configure(configuration(mgmt(address))), undefined)
		assert.equal([relay.src.source, relay.src.opened], [address, 1 + n])
	}
	assert.is(await relay.configure(configuration()), undefined)
	assert.equal([relay.src.source, relay.src.opened, relay.src.closed], [undefined, 3, 2])
})

test('a client that cannot be opened refuses the configuration, and everything is as before', async () => {
	const src = simulatedSrc('src.rules:1:1: A rule has no "x".')
	const relay = await simulatedRelay(configuration(''), { dhcp: machine(), openSrc: src.openSrc })
	const refused = await relay.configure(configuration('sscc local rules src.rules\nsscc enable\n'))
	assert.is(refused, 'src.rules:1:1: A rule has no "x".')
	assert.is(relay.engine.src.size, 0)
})

test('answers that were ignored go on record, gathered', async () => {
	const relay = await bridged()
	relay.src.statistics.lateAnswers = 3
	relay.src.statistics.foreignAnswers = 1
	relay.pass(1050)
	relay.src.statistics.lateAnswers = 4
	relay.pass(2050)
	assert.equal(
		ofType(relay, 'SrcAnswersDiscarded').map(({ data }) => data),
		[
			{ reason: 'late', count: 3 },
			{ reason: 'foreign', count: 1 },
			{ reason: 'late', count: 1 },
		],
	)
})

test('an upstream server that leaves out what SRC goes by is named once for each attribute', async () => {
	const relay = await bridged()
	login(relay, profile)
	assert.equal(relay.warnings, [])
	login(relay, [[25, 'staff']], 2)
	login(relay, [[25, 'staff']], 3)
	login(relay, [], 4)
	assert.equal(relay.warnings, [
		'The Access-Accepts of 192.0.2.1 lack User-Name and Service-Bundle, by which SRC classifies; add that there.',
		'The Access-Accepts of 192.0.2.1 lack Class, by which SRC classifies; add that there.',
	])
	const off = await bridged(configuration(''))
	login(off, [])
	assert.equal(off.warnings, [])
})

test('too many ends that are owed: the oldest are given up, on record', async () => {
	const relay = await bridged()
	login(relay)
	await joined(relay)
	const table = relay.state.routers.get('default')!.src
	const [login1] = [...table.subscribers.values()].map(each => each.logins[0]!)
	for (let n = 0; n <= 100_000; n++) {
		const owed = { ...login1!, mac: `02-00-00-01-${n}`, since: n }
		table.debts.set(loginKey(owed), { login: owed, cause: 'User-Request', endedAt: n })
	}
	relay.pass(1050)
	const given = ofType(relay, 'SrcSessionClosed').map(({ data }) => [data.since, data.unanswered])
	assert.equal(given, [[0, 'too-many']])
})

test('the end of the relay leaves open questions without an answer', async () => {
	const relay = await bridged()
	login(relay)
	discover(relay)
	await stopEngine(relay.engine, 'test')
	await relay.src.next('discover').answer({ accept: true, poolName: 'staff' })
	assert.equal(relay.turn(), [])
	assert.is(types(relay).at(-1), 'RelayStopped')
})

test.run()
