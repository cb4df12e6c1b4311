/** What a relay agent changes of a DHCP message, and what it does not pass on. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { decodeDhcp } from '../domain/dhcp/packet.ts'
import { type RelayAgent, relayReply, relayRequest } from '../domain/dhcp/relay-agent.ts'
import { dhcpMessage } from './dhcp-client.ts'

const own = parseIpv4('10.9.0.1')!
const agent: RelayAgent = { interfaceAddress: own, own: new Set([own]), trusted: false }
const information = [1, 2, 7, 7]

function relayed(bytes: Uint8Array, more: Partial<RelayAgent> = {}): Uint8Array | string {
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') throw new Error(packet)
	const target = new Uint8Array(4096)
	const length = relayRequest(target, packet, { ...agent, ...more })
	return typeof length === 'string' ? length : target.slice(0, length)
}

function withHops(bytes: Uint8Array, hops: number): Uint8Array {
	return bytes.with(3, hops)
}

test('the first agent gives its address, hops count, and nothing else changes', () => {
	fc.assert(
		fc.property(
			fc.constantFrom('discover', 'request', 'decline', 'inform' as const),
			fc.uint8Array({ maxLength: 200 }),
			fc.integer({ min: 0, max: 16 }),
			fc.option(fc.constantFrom('10.2.0.1', '10.3.0.1'), { nil: undefined }),
			(type, padding, hops, giaddr) => {
				const relayed82 = giaddr === undefined ? {} : { giaddr, information }
				const message = dhcpMessage({ type: type as 'discover', ...relayed82 })
				const bytes = withHops(Uint8Array.from([...message, ...padding]), hops)
				const expected = bytes.slice()
				expected[3] = hops + 1
				if (giaddr === undefined) expected.set([10, 9, 0, 1], 24)
				assert.equal([...(relayed(bytes) as Uint8Array)], [...expected])
			},
		),
		{ numRuns: 200, seed: 5 },
	)
})

test('a request that goes round in circles ends (RFC 1542 §4.1.1)', () => {
	const bytes = dhcpMessage({ type: 'discover' })
	assert.is((relayed(withHops(bytes, 16)) as Uint8Array)[3], 17)
	assert.is(relayed(withHops(bytes, 17)), 'hops')
	assert.is(relayed(withHops(bytes, 255)), 'hops')
})

test('nobody sends this machine a request in its own name', () => {
	assert.is(relayed(dhcpMessage({ type: 'discover', giaddr: '10.9.0.1' })), 'giaddr-own')
})

test('option 82 without an agent is passed on where the circuit is trusted only (RFC 3046 §2.1)', () => {
	const bytes = dhcpMessage({ type: 'discover', information })
	assert.is(relayed(bytes), 'untrusted-information')
	const passed = relayed(bytes, { trusted: true }) as Uint8Array
	assert.equal([...passed.slice(28)], [...bytes.slice(28)])
	assert.is.not(
		typeof relayed(dhcpMessage({ type: 'discover', giaddr: '10.2.0.1', information })),
		'string',
	)
})

test('a reply goes on octet for octet, and nothing that does not fit', () => {
	const bytes = dhcpMessage({ type: 'ack', giaddr: '10.9.0.1', information })
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') throw new Error(packet)
	const target = new Uint8Array(4096)
	const length = relayReply(target, packet)
	assert.equal([...target.slice(0, length as number)], [...bytes])
	assert.is(relayReply(new Uint8Array(100), packet), 'long')
})

test.run()
