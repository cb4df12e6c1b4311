/** The DHCP external server in the engine, from datagram to datagram, without a network. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { PassingDatagram } from '../adapters/dhcp/watch.ts'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { parseIpv4 } from '../domain/address.ts'
import { encodeOption, options } from '../domain/dhcp/option.ts'
import { type DhcpPacket, decodeDhcp, messageTypes } from '../domain/dhcp/packet.ts'
import { encodeDhcp, type ReplyContent, replyTo } from '../domain/dhcp/reply.ts'
import { leaseAt } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import type { DhcpSystem } from '../src/engine/dhcp-service.ts'
import { recoverState } from '../src/recover.ts'
import { type ClientMessage, deliverDhcp, dhcpMessage, machine, read } from './dhcp-client.ts'
import { ofType } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	type Left,
	oneServer,
	relayServers,
	type SimulatedRelay,
	simulatedRelay,
} from './simulated-relay.ts'
import { simulatedSrc } from './simulated-src.ts'
import { stateToJson } from './state-json.ts'

const ip = (text: string) => parseIpv4(text)!
const external = `
ip dhcp-external server-address 10.1.0.67
ip dhcp-external interface eth0
service dhcp-external
`
const server = '10.1.0.67'
const mac = '02-00-00-00-00-01'

type Watched = {
	deliver: ((datagram: PassingDatagram) => void) | undefined
	delivered: (() => void) | undefined
	closed: number
	lost: number
}

/** The simulated machine, with what it was asked to watch. */
function watchedMachine(): { system: DhcpSystem; watched: Watched } {
	const watched: Watched = { deliver: undefined, delivered: undefined, closed: 0, lost: 0 }
	const system: DhcpSystem = {
		...machine(),
		watch(deliver, delivered) {
			Object.assign(watched, { deliver, delivered })
			return {
				takeLost: () => watched.lost,
				close: () => void watched.closed++,
			}
		},
	}
	return { system, watched }
}

async function externalRelay(
	text = external,
	more: Parameters<typeof simulatedRelay>[1] = {},
): Promise<SimulatedRelay & { watched: Watched }> {
	const { system, watched } = watchedMachine()
	return { ...(await simulatedRelay(text, { dhcp: system, ...more })), watched }
}

function packetOf(bytes: Uint8Array): DhcpPacket {
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') throw new Error(packet)
	return packet
}

type Reply = Partial<ReplyContent> & { readonly lease?: number; readonly ciaddr?: string }

/** What the server makes of a request. */
function reply(
	type: 'offer' | 'ack' | 'nak',
	request: Uint8Array,
	yiaddr: string,
	{ lease = 600 }: Reply = {},
): Uint8Array {
	const target = new Uint8Array(1500)
	const list = [encodeOption(options.serverIdentifier, ip(server))]
	if (type !== 'nak') list.push(encodeOption(options.leaseTime, lease))
	const content = { messageType: messageTypes[type], yiaddr: ip(yiaddr), options: list }
	return target.slice(0, encodeDhcp(target, replyTo(packetOf(request), content)))
}

function fromServer(relay: SimulatedRelay, bytes: Uint8Array, source = server): Left[] {
	const socket = relay.engine.dhcp.listener!.socket
	const local = ip('10.0.0.1')
	const arrival = { interfaceIndex: 3, local, destination: local }
	relay.transport.deliver(socket, ip(source), 67, bytes, arrival)
	return relay.turn()
}

/** A message of the client that the relay passes on. */
function ask(relay: SimulatedRelay, message: ClientMessage): Left[] {
	return deliverDhcp(relay, dhcpMessage(message), message)
}

/** DISCOVER, OFFER, REQUEST, ACK; what the client is told in the end. */
function join(relay: SimulatedRelay, address = '10.0.0.20', more: Partial<ClientMessage> = {}) {
	const [discover] = ask(relay, { ...more, type: 'discover' })
	fromServer(relay, reply('offer', discover!.bytes, address))
	const [request] = ask(relay, { ...more, type: 'request', requested: address, server })
	const [ack] = fromServer(relay, reply('ack', request!.bytes, address))
	return read(ack!)
}

