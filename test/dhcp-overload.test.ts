/** More DHCP than can be answered: exchanges are ended before others are begun, and nobody starves. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { batchSize, type Received } from '../adapters/radius/transport.ts'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { encodeOption, options } from '../domain/dhcp/option.ts'
import { decodeDhcp, layout, messageTypes, operations } from '../domain/dhcp/packet.ts'
import { leaseAt } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import { endTurn } from '../src/engine/commit.ts'
import {
	backlogLimit,
	createBacklog,
	isKeepable,
	keepBehind,
	slotOctets,
	takeFirst,
} from '../src/engine/dhcp-backlog.ts'
import { stopEngine } from '../src/engine/stop.ts'
import { turn } from '../src/engine/turn.ts'
import {
	ask,
	type ClientMessage,
	dhcpMessage,
	join,
	machine,
	queueDhcp,
	read,
	type Told,
} from './dhcp-client.ts'
import { ofType, settled } from './relay-invariants.ts'
import {
	accessRequest,
	oneServer,
	relayServers,
	type SimulatedRelay,
	simulatedRelay,
	wapAddress,
} from './simulated-relay.ts'

const pools = `
ip dhcp-local pool near
 network 10.0.0.0 255.255.0.0
 lease 0 1
exit
ip dhcp-local pool far
 network 10.1.0.0 255.255.0.0
 lease 0 1
exit
`
const standalone = `service dhcp-local standalone\n${pools}`

function dhcpRelay(text = standalone) {
	return simulatedRelay(text, { dhcp: machine() })
}

/** Lets a message arrive; `xid` tells replies apart, and is the client's number unless told. */
function arrive(relay: SimulatedRelay, message: ClientMessage): void {
	queueDhcp(relay, dhcpMessage({ xid: message.who ?? 1, ...message }), message)
}

function discovers(relay: SimulatedRelay, from: number, count: number, interfaceIndex = 2): void {
	for (let who = from; who < from + count; who++) {
		arrive(relay, { type: 'discover', who, interfaceIndex })
	}
}

/**
 * One turn only, with the commit that it might have waited for; what it wants next, and what left.
 * Datagrams of RADIUS are counted alone.
 */
function oneTurn(relay: SimulatedRelay): {
	waitUs: number | undefined
	told: Told[]
	radius: number
} {
	const waitUs = turn(relay.engine, relay.transport.ready())
	if (!relay.engine.stopped) endTurn(relay.engine)
	const { listener } = relay.engine.dhcp
	const sent = relay.transport.sent.splice(0)
	const told = sent
		.filter(({ socket }) => socket === listener?.socket)
		.map(({ address, port, bytes, interfaceIndex, socket }) =>
			read({
				to: `${formatIpv4(address)}:${port}`,
				bytes,
				interfaceIndex,
				from: socket.port,
				code: 0,
			}),
		)
	return { waitUs, told, radius: sent.length - told.length }
}

const xids = (told: readonly Told[]) => told.map(({ packet }) => packet.xid)
const ofKind = (told: readonly Told[], type: string) => told.filter(each => each.type === type)
const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const waiting = ({ engine }: SimulatedRelay) => engine.dhcp.listener?.backlog?.count ?? 0

/** Turns until none is wanted, one at least; all that was told. */
function turnOut(relay: SimulatedRelay): Told[] {
	return relay.turn().map(read)
}

function dropped(relay: SimulatedRelay): Record<string, number> {
	relay.pass(1000)
	const counts: Record<string, number> = {}
	for (const { stream, data } of ofType(relay, 'DhcpDiscarded')) {
		if (data.reason !== 'queue-full') continue
		assert.is(data.message, 'discover')
		counts[stream] = (counts[stream] ?? 0) + data.count
	}
	return counts
}

/** The REQUEST that takes an offer. */
function taking(offer: Told | undefined, who: number): ClientMessage {
	assert.is(offer?.type, 'offer')
	return { type: 'request', who, requested: offer!.address, server: '10.0.0.1' }
}

