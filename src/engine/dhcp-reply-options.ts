/** What the DHCP local server's replies tell a client (RFC 2131 §4.3.1): their options. */
import { parseIpv4 } from '../../domain/address.ts'
import {
	type DhcpOption,
	encodeOption,
	mergeOptions,
	options,
	readOptions,
} from '../../domain/dhcp/option.ts'
import { type DhcpPacket, readOctets } from '../../domain/dhcp/packet.ts'
import { createReplyForm, type ReplyForm } from '../../domain/dhcp/reply-form.ts'
import type { LeaseReply } from '../../domain/lease-message.ts'
import type { Pool } from '../../domain/pool.ts'
import { decodeOctets } from '../../domain/sae/dhcp-options.ts'
import type { SrcDecision } from '../../domain/sae/logins.ts'
import type { Addressing } from '../../domain/session-table.ts'
import type { Asked } from './dhcp-service.ts'

/** RFC 2131 §3.3. */
const infiniteSeconds = 0xffff_ffff

/** RFC 2132 §8.7. */
const nodeTypes = { 'b-node': 1, 'p-node': 2, 'm-node': 4, 'h-node': 8 } as const

/** Of a reply, in the order in which they matter. */
export function optionsOf({ packet, serverIdentifier }: Asked, reply: LeaseReply): DhcpOption[] {
	const server = encodeOption(options.serverIdentifier, serverIdentifier)
	switch (reply.kind) {
		case 'nak':
			return [server, encodeOption(options.message, reply.message)]
		case 'inform':
			return [server, ...configured(packet, reply)]
		case 'offer':
		case 'ack':
			return [server, ...times(reply.leaseSeconds), ...configured(packet, reply)]
		default:
			return reply satisfies never
	}
}

/** RFC 2131 §4.4.5: T1 at half of the lease, T2 at seven eighths. */
function times(leaseSeconds: number): DhcpOption[] {
	if (leaseSeconds === 0) return [encodeOption(options.leaseTime, infiniteSeconds)]
	return [
		encodeOption(options.leaseTime, leaseSeconds),
		encodeOption(options.renewalTime, Math.floor(leaseSeconds / 2)),
		encodeOption(options.rebindingTime, Math.floor((leaseSeconds * 7) / 8)),
	]
}

type Configured = Exclude<LeaseReply, { kind: 'nak' }>

/** What the client asked for of the pool's options; where RADIUS or SRC says something else, that. */
function configured(packet: DhcpPacket, reply: Configured): DhcpOption[] {
	const { pool, session, decision } = reply
	const requested = readOctets(packet, options.parameterRequestList)
	const addressing = session?.addressing
	const address = reply.kind === 'inform' ? packet.ciaddr : reply.address
	const all =
		addressing === undefined ? optionsMadeOf(pool).list : overridden(pool, addressing, address)
	const raw = addressing?.dhcpOptions
	// Given to everybody, asked for or not.
	const own: DhcpOption[] = raw === undefined ? [] : notOurs(readOptions(hexOctets(raw)))
	if (decision !== undefined) own.push(...decidedOptions(decision))
	const list = own.length === 0 ? all : mergeOptions(all, own)
	return requested === undefined ? [...list] : askedFor(list, requested, own)
}

/**
 * The options that the client asks for, the mask and `own`. RFC 2132 §9.8: in the order in which it
 * asks, which is its preference where there is not room for all; §3.3: the mask before the routers,
 * and it goes to everybody: without it an address is of no use. What it did not ask for comes last.
 */
function askedFor(
	list: readonly DhcpOption[],
	requested: Uint8Array,
	own: readonly DhcpOption[],
): DhcpOption[] {
	const mask = options.subnetMask.code
	const ordered = list.filter(({ code }) => code === mask)
	for (let i = 0; i < requested.length; i++) {
		const code = requested[i]!
		if (code === mask) continue
		const option = list.find(one => one.code === code)
		// A client may well ask for the same twice.
		if (option !== undefined && !ordered.includes(option)) ordered.push(option)
	}
	for (const { code } of own) {
		const option = list.find(one => one.code === code)
		if (option !== undefined && !ordered.includes(option)) ordered.push(option)
	}
	return ordered
}

/** What only the server itself can say: nobody else's word for it reaches a client. */
const ownOptions: readonly number[] = [
	options.leaseTime.code,
	options.overload.code,
	options.messageType.code,
	options.serverIdentifier.code,
	options.renewalTime.code,
	options.rebindingTime.code,
	options.clientIdentifier.code,
	options.relayAgentInformation.code,
]

function notOurs(given: readonly DhcpOption[]): DhcpOption[] {
	return given.filter(({ code }) => !ownOptions.includes(code))
}

/** SRC's options, and the boot server and file as options 66 and 67 beside their header fields. */
function decidedOptions({ dhcpOptions, bootServer, bootFile }: SrcDecision): DhcpOption[] {
	const list: DhcpOption[] = []
	if (bootServer !== undefined) list.push(encodeOption(options.tftpServerName, bootServer))
	if (bootFile !== undefined) list.push(encodeOption(options.bootfileName, bootFile))
	const own = Object.entries(dhcpOptions ?? {}).map(([code, text]) => ({
		code: Number(code),
		value: decodeOctets(text),
	}))
	return mergeOptions(list, notOurs(own))
}

/** A form, and what it depends on beside the pool. */
type UsualForm = {
	readonly serverIdentifier: number
	/** Undefined without a lease. */
	readonly leaseSeconds: number | undefined
	/** Parameter Request List [55]; undefined without it. */
	readonly requested: Uint8Array | undefined
	readonly form: ReplyForm
}