/** A datagram that is routed between client and server. */
function pass(
	relay: SimulatedRelay & { watched: Watched },
	from: string,
	to: string,
	bytes: Uint8Array,
) {
	relay.watched.deliver!({
		bytes,
		source: ip(from),
		destination: ip(to),
		destinationPort: to === server ? 67 : 68,
		interfaceIndex: to === server ? 2 : 3,
	})
	relay.watched.delivered!()
	return relay.turn()
}

function discards(relay: SimulatedRelay): Record<string, number> {
	relay.pass(1100)
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'DhcpDiscarded')) {
		assert.is(data.external, true)
		const key = `${data.message} ${data.reason}`
		counts[key] = (counts[key] ?? 0) + data.count
	}
	return counts
}

function forwarded(relay: SimulatedRelay): Record<string, number> {
	relay.pass(1100)
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'DhcpForwarded')) {
		const key = data.seen ? `${data.message} seen` : data.message
		counts[key] = (counts[key] ?? 0) + data.count
	}
	return counts
}

test('four messages: to the server with giaddr, back by broadcast on the client’s interface', async () => {
	const relay = await externalRelay()
	const [discover, ...none] = ask(relay, { type: 'discover' })
	assert.equal(none, [])
	assert.is(discover!.to, '10.1.0.67:67')
	const passed = packetOf(discover!.bytes)
	assert.equal([passed.giaddr, passed.hops], [ip('10.0.0.1'), 1])
	const bytes = reply('offer', discover!.bytes, '10.0.0.20')
	const [offer] = fromServer(relay, bytes)
	assert.equal([offer!.to, offer!.interfaceIndex], ['255.255.255.255:68', 2])
	assert.equal([...offer!.bytes], [...bytes], 'octet for octet')
	const ack = join(relay)
	assert.equal([ack.type, ack.address, ack.interfaceIndex], ['ack', '10.0.0.20', 2])
	const [observed] = ofType(relay, 'LeaseObserved')
	assert.is(observed!.stream, `subscriber-default.${mac}`)
	assert.equal(observed!.data, {
		mac,
		client: 'hw:01020000000001',
		address: '10.0.0.20',
		leaseSeconds: 600,
		expiresAt: observed!.at + 600_000,
		server,
		interface: 'eth0',
		giaddr: '10.0.0.1',
	})
	assert.equal(forwarded(relay), { discover: 2, offer: 2, request: 1, ack: 1 })
	assert.equal(ofType(relay, 'PoolSelected'), [])
})

test('the client is told of its address when that is on disk, and not before', async () => {
	const journal = openMemoryJournal({ appendFault: append => (append >= 1 ? 'lost' : undefined) })
	const relay = await externalRelay(external, { journal })
	const [request] = ask(relay, { type: 'request', requested: '10.0.0.20', server })
	assert.is(request!.to, '10.1.0.67:67', 'what is forwarded rests on nothing')
	assert.equal(fromServer(relay, reply('ack', request!.bytes, '10.0.0.20')), [])
	assert.is(relay.failures.length, 1)
})

test('every server is asked', async () => {
	const relay = await externalRelay(`ip dhcp-external server-address 10.1.0.68\n${external}`)
	const left = ask(relay, { type: 'discover' })
	assert.equal(left.map(({ to }) => to).sort(), ['10.1.0.67:67', '10.1.0.68:67'])
})

