/** The DHCP local server in the engine, from datagram to datagram, without a network. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { encodeOption, optionOf, options } from '../domain/dhcp/option.ts'
import { optionCodes, readOctets, readOption } from '../domain/dhcp/packet.ts'
import { leaseAt } from '../domain/lease-state.ts'
import { initialState, routerState } from '../domain/state.ts'
import { stopEngine } from '../src/engine/stop.ts'
import { recoverState } from '../src/recover.ts'
import {
	ask,
	type ClientMessage,
	deliverDhcp,
	dhcpMessage,
	join,
	machine,
	read,
} from './dhcp-client.ts'
import { ofType, settled } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	handTurnedClock,
	oneServer,
	relayServers,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	u32,
} from './simulated-relay.ts'
import { stateToJson } from './state-json.ts'

const pools = `
ip dhcp-local pool near
 network 10.0.0.0 255.255.255.0
 default-router 10.0.0.1
 dns-server 192.0.2.53
 domain-name example.org
 netbios-name-server 192.0.2.44
 lease 0 1
exit
ip dhcp-local pool far
 network 10.2.0.0 255.255.255.0
 default-router 10.2.0.1
 lease 0 1
exit
`
const standalone = `service dhcp-local standalone\n${pools}`
const equalAccess = `${oneServer}${relayServers}service dhcp-local equal-access\n${pools}`

function dhcpRelay(text = standalone, more: Parameters<typeof simulatedRelay>[1] = {}) {
	return simulatedRelay(text, { dhcp: machine(), ...more })
}

/** Options of a reply as text, by code. */
function optionsOf(packet: NonNullable<ReturnType<typeof ask>>['packet']): Record<number, string> {
	const text: Record<number, string> = {}
	for (const code of optionCodes(packet)) {
		const value = readOption(packet, optionOf(code))
		text[code] = optionOf(code).codec.format(value)
	}
	return text
}

/** Discards recorded so far, by message and reason. */
function discards(relay: SimulatedRelay): Record<string, number> {
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'DhcpDiscarded')) {
		const key = `${data.message} ${data.reason}`
		counts[key] = (counts[key] ?? 0) + data.count
	}
	return counts
}

const vsa = (type: number, value: Uint8Array | number[]): TestAttribute => [
	26,
	[0, 0, 0x13, 0x0a, type, value.length + 2, ...value],
]

function login(relay: SimulatedRelay, attributes: TestAttribute[] = []): void {
	const [forwarded] = relay.fromWap(accessRequest())
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2, attributes }))
}

test('four messages: a broadcast on the right interface, with the options of the pool', async () => {
	const relay = await dhcpRelay()
	const offer = ask(relay, { type: 'discover' })!
	assert.equal([offer.type, offer.address], ['offer', '10.0.0.2'])
	assert.equal([offer.to, offer.interfaceIndex], ['255.255.255.255:68', 2])
	assert.equal(optionsOf(offer.packet), {
		1: '255.255.255.0',
		3: '10.0.0.1',
		6: '192.0.2.53',
		15: 'example.org',
		28: '10.0.0.255',
		44: '192.0.2.44',
		46: '8',
		51: '3600',
		53: '2',
		54: '10.0.0.1',
		58: '1800',
		59: '3150',
	})
	const ack = ask(relay, { type: 'request', requested: '10.0.0.2', server: '10.0.0.1' })!
	assert.equal([ack.type, ack.address], ['ack', '10.0.0.2'])
	const { data, stream } = ofType(relay, 'LeaseGranted')[0]!
	assert.is(stream, 'subscriber-default.02-00-00-00-00-01')
	assert.equal([data.interface, data.giaddr], ['eth0', undefined])
})