test('DHCPREQUESTs behind a thousand DHCPDISCOVERs are answered in the same turn', async () => {
	const relay = await dhcpRelay()
	const requests = range(1, 10).map(who => taking(ask(relay, { type: 'discover', who }), who))
	discovers(relay, 1000, 1000)
	for (const request of requests) arrive(relay, request)
	const { waitUs, told } = oneTurn(relay)
	assert.equal(xids(ofKind(told, 'ack')), range(1, 10))
	assert.is(waitUs, 0, 'the next turn comes at once')
	assert.equal(xids(ofKind(told, 'offer')), range(1000, 64), 'DHCPDISCOVERs have their share')
})

test('every DHCPDISCOVER that was kept is answered, in the order of arrival', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 1000)
	const first = oneTurn(relay)
	assert.is(first.told.length, 64)
	assert.is(waiting(relay), 936)
	discovers(relay, 1001, 10)
	const told = [...first.told, ...turnOut(relay)]
	assert.equal(xids(told), range(1, 1010), 'those that come later wait behind the others')
	assert.ok(told.every(({ type, interfaceIndex }) => type === 'offer' && interfaceIndex === 2))
	assert.is(new Set(told.map(({ address }) => address)).size, 1010)
	assert.equal(dropped(relay), {})
	assert.is(oneTurn(relay).waitUs, undefined, 'nobody waits any more')
})

test('what has waited is answered by the way that it came', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 300)
	arrive(relay, { type: 'discover', who: 301, giaddr: '10.1.0.9', interfaceIndex: 3 })
	arrive(relay, { type: 'discover', who: 302, interfaceIndex: 3 })
	const [agents, attached] = turnOut(relay).slice(300)
	assert.is(agents!.to, '10.1.0.9:67')
	assert.is(attached!.to, '255.255.255.255:68')
	assert.is(attached!.interfaceIndex, 3)
	assert.match(attached!.address, /^10\.1\./)
})

test('a flood of DHCPREQUESTs leaves DHCPDISCOVERs their share of every turn', async () => {
	const relay = await dhcpRelay()
	const renewals = range(1, 100).map((who): ClientMessage => {
		const { address } = join(relay, { who })
		return { type: 'request', who, ciaddr: address, unicast: true }
	})
	const flood = () => {
		for (let n = 0; n < 5; n++) for (const renewal of renewals) arrive(relay, renewal)
	}
	discovers(relay, 1000, 640)
	flood()
	for (let n = 0; n < 10; n++) {
		const { told } = oneTurn(relay)
		const offers = ofKind(told, 'offer')
		assert.equal(xids(offers), range(1000 + 64 * n, 64))
		assert.ok(told.length - offers.length >= 64, `${told.length} replies in turn ${n}`)
		assert.ok(told.length <= 256, 'a turn is bounded')
		flood()
	}
	assert.is(waiting(relay), 0)
})

test('a flood of DHCPDISCOVERs keeps nobody from getting the address that he was offered', async () => {
	const relay = await dhcpRelay()
	const begun: Told[] = []
	for (let n = 0; n < 12; n++) {
		discovers(relay, 1 + n * 1500, 1500)
		const offers = begun.splice(0, 20)
		for (const offer of offers) arrive(relay, taking(offer, offer.packet.xid))
		const { told } = oneTurn(relay)
		assert.equal(xids(ofKind(told, 'ack')), xids(offers), `in turn ${n}`)
		assert.ok(told.length <= 256, 'a turn is bounded')
		begun.push(...ofKind(told, 'offer'))
	}
})

test('where too many wait the longest one makes room, and is counted', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 10_000)
	const told = xids(turnOut(relay))
	const lost = 10_000 - told.length
	// Five turns read 2048 each, and the first four answer 64 each.
	assert.is(lost, 10_000 - 256 - backlogLimit)
	assert.equal(told, [...range(1, 256), ...range(257 + lost, backlogLimit)])
	assert.equal(dropped(relay), { 'relay-default': lost })
	const { listener } = relay.engine.dhcp
	assert.is(listener!.backlog!.buffers.length, backlogLimit)
})