test('a renewal that passes by keeps the lease; without one it ends', async () => {
	const relay = await externalRelay()
	join(relay)
	relay.pass(400_000)
	const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	assert.equal(pass(relay, '10.0.0.20', server, request), [], 'it is on its way already')
	pass(relay, server, '10.0.0.20', reply('ack', request, '10.0.0.20'))
	const [, renewed] = ofType(relay, 'LeaseObserved')
	assert.is(renewed!.data.renewed, true)
	assert.equal([renewed!.data.interface, renewed!.data.giaddr], ['eth0', '10.0.0.1'])
	assert.equal(forwarded(relay)['ack seen'], 1)
	relay.pass(590_000)
	assert.equal(ofType(relay, 'LeaseExpired'), [])
	relay.pass(20_000)
	const [expired] = ofType(relay, 'LeaseExpired')
	assert.equal([expired!.data.address, expired!.data.pool], ['10.0.0.20', ''])
})

test('a refusal that passes by, or is passed on, ends the lease', async () => {
	for (const passing of [true, false]) {
		const relay = await externalRelay()
		join(relay)
		if (passing) {
			const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
			pass(relay, '10.0.0.20', server, request)
			pass(relay, server, '10.0.0.20', reply('nak', request, '0.0.0.0'))
		} else {
			const [request] = ask(relay, { type: 'request', requested: '10.0.0.20' })
			const [nak] = fromServer(relay, reply('nak', request!.bytes, '0.0.0.0'))
			assert.equal([nak!.to, nak!.interfaceIndex], ['255.255.255.255:68', 2])
		}
		assert.is(ofType(relay, 'LeaseRefused')[0]!.data.address, '10.0.0.20')
		assert.is(ofType(relay, 'LeaseReleased')[0]!.data.cause, 'server')
	}
})

test('a refused renewal that nobody hears ends with the rebinding, which comes through the relay', async () => {
	const relay = await externalRelay()
	join(relay)
	const renewal = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	pass(relay, '10.0.0.20', server, renewal)
	// RFC 2131 §4.3.2: giaddr is 0, so it is broadcast on the server's link, where the client is not.
	pass(relay, server, '255.255.255.255', reply('nak', renewal, '0.0.0.0'))
	const { leases } = routerState(relay.state, 'default')
	assert.is(leaseAt(leases, ip('10.0.0.20'))!.status, 'bound', 'the client goes on, too')
	const [rebinding] = ask(relay, { xid: 9, type: 'request', ciaddr: '10.0.0.20' })
	assert.is(packetOf(rebinding!.bytes).giaddr, ip('10.0.0.1'))
	assert.is(fromServer(relay, reply('nak', rebinding!.bytes, '0.0.0.0')).length, 1)
	assert.is(ofType(relay, 'LeaseReleased')[0]!.data.cause, 'server')
	// A client that rebinds in vain, or does not, has its address until the lease is over.
	const alone = await externalRelay()
	join(alone)
	pass(alone, server, '255.255.255.255', reply('nak', renewal, '0.0.0.0'))
	alone.pass(610_000)
	assert.is(ofType(alone, 'LeaseExpired').length, 1)
})

test('a lease counts from the request, the first transmission of it', async () => {
	const relay = await externalRelay()
	const [request] = ask(relay, { type: 'request', requested: '10.0.0.20', server })
	relay.pass(4000)
	ask(relay, { type: 'request', requested: '10.0.0.20', server })
	relay.pass(3000)
	fromServer(relay, reply('ack', request!.bytes, '10.0.0.20', { lease: 10 }))
	const [observed] = ofType(relay, 'LeaseObserved')
	assert.is(observed!.data.expiresAt, observed!.at + 3000)
	// An answer that took longer than the lease lasts gives a lease that is over.
	const late = await externalRelay()
	const [slow] = ask(late, { type: 'request', requested: '10.0.0.20', server })
	late.pass(60_000)
	fromServer(late, reply('ack', slow!.bytes, '10.0.0.20', { lease: 10 }))
	late.pass(10_000)
	assert.is(ofType(late, 'LeaseExpired').length, 1)
})

test('a release that passes by ends the lease', async () => {
	const relay = await externalRelay()
	join(relay)
	pass(relay, '10.0.0.20', server, dhcpMessage({ type: 'release', ciaddr: '10.0.0.20', server }))
	assert.is(ofType(relay, 'LeaseReleased')[0]!.data.cause, 'client')
})