test('an interface with several addresses: the pool of any of them, and that one answers', async () => {
	const addresses = ['192.0.2.1', '10.0.0.1'].map(text => parseIpv4(text)!)
	const system = { ...machine(), interfaces: () => [{ index: 2, name: 'eth0', addresses }] }
	const relay = await dhcpRelay(standalone, { dhcp: system })
	const bytes = dhcpMessage({ type: 'discover' })
	const socket = relay.engine.dhcp.listener!.socket
	const to = { interfaceIndex: 2, local: parseIpv4('192.0.2.1')!, destination: 0xffff_ffff }
	relay.transport.deliver(socket, 0, 68, bytes, to)
	const offer = read(relay.turn()[0]!)
	assert.equal(
		[offer.type, offer.address, optionsOf(offer.packet)[54]],
		['offer', '10.0.0.2', '10.0.0.1'],
	)
	const ack = ask(relay, { type: 'request', requested: '10.0.0.2', server: '10.0.0.1' })!
	assert.is(ack.type, 'ack')
})

test('a client gets what it asks for, and the mask in any case', async () => {
	const relay = await dhcpRelay()
	const wanted = encodeOption(options.parameterRequestList, [6, 99])
	const offer = ask(relay, { type: 'discover', options: [wanted] })!
	assert.equal(optionCodes(offer.packet), [1, 6, 51, 53, 54, 58, 59])
})

test('options come in the order in which the client asks, the mask before them', async () => {
	const relay = await dhcpRelay(equalAccess)
	login(relay, [vsa(55, [42, 4, 192, 0, 2, 7, 43, 1, 9])])
	const wanted = encodeOption(options.parameterRequestList, [42, 15, 3, 15, 6, 1])
	const { packet } = ask(relay, { type: 'discover', options: [wanted] })!
	assert.not.ok(packet.repeats)
	const place = (code: number) => packet.offsets[code]!
	const codes = [1, 42, 15, 3, 6, 43]
	assert.ok(codes.every(place))
	assert.equal(
		codes.toSorted((a, b) => place(a) - place(b)),
		codes,
	)
})

test('nothing is told that is not on disk', async () => {
	const journal = openMemoryJournal({ appendFault: append => (append >= 2 ? 'lost' : undefined) })
	const relay = await dhcpRelay(standalone, { journal })
	assert.is(ask(relay, { type: 'discover' })!.type, 'offer')
	const left = deliverDhcp(
		relay,
		dhcpMessage({ type: 'request', requested: '10.0.0.2', server: '10.0.0.1' }),
	)
	assert.equal(left, [])
	assert.is(relay.failures.length, 1)
})

test('a renewal is answered to the address itself, a refusal to everybody on the interface', async () => {
	const relay = await dhcpRelay()
	join(relay)
	const renewed = ask(relay, { type: 'request', ciaddr: '10.0.0.2', unicast: true })!
	assert.equal([renewed.type, renewed.to], ['ack', '10.0.0.2:68'])
	const refused = ask(relay, { type: 'request', who: 2, ciaddr: '10.0.0.2', unicast: true })!
	assert.equal([refused.type, refused.to], ['nak', '255.255.255.255:68'])
	assert.is(refused.interfaceIndex, 2)
	assert.equal(optionsOf(refused.packet)[56], 'You do not have that address.')
})

test('who has moved to another interface is refused there, asked from everybody or from the server', async () => {
	const relay = await dhcpRelay()
	join(relay)
	for (const unicast of [true, false]) {
		const asked = { type: 'request', ciaddr: '10.0.0.2', unicast, interfaceIndex: 3 } as const
		const refused = ask(relay, asked)!
		assert.equal([refused.type, refused.to], ['nak', '255.255.255.255:68'])
		assert.is(refused.interfaceIndex, 3)
	}
	assert.equal(
		ofType(relay, 'LeaseRefused').map(({ data }) => data.reason),
		['other-interface', 'other-interface'],
	)
})