/** A pool's own options, the forms made of them, and how often there was none that fitted. */
type PoolOptions = {
	readonly list: readonly DhcpOption[]
	readonly forms: UsualForm[]
	missed: number
}

/** Few kinds of clients make up most of a network, and each asks for the same every time. */
const formsLimit = 16
/**
 * With so many forms, one is replaced this seldom: to make one costs more than a reply without. What
 * is asked for often still gets one soon.
 */
const missesForAnother = 16
/** Pools' settings do not change: with others there is another pool. */
const madeOf = new WeakMap<Pool, PoolOptions>()

/**
 * The form of a reply that says what the pool says and no more. Undefined where RADIUS or SRC have a
 * word in it, with a DHCPNAK, and with options in several instances, the list perhaps among them.
 */
export function usualForm(asked: Asked, reply: LeaseReply): ReplyForm | undefined {
	const { packet, serverIdentifier } = asked
	if (reply.kind === 'nak' || packet.repeats || isSpecial(reply)) return undefined
	const leaseSeconds = reply.kind === 'inform' ? undefined : reply.leaseSeconds
	const made = optionsMadeOf(reply.pool)
	for (const usual of made.forms) {
		if (
			usual.leaseSeconds === leaseSeconds &&
			usual.serverIdentifier === serverIdentifier &&
			isRequested(packet, usual.requested)
		) {
			return usual.form
		}
	}
	made.missed++
	const isFull = made.forms.length === formsLimit
	if (isFull && made.missed % missesForAnother !== 0) return undefined
	const at = isFull ? (made.missed / missesForAnother) % formsLimit : made.forms.length
	const requested = readOctets(packet, options.parameterRequestList)?.slice()
	const form = createReplyForm(optionsOf(asked, reply))
	made.forms[at] = { serverIdentifier, leaseSeconds, requested, form }
	return form
}

/** Whether RADIUS or SRC says something about the options or the header's fields. */
function isSpecial({ session, decision }: Configured): boolean {
	const addressing = session?.addressing
	return (
		(addressing !== undefined &&
			(addressing.framedNetmask !== undefined ||
				addressing.dns !== undefined ||
				addressing.wins !== undefined ||
				addressing.dhcpOptions !== undefined)) ||
		(decision !== undefined &&
			(decision.dhcpOptions !== undefined ||
				decision.bootServer !== undefined ||
				decision.bootFile !== undefined))
	)
}

/** Whether the message's Parameter Request List, in one instance, is that one. */
function isRequested({ bytes, offsets }: DhcpPacket, list: Uint8Array | undefined): boolean {
	const at = offsets[options.parameterRequestList.code]!
	if (at === 0 || list === undefined) return at === 0 && list === undefined
	if (bytes[at + 1] !== list.length) return false
	for (let i = 0; i < list.length; i++) if (bytes[at + 2 + i] !== list[i]) return false
	return true
}

function optionsMadeOf(pool: Pool): PoolOptions {
	const known = madeOf.get(pool)
	if (known !== undefined) return known
	const made: PoolOptions = { list: poolOptions(pool), forms: [], missed: 0 }
	madeOf.set(pool, made)
	return made
}

function poolOptions({ settings, mask, last }: Pool): DhcpOption[] {
	const list: DhcpOption[] = []
	if (mask !== 0) list.push(encodeOption(options.subnetMask, mask))
	addAddresses(list, options.router, settings.defaultRouters)
	addAddresses(list, options.domainNameServer, settings.dnsServers)
	if (settings.domainName) list.push(encodeOption(options.domainName, settings.domainName))
	if (mask !== 0) list.push(encodeOption(options.broadcastAddress, last))
	addAddresses(list, options.netbiosNameServer, settings.netbiosNameServers)
	list.push(encodeOption(options.netbiosNodeType, nodeTypes[settings.netbiosNodeType]))
	return list
}

function overridden(
	pool: Pool,
	{ framedNetmask, dns, wins }: Addressing,
	address: number,
): readonly DhcpOption[] {
	const list: DhcpOption[] = []
	const mask = framedNetmask === undefined ? 0 : (parseIpv4(framedNetmask) ?? 0)
	if (isMask(mask)) {
		list.push(encodeOption(options.subnetMask, mask))
		// The pool's own is that of another network then.
		list.push(encodeOption(options.broadcastAddress, (address | ~mask) >>> 0))
	}
	addAddresses(list, options.domainNameServer, dns ?? [])
	addAddresses(list, options.netbiosNameServer, wins ?? [])
	const own = optionsMadeOf(pool).list
	return list.length === 0 ? own : mergeOptions(own, list)
}

/** Ones, then zeros; no ones at all are none. */
function isMask(mask: number): boolean {
	const zeros = ~mask >>> 0
	return mask !== 0 && (zeros & (zeros + 1)) === 0
}

type AddressList = typeof options.router | typeof options.domainNameServer

function addAddresses(
	list: DhcpOption[],
	option: AddressList | typeof options.netbiosNameServer,
	texts: readonly string[],
): void {
	if (texts.length === 0) return
	list.push(
		encodeOption(
			option,
			texts.map(text => parseIpv4(text) ?? 0),
		),
	)
}

function hexOctets(digits: string): Uint8Array {
	const octets = new Uint8Array(digits.length >>> 1)
	for (let i = 0; i < octets.length; i++) {
		octets[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16)
	}
	return octets
}