test('answers to nothing that was asked, and servers that nobody named, are not believed', async () => {
	const relay = await externalRelay()
	const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	pass(relay, server, '10.0.0.20', reply('ack', request, '10.0.0.20'))
	pass(relay, '10.1.0.99', '10.0.0.20', reply('ack', request, '10.0.0.20'))
	const [forward] = ask(relay, { type: 'request', requested: '10.0.0.20', server })
	const ack = reply('ack', forward!.bytes, '10.0.0.20')
	assert.equal(fromServer(relay, ack, '10.1.0.99'), [])
	assert.equal(fromServer(relay, ack.with(27, 9)), [], 'giaddr of nobody')
	// Another transaction's answer says nothing of what passes by.
	pass(relay, server, '10.0.0.20', reply('ack', request.with(7, 0), '10.0.0.20'))
	assert.equal(ofType(relay, 'LeaseObserved'), [])
	assert.equal(discards(relay), {
		'other unmatched': 2,
		'other server-unknown': 1,
		'other giaddr-unknown': 1,
	})
})

test('DHCP that is none of ours passes unnoticed', async () => {
	const relay = await externalRelay()
	const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	pass(relay, '10.0.0.20', '192.0.2.9', request)
	relay.watched.deliver!({
		bytes: Uint8Array.of(1, 2, 3),
		...{ source: 1, destination: 2, destinationPort: 67, interfaceIndex: 2 },
	})
	relay.watched.delivered!()
	assert.equal([forwarded(relay), discards(relay)], [{}, {}])
})

test('what a relay agent does not pass on is counted', async () => {
	const relay = await externalRelay()
	const circles = dhcpMessage({ type: 'discover' }).with(3, 200)
	assert.equal(deliverDhcp(relay, circles), [])
	assert.equal(ask(relay, { type: 'discover', information: [1, 1, 1] }), [])
	assert.equal(ask(relay, { type: 'discover', giaddr: '10.0.0.1' }), [])
	assert.equal(deliverDhcp(relay, circles.slice(0, 100)), [])
	assert.equal(discards(relay), {
		'discover hops': 1,
		'discover untrusted-information': 1,
		'discover giaddr-own': 1,
		'other short': 1,
	})
})

test('behind another relay agent its giaddr and option 82 stay', async () => {
	const relay = await externalRelay()
	const information = [1, 2, 9, 9]
	const [discover] = ask(relay, { type: 'discover', giaddr: '10.5.0.1', information })
	const sent = dhcpMessage({ type: 'discover', giaddr: '10.5.0.1', information })
	assert.equal([...discover!.bytes], [...sent.with(3, 1)])
	// Its answer goes to that agent, past the relay.
	const [request] = ask(relay, {
		type: 'request',
		giaddr: '10.5.0.1',
		requested: '10.5.0.9',
		server,
	})
	pass(relay, server, '10.5.0.1', reply('ack', request!.bytes, '10.5.0.9'))
	const { data } = ofType(relay, 'LeaseObserved')[0]!
	assert.equal([data.giaddr, data.interface], ['10.5.0.1', 'eth0'])
})

test('without a server nothing is passed on; other interfaces are not asked for', async () => {
	const relay = await externalRelay('ip dhcp-external interface eth0\nservice dhcp-external')
	assert.equal(ask(relay, { type: 'discover' }), [])
	assert.equal(ask(relay, { type: 'discover', interfaceIndex: 3 }), [])
	assert.equal(discards(relay), { 'discover no-server': 1 })
})

test('a client that has an address is answered there', async () => {
	const relay = await externalRelay()
	const [request] = ask(relay, { type: 'request', ciaddr: '10.0.0.20' })
	const [ack] = fromServer(relay, reply('ack', request!.bytes, '10.0.0.20'))
	assert.equal([ack!.to, ack!.interfaceIndex], ['10.0.0.20:68', 2])
	const everybody = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' }).with(10, 0x80)
	const [again] = deliverDhcp(relay, everybody)
	assert.is(fromServer(relay, reply('ack', again!.bytes, '10.0.0.20'))[0]!.to, '255.255.255.255:68')
})

