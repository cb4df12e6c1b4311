/** DHCP clients that a test speaks for, at a simulated relay. */
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { type DhcpOption, encodeOption, options } from '../domain/dhcp/option.ts'
import { type DhcpPacket, decodeDhcp, messageTypes, readIp } from '../domain/dhcp/packet.ts'
import { encodeDhcp } from '../domain/dhcp/reply.ts'
import type { DhcpSystem } from '../src/engine/dhcp-service.ts'
import type { Left, SimulatedRelay } from './simulated-relay.ts'

export type ClientMessage = {
	readonly type: keyof typeof messageTypes
	/** The last octets of the client's MAC. */
	readonly who?: number
	readonly ciaddr?: string
	readonly giaddr?: string
	readonly requested?: string
	readonly server?: string
	readonly information?: readonly number[]
	readonly xid?: number
	readonly options?: readonly DhcpOption[]
	/** Sent to the server's address instead of to everybody. */
	readonly unicast?: boolean
	readonly interfaceIndex?: number
}

/** eth0 is 10.0.0.1, eth1 is 10.1.0.1; pings are answered as the test says. */
export function machine(ping: DhcpSystem['ping'] = async () => false): DhcpSystem {
	return {
		interfaces: () => [
			{ index: 2, name: 'eth0', addresses: [parseIpv4('10.0.0.1')!] },
			{ index: 3, name: 'eth1', addresses: [parseIpv4('10.1.0.1')!] },
		],
		ping,
	}
}

export function dhcpMessage(message: ClientMessage): Uint8Array {
	const { requested, server, who = 1 } = message
	const target = new Uint8Array(1472)
	const list: DhcpOption[] = [...(message.options ?? [])]
	if (requested !== undefined) {
		list.push(encodeOption(options.requestedAddress, parseIpv4(requested)!))
	}
	if (server !== undefined) list.push(encodeOption(options.serverIdentifier, parseIpv4(server)!))
	const length = encodeDhcp(target, {
		...{ op: 1, htype: 1, hops: 0, secs: 0, flags: 0, yiaddr: 0, siaddr: 0 },
		xid: message.xid ?? 0x1234_5678,
		ciaddr: parseIpv4(message.ciaddr ?? '0.0.0.0')!,
		giaddr: parseIpv4(message.giaddr ?? '0.0.0.0')!,
		chaddr: Uint8Array.of(2, 0, 0, who >>> 16, who >>> 8, who),
		...{ sname: '', file: '', messageType: messageTypes[message.type], options: list },
		...(message.information === undefined
			? {}
			: { relayAgentInformation: Uint8Array.from(message.information) }),
		maximumLength: 1472,
	})
	return target.slice(0, length)
}

/** Lets octets arrive as a client's or a relay agent's datagram, for the next turn. */
export function queueDhcp(
	relay: SimulatedRelay,
	bytes: Uint8Array,
	{ unicast = false, interfaceIndex = 2, giaddr, ciaddr }: Partial<ClientMessage> = {},
): void {
	const socket = relay.engine.dhcp.listener?.socket
	if (socket === undefined) throw new Error('The DHCP server has no socket.')
	const local = parseIpv4(interfaceIndex === 3 ? '10.1.0.1' : '10.0.0.1')!
	const destination = unicast || giaddr !== undefined ? local : 0xffff_ffff
	const from = parseIpv4(giaddr ?? ciaddr ?? '0.0.0.0')!
	const port = giaddr === undefined ? 68 : 67
	relay.transport.deliver(socket, from, port, bytes, { interfaceIndex, local, destination })
}

/** The same, and a turn; what left the relay in it. */
export function deliverDhcp(
	relay: SimulatedRelay,
	bytes: Uint8Array,
	way: Partial<ClientMessage> = {},
): Left[] {
	queueDhcp(relay, bytes, way)
	return relay.turn()
}

export type Told = {
	readonly packet: DhcpPacket
	readonly type: string
	readonly address: string
	readonly to: string
	readonly interfaceIndex: number
}

/** What was told in a datagram. */
export function read({ bytes, to, interfaceIndex }: Left): Told {
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') throw new Error(`not a DHCP message: ${packet}`)
	const [type] = Object.entries(messageTypes).find(([, n]) => n === packet.messageType) ?? ['?']
	return { packet, type, address: formatIpv4(packet.yiaddr), to, interfaceIndex }
}

/** One message and its one reply; undefined where there is none. */
export function ask(relay: SimulatedRelay, message: ClientMessage): Told | undefined {
	const [left, ...more] = deliverDhcp(relay, dhcpMessage(message), message)
	if (more.length > 0) throw new Error(`${more.length + 1} replies to one message`)
	return left === undefined ? undefined : read(left)
}

/** DISCOVER, OFFER, REQUEST, ACK; the ACK. */
export function join(relay: SimulatedRelay, more: Partial<ClientMessage> = {}): Told {
	const offer = ask(relay, { ...more, type: 'discover' })
	if (offer?.type !== 'offer') throw new Error(`no offer but ${offer?.type}`)
	const server = formatIpv4(readIp(offer.packet, options.serverIdentifier)!)
	const ack = ask(relay, { ...more, type: 'request', requested: offer.address, server })
	if (ack?.type !== 'ack') throw new Error(`no ACK but ${ack?.type}`)
	return ack
}