test('through a relay agent: the pool by giaddr, option 82 comes back, last of all', async () => {
	const relay = await dhcpRelay()
	const information = [1, 4, 1, 2, 3, 4, 2, 2, 9, 9]
	const far = { giaddr: '10.2.0.1', information, interfaceIndex: 3 }
	const offer = ask(relay, { type: 'discover', ...far })!
	assert.equal([offer.address, offer.to], ['10.2.0.2', '10.2.0.1:67'])
	assert.equal([...readOctets(offer.packet, options.relayAgentInformation)!], information)
	const { bytes, length, offsets } = offer.packet
	const end = offsets[82]! + 2 + information.length
	assert.is(bytes[end], 255, 'nothing but End behind it')
	assert.ok(bytes.subarray(end + 1, length).every(octet => octet === 0))
	assert.is(join(relay, far).address, '10.2.0.2')
	const renewed = ask(relay, {
		...{ type: 'request', ciaddr: '10.2.0.2', unicast: true, interfaceIndex: 3 },
	})!
	assert.equal([renewed.type, renewed.to], ['ack', '10.2.0.2:68'])
	await relay.configure(`${standalone}ip dhcp-local excluded-address 10.2.0.2\n`)
	const refused = ask(relay, {
		...{ type: 'request', ciaddr: '10.2.0.2', unicast: true, interfaceIndex: 3 },
	})!
	assert.equal(
		[refused.type, refused.to],
		['nak', '10.2.0.2:68'],
		'a broadcast would not get there',
	)
})

test('link selection and server identifier override of a relay agent (RFC 3527, RFC 5107)', async () => {
	const relay = await dhcpRelay()
	const information = [5, 4, 10, 2, 0, 0, 11, 4, 10, 9, 9, 9]
	const ack = join(relay, { giaddr: '10.77.0.1', information })
	assert.is(ack.address, '10.2.0.2')
	assert.is(optionsOf(ack.packet)[54], '10.9.9.9')
})

test('what only a relay agent may say is not believed from a client', async () => {
	const relay = await dhcpRelay()
	const information = [5, 4, 10, 2, 0, 0, 11, 4, 10, 9, 9, 9]
	const ack = join(relay, { information })
	assert.equal([ack.address, optionsOf(ack.packet)[54]], ['10.0.0.2', '10.0.0.1'])
})

test('of a host name as much is kept as one can be long', async () => {
	const relay = await dhcpRelay()
	join(relay, { options: [encodeOption(options.hostName, 'h'.repeat(200))] })
	assert.is(ofType(relay, 'LeaseGranted')[0]!.data.hostname, 'h'.repeat(63))
})

test('equal access: what RADIUS said about the subscriber reaches the client', async () => {
	const relay = await dhcpRelay(equalAccess)
	assert.is(ask(relay, { type: 'discover' }), undefined)
	login(relay, [
		[8, [10, 2, 0, 9]],
		[9, [255, 255, 0, 0]],
		[27, u32(600)],
		vsa(4, [192, 0, 2, 1]),
		vsa(5, [192, 0, 2, 2]),
		vsa(6, [192, 0, 2, 3]),
		vsa(55, [42, 4, 192, 0, 2, 7, 15, 3]),
		vsa(55, [97, 98, 99]),
	])
	const ack = join(relay)
	assert.is(ack.address, '10.2.0.9')
	const told = optionsOf(ack.packet)
	assert.equal(
		[told[1], told[6], told[15], told[42], told[44], told[51]],
		['255.255.0.0', '192.0.2.1, 192.0.2.2', 'abc', '192.0.2.7', '192.0.2.3', '600'],
	)
	assert.is(told[28], '10.2.255.255', 'the broadcast address of that mask')
	relay.pass(1100)
	assert.is(discards(relay)['discover no-session'], 1)
	assert.is(ofType(relay, 'LeaseGranted')[0]!.data.session, true)
})