test('what is dropped is counted where it belongs', async () => {
	const guests = `virtual-router guests
service dhcp-local standalone
ip dhcp-local interface eth1
ip dhcp-local pool guests
 network 10.1.0.0 255.255.0.0
exit
`
	const relay = await dhcpRelay(`${standalone}${guests}`)
	discovers(relay, 1, 1500, 3)
	discovers(relay, 2001, 8500, 2)
	turnOut(relay)
	const counts = dropped(relay)
	assert.equal(counts, {
		'relay-guests': 1500 - 256,
		'relay-default': 10_000 - 1500 - backlogLimit,
	})
})

test('below a full batch messages are answered as they come, and nothing is kept', async () => {
	const relay = await dhcpRelay()
	const { address } = join(relay, { who: 1 })
	for (let n = 0; n < 21; n++) {
		discovers(relay, 100 + n * 2, 2)
		arrive(relay, { type: 'request', who: 1, ciaddr: address, unicast: true, xid: 1000 + n })
	}
	const order = range(0, 21).flatMap(n => [100 + n * 2, 101 + n * 2, 1000 + n])
	assert.is(order.length, batchSize - 1)
	assert.equal(xids(turnOut(relay)), order)
	for (let n = 0; n < 100; n++) {
		arrive(relay, { type: 'request', who: 1, ciaddr: address, unicast: true, xid: n })
	}
	assert.equal(xids(turnOut(relay)), range(0, 100))
	assert.is(relay.engine.dhcp.listener?.backlog, undefined, 'no memory is taken for it')
})

test('RADIUS has its turn while DHCPDISCOVERs come and wait', async () => {
	const relay = await dhcpRelay(`${oneServer}${relayServers}${standalone}`)
	await settled()
	const access = (nonce: number) => {
		const socket = relay.transport.sockets.get(1812)!
		const bytes = accessRequest({ nonce, identifier: nonce })
		relay.transport.deliver(socket, parseIpv4(wapAddress)!, 5000 + nonce, bytes)
	}
	for (let n = 1; n <= 8; n++) {
		discovers(relay, 1 + n * 1000, 1000)
		access(n)
		assert.is(oneTurn(relay).radius, 1, `in turn ${n}`)
		assert.ok(waiting(relay) > 0)
	}
	access(9)
	assert.is(oneTurn(relay).radius, 1, 'also when nothing comes by DHCP')
})

test('an orderly stop leaves those that wait unanswered', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 1000)
	oneTurn(relay)
	await stopEngine(relay.engine, 'test')
	assert.ok(waiting(relay) > 0)
	relay.transport.sent.length = 0
	assert.equal(oneTurn(relay), { waitUs: undefined, told: [], radius: 0 })
	assert.is(relay.events().at(-1)!.type, 'RelayStopped')
})

test('after a failed write nobody who waits is told anything', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 1000)
	relay.journal.append = () => {
		throw new Error('the disk is full')
	}
	assert.equal(oneTurn(relay).told, [])
	assert.equal(oneTurn(relay), { waitUs: undefined, told: [], radius: 0 })
	assert.is(relay.failures.length, 1)
})

test('those that wait are answered by the configuration that is in force by then', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 600)
	assert.is(oneTurn(relay).told.length, 64)
	const excluded = 'ip dhcp-local excluded-address 10.0.0.0 10.0.200.255'
	assert.is(await relay.configure(`${standalone}${excluded}\n`), undefined)
	relay.transport.sent.length = 0
	const told = turnOut(relay)
	assert.equal(xids(told), range(65, 536))
	assert.ok(
		told.every(({ address }) => /^10\.0\.2\d\d\./.test(address)),
		told[0]!.address,
	)
})

test('a service that goes takes those with it that wait, and its socket closes', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 600)
	oneTurn(relay)
	assert.is(await relay.configure('no service dhcp-local\n'), undefined)
	relay.transport.sent.length = 0
	assert.is(relay.engine.dhcp.listener, undefined)
	assert.equal(oneTurn(relay), { waitUs: undefined, told: [], radius: 0 })
	assert.is(await relay.configure(standalone), undefined)
	assert.equal(turnOut(relay), [], 'they are not answered when it is back')
	assert.is(ask(relay, { type: 'discover', who: 999 })?.type, 'offer')
})

const external = `
ip dhcp-external server-address 10.1.0.67
ip dhcp-external interface eth0
service dhcp-external
`