test('the lease of an authenticated subscriber ends with the session', async () => {
	const relay = await externalRelay(`${oneServer}${relayServers}${external}`)
	const [login] = relay.fromWap(accessRequest())
	relay.fromHome(login!, answerPacket(login!.bytes, { code: 2 }))
	join(relay)
	assert.is(ofType(relay, 'LeaseObserved')[0]!.data.session, true)
	const [stop] = relay.fromWap(accountingRequest('stop'))
	relay.fromHome(stop!, answerPacket(stop!.bytes, { code: 5 }))
	assert.is(ofType(relay, 'LeaseReleased')[0]!.data.cause, 'session')
})

test('SRC is told of address and interface, and asked for nothing', async () => {
	const src = simulatedSrc()
	const sscc = 'sscc primary address 10.10.2.2\nsscc enable\n'
	const relay = await externalRelay(`${external}${sscc}`, { openSrc: src.openSrc })
	join(relay)
	relay.pass(100)
	const report = src.next('address')
	const { macAddress, ipAddress, interfaceName, giaddr, event, leaseTime } = report.body
	assert.equal([macAddress, ipAddress, interfaceName], [mac, '10.0.0.20', 'eth0'])
	assert.equal([giaddr, event, leaseTime], ['10.0.0.1', 'ADDR', 600])
	assert.is(report.body.poolName, undefined)
	await report.answer({ sessionId: 's1' })
	assert.is(ofType(relay, 'SrcSessionOpened')[0]!.data.session, 's1')
	const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	pass(relay, '10.0.0.20', server, request)
	pass(relay, server, '10.0.0.20', reply('ack', request, '10.0.0.20'))
	relay.pass(100)
	assert.equal(src.open, [], 'a renewal is nothing new')
	relay.pass(610_000)
	assert.is(src.next('delete').body.cause, 'Lost-Carrier')
	assert.equal(ofType(relay, 'PoolRequested'), [])
})

test('a restart keeps the lease and what it is for', async () => {
	const relay = await externalRelay()
	join(relay)
	relay.pass(100)
	const folded = recoverState(relay.journal, relay.journal, () => {})
	assert.equal(stateToJson(folded), stateToJson(relay.state))
	const again = await externalRelay(external, { journal: relay.journal, state: folded })
	const request = dhcpMessage({ type: 'request', ciaddr: '10.0.0.20' })
	pass(again, '10.0.0.20', server, request)
	pass(again, server, '10.0.0.20', reply('ack', request, '10.0.0.20'))
	assert.is(ofType(again, 'LeaseObserved').at(-1)!.data.renewed, true)
	again.pass(605_000)
	assert.is(ofType(again, 'LeaseExpired').length, 1)
})

test('watching ends with the service, and with it the shadows', async () => {
	const relay = await externalRelay()
	join(relay)
	assert.is(await relay.configure(external.replace('service', 'no service')), undefined)
	assert.is(relay.watched.closed, 1)
	assert.is(relay.engine.dhcp.listener, undefined)
	assert.is(ofType(relay, 'LeaseReleased')[0]!.data.cause, 'operator')
})

test('a machine that does not let the relay watch refuses the service, and says so', async () => {
	const refusing = {
		...machine(),
		watch: () => {
			throw new Error('it needs CAP_NET_RAW')
		},
	}
	const relay = await simulatedRelay('', { dhcp: refusing })
	const refused = await relay.configure(external)
	assert.is(refused, 'The DHCP external server cannot be watched: it needs CAP_NET_RAW.')
	assert.is(relay.engine.dhcp.listener, undefined)
	assert.equal([...relay.transport.sockets.keys()], [])
})