test('raw options that are none are left out', async () => {
	const relay = await dhcpRelay(equalAccess)
	login(relay, [vsa(55, [51, 4, 0, 0, 0, 1])])
	assert.is(optionsOf(join(relay).packet)[51], '3600')
	assert.is(ofType(relay, 'AccessAccepted')[0]!.data.dhcpOptions, undefined)
	login(relay, [vsa(55, [42, 9, 0])])
	assert.equal(relay.warnings, [
		'DHCP-Options [26-55] of 192.0.2.1 are left out, which must be mended there: option 51 (lease-time) cannot be set from outside: leave it out.',
	])
})

test('the log tells when a pool fills up, and when there is room again', async () => {
	const small = 'ip dhcp-local pool near\n network 10.0.0.0 255.255.255.248\n lease 0 0 1\nexit\n'
	const relay = await dhcpRelay(`service dhcp-local standalone\n${small}`)
	for (const who of [1, 2, 3, 4]) join(relay, { who })
	relay.pass(1100)
	assert.equal(relay.warnings, [])
	join(relay, { who: 5 })
	relay.pass(1100)
	const high = ['The pool near has 5 of its 5 addresses in use; it warns from 85 % on.']
	assert.equal(relay.warnings, high)
	relay.pass(100_000)
	assert.equal(relay.warnings, high, 'that it is over is no warning')
})

test('raw options and masks that are not for a server to tell change nothing', async () => {
	const relay = await dhcpRelay(equalAccess)
	login(relay, [[9, [255, 0, 255, 0]], vsa(55, [58, 4, 0, 0, 0, 9, 59, 4, 0, 0, 0, 9, 43, 1, 7])])
	const { packet } = join(relay)
	const told = optionsOf(packet)
	assert.equal([told[1], told[28]], ['255.255.255.0', '10.0.0.255'])
	assert.equal([told[58], told[59], told[43]], ['1800', '3150', '0x07'])
	assert.not.ok(packet.repeats, 'each option once')
})

test('the end of a session gives its address back, in the same commit', async () => {
	const relay = await dhcpRelay(equalAccess)
	login(relay)
	const { address } = join(relay)
	const [forwarded] = relay.fromWap(accountingRequest('stop'))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
	const events = relay.events()
	const at = events.findIndex(({ type }) => type === 'SubscriberTerminated')
	const next = events[at + 1]!
	assert.is(next.type, 'LeaseReleased')
	assert.is(next.type === 'LeaseReleased' && next.data.cause, 'session')
	const refused = ask(relay, { type: 'request', ciaddr: address, unicast: true })!
	assert.is(refused.type, 'nak')
})

test('a restart forgets no lease, and the clock that was set meanwhile ends none', async () => {
	const before = await dhcpRelay()
	const { address } = join(before)
	const journal = before.journal.restart()
	const state = recoverState(journal, journal, () => {})
	const relay = await dhcpRelay(standalone, { journal, state })
	assert.equal(stateToJson(state), stateToJson(relay.state))
	assert.is(ask(relay, { type: 'discover', who: 2, requested: address })!.address, '10.0.0.3')
	relay.setClock(10 * 86_400_000)
	relay.pass(10_000)
	assert.is(ofType(relay, 'LeaseExpired').length, 0)
	assert.is(ofType(relay, 'ClockStepped').length, 1)
	assert.is(ask(relay, { type: 'request', ciaddr: address, unicast: true })!.type, 'ack')
	const [renewed] = ofType(relay, 'LeaseRenewed')
	assert.is(renewed!.data.expiresAt, renewed!.at + 3_600_000, 'events have the wall clock')
	const folded = recoverState(relay.journal, relay.journal, () => {})
	assert.equal(stateToJson(folded), stateToJson(relay.state))
})

test('a lease for ever is told as such, without times for its renewal', async () => {
	const relay = await dhcpRelay(standalone.replaceAll('lease 0 1', 'lease infinite'))
	const told = optionsOf(join(relay).packet)
	assert.equal([told[51], told[58], told[59]], ['4294967295', undefined, undefined])
})