test('an external server that takes the place of the local one is asked by those that wait', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 600)
	oneTurn(relay)
	assert.is(await relay.configure(external), undefined)
	relay.transport.sent.length = 0
	const passed = turnOut(relay)
	assert.equal(xids(passed), range(65, 536))
	assert.ok(passed.every(({ to, type }) => to === '10.1.0.67:67' && type === 'discover'))
})

test('what goes to an external server goes at once, in the order of arrival', async () => {
	const relay = await dhcpRelay(external)
	discovers(relay, 1, 100)
	arrive(relay, { type: 'request', who: 101, requested: '10.0.0.9', server: '10.1.0.67' })
	discovers(relay, 102, 50)
	assert.equal(xids(oneTurn(relay).told), range(1, 151))
	assert.is(relay.engine.dhcp.listener?.backlog, undefined)
})

test('DHCPDISCOVERs for nobody take no room from others', async () => {
	const relay = await dhcpRelay(`${standalone}ip dhcp-local interface eth0\n`)
	discovers(relay, 1, 200, 2)
	discovers(relay, 1001, 200, 3)
	discovers(relay, 2001, 100, 9)
	const told = turnOut(relay)
	assert.equal(xids(told), range(1, 200))
	discovers(relay, 3001, 200, 3)
	oneTurn(relay)
	assert.is(waiting(relay), 0)
})

test('a DHCPDISCOVER that is answered after its client has got an address changes nothing', async () => {
	const relay = await dhcpRelay()
	const request = taking(ask(relay, { type: 'discover', who: 1 }), 1)
	discovers(relay, 1, 1)
	arrive(relay, request)
	discovers(relay, 100, 200)
	const told = turnOut(relay).filter(({ packet }) => packet.xid === 1)
	assert.equal(
		told.map(({ type }) => type),
		['ack', 'offer'],
	)
	assert.is(told[0]!.address, told[1]!.address)
	const lease = leaseAt(routerState(relay.state, 'default').leases, told[0]!.packet.yiaddr)
	assert.is(lease?.status, 'bound')
})

test('a DHCPDISCOVER that is answered after its client has left leads to an offer that lapses', async () => {
	const relay = await dhcpRelay()
	const released = join(relay, { who: 1 })
	const declined = join(relay, { who: 2 })
	discovers(relay, 1, 2)
	const server = '10.0.0.1'
	arrive(relay, { type: 'release', who: 1, ciaddr: released.address, server, unicast: true })
	arrive(relay, { type: 'decline', who: 2, requested: declined.address, server })
	discovers(relay, 100, 200)
	const told = turnOut(relay).filter(({ packet }) => packet.xid <= 2)
	assert.equal(xids(told), [1, 2])
	assert.is.not(told[1]!.address, declined.address, 'not the one that he has declined')
	const { leases } = routerState(relay.state, 'default')
	assert.is(leaseAt(leases, told[0]!.packet.yiaddr)?.status, 'offered')
	assert.is(leaseAt(leases, declined.packet.yiaddr)?.status, 'declined')
	relay.pass(120_000)
	const again = ask(relay, { type: 'discover', who: 3, requested: told[0]!.address })
	assert.is(again?.address, told[0]!.address, 'whoever asks for it may have it')
})

test('a DHCPDISCOVER that waits twice is given one offer twice', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 100)
	discovers(relay, 1, 100)
	const told = turnOut(relay)
	assert.equal(xids(told), [...range(1, 100), ...range(1, 100)])
	assert.is(new Set(told.map(({ address }) => address)).size, 100)
	assert.is(ofType(relay, 'LeaseOffered').length, 100)
})

test('a malformed DHCPDISCOVER that waits is counted like any other', async () => {
	const relay = await dhcpRelay()
	const bad = dhcpMessage({ type: 'discover', xid: 7 })
	// An option that ends after the datagram.
	const cut = Uint8Array.of(...bad.slice(0, layout.options + 3), 12, 200, 1)
	for (let n = 0; n < 100; n++) queueDhcp(relay, cut)
	discovers(relay, 1, 10)
	assert.equal(xids(turnOut(relay)), range(1, 10))
	relay.pass(1000)
	let counted = 0
	for (const { data } of ofType(relay, 'DhcpDiscarded')) {
		assert.equal([data.message, data.reason], ['other', 'options'])
		counted += data.count
	}
	assert.is(counted, 100)
})