test('a change that is refused later on leaves nothing watched', async () => {
	const { openSrc } = simulatedSrc('no rules')
	const relay = await externalRelay('', { openSrc })
	assert.is(await relay.configure(`${external}sscc local rules x\nsscc enable\n`), 'no rules')
	assert.is(relay.watched.closed, 1)
	assert.is(relay.engine.dhcp.watch, undefined)
	assert.is(await relay.configure(external), undefined)
	assert.is(await relay.configure(`${external}sscc local rules x\nsscc enable\n`), 'no rules')
	assert.is(relay.watched.closed, 1)
})

test('what the watch loses is counted', async () => {
	const relay = await externalRelay()
	relay.watched.lost = 5
	relay.pass(1100)
	relay.watched.lost = 0
	assert.is(discards(relay)['other watch-full']! % 5, 0)
})

test('the first answer to a request counts: what comes late or doubled takes no address from anybody', async () => {
	const relay = await externalRelay()
	const alice = { who: 1, xid: 1, type: 'request', requested: '10.0.0.20', server } as const
	const [request] = ask(relay, alice)
	const ack = reply('ack', request!.bytes, '10.0.0.20')
	assert.is(fromServer(relay, ack).length, 1)
	assert.equal(fromServer(relay, ack), [], 'doubled')
	assert.equal(fromServer(relay, reply('nak', request!.bytes, '0.0.0.0')), [], 'another opinion')
	const release = dhcpMessage({ who: 1, xid: 2, type: 'release', ciaddr: '10.0.0.20', server })
	pass(relay, '10.0.0.20', server, release)
	const [next] = ask(relay, { ...alice, who: 2, xid: 3 })
	assert.is(fromServer(relay, reply('ack', next!.bytes, '10.0.0.20')).length, 1)
	assert.equal(fromServer(relay, ack), [], 'late: the address is somebody else’s by now')
	pass(relay, server, '10.0.0.20', ack)
	const { leases } = routerState(relay.state, 'default')
	assert.is(leaseAt(leases, ip('10.0.0.20'))!.mac, '02-00-00-00-00-02')
	assert.is(ofType(relay, 'LeaseObserved').length, 2)
	assert.equal(discards(relay), {
		'ack repeated': 1,
		'nak repeated': 1,
		'ack unmatched': 1,
		'other unmatched': 1,
	})
})

test('a request that is repeated may be answered again, and two clients of a MAC have their own', async () => {
	const relay = await externalRelay()
	const identified = (n: number) => ({
		...({ type: 'request', xid: n, requested: `10.0.0.2${n}`, server } as const),
		options: [encodeOption(options.clientIdentifier, Uint8Array.of(0, n))],
	})
	const [first] = ask(relay, identified(1))
	const [second] = ask(relay, identified(2))
	for (const [n, { bytes }] of [first!, second!].entries()) {
		assert.is(fromServer(relay, reply('ack', bytes, `10.0.0.2${n + 1}`)).length, 1)
	}
	const [again] = ask(relay, identified(1))
	assert.is(fromServer(relay, reply('ack', again!.bytes, '10.0.0.21')).length, 1)
	assert.equal(discards(relay), {})
})

test('a flood of refusals is recorded up to a limit, and counted beyond it', async () => {
	const relay = await externalRelay()
	let told = 0
	for (let n = 0; n < 150; n++) {
		const [request] = ask(relay, { type: 'request', requested: '10.0.0.20' })
		told += fromServer(relay, reply('nak', request!.bytes, '0.0.0.0')).length
	}
	assert.is(told, 150)
	assert.is(ofType(relay, 'LeaseRefused').length, 100)
	assert.is(discards(relay)['other refusal-limit'], 50)
})

test('a local and an external server, in two virtual routers, each have their interfaces', async () => {
	const relay = await externalRelay(`${external}
virtual-router cable
service dhcp-local standalone
ip dhcp-local pool cable
 network 10.1.0.0 255.255.255.0
exit
`)
	assert.is(ask(relay, { type: 'discover' })[0]!.to, '10.1.0.67:67')
	const [offer] = ask(relay, { type: 'discover', interfaceIndex: 3 })
	assert.is(read(offer!).type, 'offer')
})

test.run()