test('leases end when their time is over', async () => {
	const relay = await dhcpRelay(standalone.replaceAll('lease 0 1', 'lease 0 0 1'))
	const { address } = join(relay)
	relay.pass(58_000)
	assert.is(ofType(relay, 'LeaseExpired').length, 0)
	relay.pass(12_000)
	assert.is(ofType(relay, 'LeaseExpired')[0]!.data.address, address)
})

test('an address that answers a ping is declined, and another one offered', async () => {
	const pinged: string[] = []
	const dhcp = machine(async address => {
		pinged.push(formatIpv4(address))
		return pinged.length === 1
	})
	const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
	assert.is(ask(relay, { type: 'discover' }), undefined, 'not before the answer')
	assert.is(ask(relay, { type: 'discover' }), undefined, 'nor when it repeats itself')
	await settled()
	const [left] = relay.turn()
	assert.equal(pinged, ['10.0.0.2', '10.0.0.3'])
	const offer = read(left!)
	assert.equal([offer.type, offer.address, offer.to], ['offer', '10.0.0.3', '255.255.255.255:68'])
	const [declined] = ofType(relay, 'LeaseDeclined')
	assert.equal([declined!.data.address, declined!.data.ping], ['10.0.0.2', true])
	relay.pass(1100)
	assert.is(discards(relay)['discover waiting'], 1)
})

test('two clients whose addresses are pinged at once get different ones', async () => {
	const answers: ((answered: boolean) => void)[] = []
	const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
	const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
	ask(relay, { type: 'discover', who: 1 })
	ask(relay, { type: 'discover', who: 2 })
	for (const resolve of answers) resolve(false)
	await settled()
	const offered = relay.turn().map(left => read(left).address)
	assert.equal(offered, ['10.0.0.2', '10.0.0.3'])
})

test('an address that is pinged for one client is not given back to its last holder meanwhile', async () => {
	const answers: ((answered: boolean) => void)[] = []
	const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
	const relay = await dhcpRelay(standalone, { dhcp })
	assert.is(join(relay, { who: 1 }).address, '10.0.0.2')
	ask(relay, { type: 'release', who: 1, ciaddr: '10.0.0.2', unicast: true })
	await relay.configure(`${standalone}ip dhcp-local ping\n`)
	ask(relay, { type: 'discover', who: 2, requested: '10.0.0.2' })
	assert.is(answers.length, 1)
	assert.is(ask(relay, { type: 'request', who: 1, requested: '10.0.0.2' })!.type, 'nak')
	answers[0]!(false)
	await settled()
	assert.is(read(relay.turn()[0]!).address, '10.0.0.2')
})

test('256 addresses are pinged at once at most; who comes then asks again', async () => {
	const answers: ((answered: boolean) => void)[] = []
	const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
	const wide = standalone.replace('10.0.0.0 255.255.255.0', '10.0.0.0 255.255.252.0')
	const relay = await simulatedRelay(`${wide}ip dhcp-local ping\n`, { dhcp })
	for (let who = 0; who < 256; who++) ask(relay, { type: 'discover', who })
	assert.is(answers.length, 256)
	const late = dhcpMessage({ type: 'discover' })
	late[32] = 1
	assert.equal(deliverDhcp(relay, late), [])
	assert.is(answers.length, 256)
	relay.pass(1100)
	assert.is(discards(relay)['discover ping-limit'], 1)
	answers[0]!(false)
	await settled()
	assert.is(read(relay.turn()[0]!).address, '10.0.0.2')
	deliverDhcp(relay, late)
	assert.is(answers.length, 257, 'there is room again')
})

test("a ping's end changes nothing where the service that sent it has ended or begun anew", async () => {
	for (const after of ['', standalone]) {
		for (const answered of [false, true]) {
			const answers: ((answered: boolean) => void)[] = []
			const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
			const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
			ask(relay, { type: 'discover' })
			await relay.configure('')
			if (after !== '') await relay.configure(after)
			answers[0]!(answered)
			await settled()
			assert.equal(relay.turn(), [])
			assert.equal(ofType(relay, 'LeaseDeclined'), [])
			assert.equal(ofType(relay, 'LeaseOffered'), [])
		}
	}
})