test('all that is known of a datagram is kept with it', () => {
	const batch: Received = {
		count: 2,
		buffers: [Uint8Array.of(9, 9, 9), Uint8Array.of(1, 2, 3)],
		lengths: Uint32Array.of(3, 2),
		addresses: Uint32Array.of(90, 4),
		ports: Uint16Array.of(91, 5),
		locals: Uint32Array.of(92, 6),
		destinations: Uint32Array.of(93, 7),
		interfaces: Uint32Array.of(94, 8),
	}
	const backlog = createBacklog()
	for (let n = 0; n < backlogLimit + 2; n++) {
		keepBehind(backlog, batch, 0)
		takeFirst(backlog)
	}
	keepBehind(backlog, batch, 1)
	batch.buffers[1]!.fill(0)
	assert.is(backlog.count, 1)
	const slot = takeFirst(backlog)
	const { buffers, lengths, addresses, ports, locals, destinations, interfaces } = backlog
	assert.equal([...buffers[slot]!.subarray(0, lengths[slot])], [1, 2])
	const lists = [addresses, ports, locals, destinations, interfaces]
	assert.equal(
		lists.map(list => list[slot]),
		[4, 5, 6, 7, 8],
	)
	assert.is(backlog.count, 0)
})

test('a glance knows DHCPDISCOVERs that fit', () => {
	const discover = dhcpMessage({ type: 'discover' })
	const glance = (bytes: Uint8Array) => isKeepable(bytes, bytes.length)
	assert.ok(glance(discover))
	for (const type of ['request', 'decline', 'release', 'inform', 'offer'] as const) {
		assert.not(glance(dhcpMessage({ type })), type)
	}
	const options53 = [53, 1, messageTypes.discover]
	const header = discover.slice(0, layout.options)
	assert.ok(glance(Uint8Array.of(...header, 0, 0, 12, 2, 53, 1, ...options53)), 'behind others')
	assert.not(glance(Uint8Array.of(...header, 255, ...options53)), 'behind the end')
	assert.not(glance(Uint8Array.of(...header, 53, 1)), 'cut off')
	assert.not(glance(header))
	assert.not(isKeepable(discover, 100), 'octets of the datagram before')
	const reply = discover.slice()
	reply[0] = operations.reply
	assert.not(glance(reply))
	const bootp = discover.slice()
	bootp[layout.cookie] = 0
	assert.not(glance(bootp))
	const long = new Uint8Array(slotOctets + 1)
	long.set(discover)
	assert.not(glance(long))
	assert.ok(isKeepable(long, slotOctets))
})

test('a glance and the decoder never part', () => {
	const header = dhcpMessage({ type: 'discover' }).slice(0, layout.options)
	const codes = fc.constantFrom(0, 0, 1, 2, 3, 12, 53, 53, 55, 255)
	fc.assert(
		fc.property(fc.array(codes, { maxLength: 40 }), tail => {
			const bytes = Uint8Array.of(...header, ...tail)
			const packet = decodeDhcp(bytes, bytes.length)
			if (typeof packet === 'string') return
			const isDiscover = packet.messageType === messageTypes.discover
			assert.is(isKeepable(bytes, bytes.length), isDiscover, tail.join(' '))
		}),
		{ numRuns: 2000 },
	)
})

test('a DHCPDISCOVER that fits no slot is answered at once', async () => {
	const relay = await dhcpRelay()
	discovers(relay, 1, 100)
	const filling = encodeOption(options.hostName, 'x'.repeat(250))
	const long = { type: 'discover', who: 500, options: Array(4).fill(filling) } as const
	const bytes = dhcpMessage({ ...long, xid: 500 })
	assert.ok(bytes.length > slotOctets)
	queueDhcp(relay, bytes)
	discovers(relay, 101, 100)
	assert.equal(xids(turnOut(relay)), [500, ...range(1, 200)])
})

test.run()