test('an address whose pool went while it was pinged is not declined, and not offered', async () => {
	const answers: ((answered: boolean) => void)[] = []
	const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
	const pinging = `${standalone}ip dhcp-local ping\n`
	for (const answered of [true, false]) {
		const relay = await simulatedRelay(pinging, { dhcp })
		ask(relay, { type: 'discover' })
		await relay.configure(pinging.replaceAll('10.0.0.', '10.9.0.'))
		answers.pop()!(answered)
		await settled()
		assert.equal(relay.turn(), [])
		assert.equal([...ofType(relay, 'LeaseDeclined'), ...ofType(relay, 'LeaseOffered')], [])
	}
})

test('an address that its last holder declines while it is pinged is declined once, and not offered', async () => {
	for (const answered of [true, false]) {
		const answers: ((answered: boolean) => void)[] = []
		const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
		const relay = await dhcpRelay(standalone, { dhcp })
		assert.is(ask(relay, { type: 'discover', who: 1 })!.address, '10.0.0.2')
		relay.pass(61_000)
		await relay.configure(`${standalone}ip dhcp-local ping\n`)
		ask(relay, { type: 'discover', who: 2, requested: '10.0.0.2' })
		ask(relay, { type: 'decline', who: 1, requested: '10.0.0.2' })
		answers[0]!(answered)
		await settled()
		assert.equal(relay.turn(), [], 'another one is pinged')
		assert.equal(
			ofType(relay, 'LeaseDeclined').map(({ data }) => [data.mac, data.ping]),
			[['02-00-00-00-00-01', undefined]],
		)
		answers[1]!(false)
		await settled()
		assert.is(read(relay.turn()[0]!).address, '10.0.0.3')
	}
})

test('an address whose offer has just lapsed is not offered to one while it is pinged for another', async () => {
	const answers: ((answered: boolean) => void)[] = []
	const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
	const small = standalone.replace('10.0.0.0 255.255.255.0', '10.0.0.0 255.255.255.252')
	const clock = handTurnedClock()
	const relay = await dhcpRelay(small, { dhcp, clock })
	assert.is(ask(relay, { type: 'discover', who: 1 })!.address, '10.0.0.2')
	await relay.configure(`${small}ip dhcp-local ping\n`)
	// Before it is noticed that the offer is over.
	clock.advance(60_001)
	assert.is(ask(relay, { type: 'discover', who: 2, requested: '10.0.0.2' }), undefined)
	assert.is(answers.length, 1)
	assert.is(ask(relay, { type: 'discover', who: 3 }), undefined)
	answers[0]!(false)
	await settled()
	assert.equal(
		relay.turn().map(left => read(left).address),
		['10.0.0.2'],
	)
	const offered = ofType(relay, 'LeaseOffered').map(({ data }) => data.mac.at(-1))
	assert.equal(offered, ['1', '2'])
})

test('a ping that ends after the relay has stopped is recorded nowhere', async () => {
	for (const answered of [true, false]) {
		const answers: ((answered: boolean) => void)[] = []
		const dhcp = machine(() => new Promise(resolve => answers.push(resolve)))
		const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
		ask(relay, { type: 'discover' })
		await stopEngine(relay.engine, 'test')
		const last = relay.journal.last()
		answers[0]!(answered)
		await settled()
		assert.equal(relay.turn(), [])
		assert.is(relay.journal.last(), last)
		assert.is(relay.engine.batch.length, 0)
	}
})

test('where pinging is not possible nothing is kept from the clients', async () => {
	const dhcp = machine(async () => {
		throw new Error('it needs root')
	})
	const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
	ask(relay, { type: 'discover' })
	await settled()
	assert.is(read(relay.turn()[0]!).type, 'offer')
	assert.match(relay.warnings[0]!, /needs root/)
})

test('what is no DHCP message, or not for a server, is counted and answered by nothing', async () => {
	const relay = await dhcpRelay()
	const bootp = dhcpMessage({ type: 'discover' })
	bootp.fill(0, 240)
	const trials: [string, Uint8Array][] = [
		['other bootp', bootp],
		['other short', new Uint8Array(10)],
		['other message-type', dhcpMessage({ type: 'offer' })],
		['other message-type', Uint8Array.of(2, ...dhcpMessage({ type: 'discover' }).subarray(1))],
		['request invalid', dhcpMessage({ type: 'request' })],
		[
			'request other-server',
			dhcpMessage({ type: 'request', requested: '10.0.0.2', server: '10.9.9.9' }),
		],
		['release unknown-lease', dhcpMessage({ type: 'release', ciaddr: '10.0.0.2' })],
		['decline unknown-lease', dhcpMessage({ type: 'decline', requested: '10.0.0.2' })],
		['request unknown-lease', dhcpMessage({ type: 'request', requested: '10.0.0.2' })],
	]
	for (const [, bytes] of trials) assert.equal(deliverDhcp(relay, bytes), [])
	relay.pass(1100)
	const once = Object.fromEntries(trials.map(([key]) => [key, 1]))
	assert.equal(discards(relay), { ...once, 'other message-type': 2 })
})

test('a repeated offer and an answered INFORM are counted; nothing new is recorded of them', async () => {
	const relay = await dhcpRelay()
	ask(relay, { type: 'discover' })
	assert.is(ask(relay, { type: 'discover' })!.type, 'offer')
	const inform = ask(relay, { type: 'inform', ciaddr: '10.0.0.77', unicast: true })!
	assert.equal([inform.type, inform.address, inform.to], ['ack', '0.0.0.0', '10.0.0.77:68'])
	assert.is(optionsOf(inform.packet)[51], undefined)
	relay.pass(1100)
	assert.equal(discards(relay), { 'discover repeated': 1, 'inform answered': 1 })
	assert.is(ofType(relay, 'LeaseOffered').length, 1)
})

test('a flood of refusals fills the journal at a bounded rate', async () => {
	const relay = await dhcpRelay()
	const bytes = dhcpMessage({ type: 'request', ciaddr: '10.0.0.2' })
	const left = Array.from({ length: 500 }, () => deliverDhcp(relay, bytes, { unicast: true }))
	const answered = left.flat().length
	assert.ok(answered >= 100 && answered <= 200, `${answered} refusals`)
	relay.pass(1100)
	assert.is(ofType(relay, 'LeaseRefused').length, answered)
	assert.is(discards(relay)['request unknown-lease'], 500 - answered)
})

test('virtual routers have interfaces of their own; who has none named gets the others', async () => {
	const other = `virtual-router guests\nservice dhcp-local standalone\nip dhcp-local interface eth1
ip dhcp-local pool guests\n network 10.1.0.0 255.255.255.0\nexit\n`
	const relay = await dhcpRelay(standalone + other)
	assert.is(ask(relay, { type: 'discover' })!.address, '10.0.0.2')
	assert.is(ask(relay, { type: 'discover', interfaceIndex: 3 })!.address, '10.1.0.2')
	assert.equal(
		ofType(relay, 'LeaseOffered').map(({ stream }) => stream),
		['subscriber-default.02-00-00-00-00-01', 'subscriber-guests.02-00-00-00-00-01'],
	)
	assert.equal(deliverDhcp(relay, dhcpMessage({ type: 'discover' }), { interfaceIndex: 9 }), [])
	await relay.configure('hostname quiet\n')
	assert.is(relay.engine.dhcp.listener, undefined)
	assert.is(relay.transport.sockets.has(67), false)
})

test('pools that go, shrink and come back move nobody to an address that somebody has', async () => {
	const relay = await dhcpRelay()
	const first = join(relay, { who: 1 }).address
	const without = standalone.replace('ip dhcp-local pool near', 'ip dhcp-local pool other')
	await relay.configure(without)
	assert.is.not(join(relay, { who: 2 }).address, first)
	assert.is(ask(relay, { type: 'request', ciaddr: first, unicast: true })!.type, 'ack')
	await relay.configure('service dhcp-local standalone\n')
	assert.is(ask(relay, { type: 'request', ciaddr: first, unicast: true })!.type, 'nak')
	await relay.configure(standalone)
	assert.is.not(ask(relay, { type: 'discover', who: 3, requested: first })!.address, first)
})

test('no octets of a client upset the server', async () => {
	const relay = await dhcpRelay()
	const message = fc.record({
		type: fc.constantFrom('discover', 'request', 'decline', 'release', 'inform'),
		who: fc.nat({ max: 255 }),
		options: fc.array(
			fc.record({
				code: fc.integer({ min: 1, max: 254 }),
				value: fc.uint8Array({ maxLength: 20 }),
			}),
			{ maxLength: 6 },
		),
		spoil: fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 3 }),
		giaddr: fc.constantFrom('10.2.0.1', '0.0.0.0'),
		unicast: fc.boolean(),
	})
	fc.assert(
		fc.property(message, ({ spoil, ...given }) => {
			const bytes = dhcpMessage(given as ClientMessage)
			for (const [at, octet] of spoil) if (at < bytes.length) bytes[at] = octet
			deliverDhcp(relay, bytes, { unicast: given.unicast })
		}),
		{ numRuns: 1500 },
	)
	const { state } = relay
	relay.pass(100)
	const journal = relay.journal.restart()
	assert.equal(stateToJson(recoverState(journal, journal, () => {})), stateToJson(state))
	assert.is.not(state, initialState())
})

test('an offer lapses after a start with longer leases', async () => {
	const before = await dhcpRelay()
	join(before)
	const journal = before.journal.restart()
	const state = recoverState(journal, journal, () => undefined)
	const relay = await dhcpRelay(standalone, { journal, state })
	ask(relay, { type: 'discover', who: 2 })
	const pool = relay.engine.dhcp.services.get('default')!.pools.byName.get('near')!
	assert.is(pool.inUse, 2)
	relay.pass(70_000)
	assert.is(pool.inUse, 1)
})

test('an address whose offer has lapsed is free although its client has another one now', async () => {
	const relay = await dhcpRelay(`${standalone}ip dhcp-local excluded-address 10.0.0.9\n`)
	ask(relay, { type: 'discover' })
	const pool = relay.engine.dhcp.services.get('default')!.pools.byName.get('near')!
	assert.is(pool.inUse, 1)
	// Just lapsed: the next look at the deadlines is still to come.
	relay.pass(60_100)
	const there = { giaddr: '10.2.0.1' }
	assert.is(ask(relay, { type: 'discover', ...there })?.type, 'offer')
	relay.pass(30_000)
	assert.is(pool.inUse, 0)
})

test('a pool that made-up MACs were offered has room again, and it is counted', async () => {
	const relay = await dhcpRelay(`service dhcp-local standalone
ip dhcp-local pool small
 network 10.0.0.0 255.255.255.252
exit
ip dhcp-local ping
`)
	const offered = async (who: number) => {
		const left = deliverDhcp(relay, dhcpMessage({ who, type: 'discover' }))
		await settled()
		return [...left, ...relay.turn().concat(relay.pass(20))].map(reply => read(reply).address)
	}
	assert.equal(await offered(100), ['10.0.0.2'])
	assert.equal(await offered(101), [])
	relay.pass(11_000)
	assert.equal(await offered(1), ['10.0.0.2'])
	assert.is(
		leaseAt(routerState(relay.state, 'default').leases, parseIpv4('10.0.0.2')!)!.mac,
		'02-00-00-00-00-01',
	)
	relay.pass(1100)
	assert.is(discards(relay)['discover offer-reclaimed'], 1)
})

test.run()
