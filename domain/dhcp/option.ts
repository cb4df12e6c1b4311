/**
 * DHCP options (RFC 2132 and its successors): one table says each option's number, name and type;
 * for each type one codec between octets, plain data, and text. Options that the table lacks are
 * octets, and pass as they are.
 */

import { formatIpv4, parseIpv4 } from '../address.ts'
import { readTextOrHex, readUint32 } from '../radius/packet.ts'
import { type Codec, codecs, type Decoded, parseUnsigned, writeUint32 } from '../radius/value.ts'

/** One option as a message carries it. */
export type DhcpOption = { readonly code: number; readonly value: Uint8Array }
/** RFC 3442: a destination network and the router to it. */
export type Route = { readonly network: number; readonly length: number; readonly router: number }

/** What each type is as plain data. IPv4 addresses are unsigned numbers. */
export type ElementTypes = {
	ip: number
	uint8: number
	uint16: number
	uint32: number
	int32: number
	text: string
	octets: Uint8Array
	bool: boolean
	route: Route
	/** RFC 3046 §2: codes of one octet, as options have them. */
	'sub-options': readonly DhcpOption[]
}
export type ElementType = keyof ElementTypes

export type OptionDefinition<T> = {
	readonly code: number
	/** As IANA's registry has it, in lower case with hyphens. */
	readonly name: string
	readonly type: ElementType
	readonly list: boolean
	readonly codec: Codec<T>
}

/** Pad and End: without length and value (RFC 2132 §3.1, §3.2). */
export const pad = 0
export const end = 255

function unreadable(text: string, wanted: string): { error: string } {
	return { error: `'${text}' is not ${wanted}` }
}

const text: Codec<string> = {
	...codecs.string,
	decode(bytes, offset, length) {
		const size = withoutNuls(bytes, offset, length)
		if (size === 0) return { error: 'text has at least 1 octet' }
		return codecs.string.decode(bytes, offset, size)
	},
	parse(given) {
		return given === '' ? { error: 'text has at least 1 octet' } : codecs.string.parse(given)
	},
}

/** RFC 2132 §2: whoever receives text is prepared to delete trailing NULs. */
function withoutNuls(bytes: Uint8Array, offset: number, length: number): number {
	let size = length
	while (size > 0 && bytes[offset + size - 1] === 0) size--
	return size
}

const bool: Codec<boolean> = {
	decode(bytes, offset, length) {
		if (length !== 1) return { error: `bool has 1 octet, not ${length}` }
		const octet = bytes[offset]!
		return octet > 1 ? { error: `bool is 0 or 1, not ${octet}` } : { value: octet === 1 }
	},
	encode(value, target, offset) {
		target[offset] = value ? 1 : 0
		return offset + 1
	},
	size: () => 1,
	format: String,
	parse(given) {
		if (given === 'true' || given === 'false') return { value: given === 'true' }
		return unreadable(given, 'true or false')
	},
}

/** Octets of a network that RFC 3442 writes: those that the mask touches. */
function significantOctets(prefixLength: number): number {
	return (prefixLength + 7) >>> 3
}

const route: Codec<Route> = {
	decode(bytes, offset, length) {
		const prefixLength = length > 0 ? bytes[offset]! : 0
		if (prefixLength > 32) return { error: `route has /${prefixLength}; 32 is the longest` }
		const octets = significantOctets(prefixLength)
		if (length !== octets + 5) {
			return { error: `route to a /${prefixLength} has ${octets + 5} octets, not ${length}` }
		}
		let network = 0
		for (let i = 0; i < 4; i++) {
			network = network * 256 + (i < octets ? bytes[offset + 1 + i]! : 0)
		}
		const router = codecs.ipaddr.decode(bytes, offset + 1 + octets, 4)
		if ('error' in router) return router
		return {
			value: { network: masked(network, prefixLength), length: prefixLength, router: router.value },
		}
	},
	encode(value, target, offset) {
		const octets = significantOctets(value.length)
		const network = masked(value.network, value.length)
		target[offset] = value.length
		for (let i = 0; i < octets; i++) target[offset + 1 + i] = network >>> (24 - 8 * i)
		return writeUint32(value.router, target, offset + 1 + octets)
	},
	size: value => significantOctets(value.length) + 5,
	format: value => `${formatIpv4(value.network)}/${value.length} ${formatIpv4(value.router)}`,
	parse(given) {
		const [, network = '', digits = '', gateway = ''] =
			/^([0-9.]+)\/([0-9]+) +([0-9.]+)$/.exec(given) ?? []
		const address = parseIpv4(network)
		const length = parseUnsigned(digits, 32)
		const router = parseIpv4(gateway)
		if (address === undefined || length === undefined || router === undefined) {
			return unreadable(given, 'a network and its router, such as 10.0.0.0/8 192.0.2.1')
		}
		return { value: { network: masked(address, length), length, router } }
	},
}

function masked(address: number, prefixLength: number): number {
	return prefixLength === 0 ? 0 : (address & (-1 << (32 - prefixLength))) >>> 0
}

type SubOption = { readonly code: number; readonly name: string; readonly ip: boolean }

/** Sub-options of Relay Agent Information: RFC 3046 §2, 3527, 3993, 4243, 5107, 7839, 8357. */
const subOptionTable: readonly SubOption[] = [
	{ code: 1, name: 'circuit-id', ip: false },
	{ code: 2, name: 'remote-id', ip: false },
	{ code: 5, name: 'link-selection', ip: true },
	{ code: 6, name: 'subscriber-id', ip: false },
	{ code: 9, name: 'vendor-specific', ip: false },
	{ code: 10, name: 'relay-flags', ip: false },
	{ code: 11, name: 'server-identifier-override', ip: true },
	{ code: 12, name: 'relay-id', ip: false },
	{ code: 19, name: 'relay-source-port', ip: false },
]

/** Numbers of the sub-options that a server acts on. */
export const subOptions = {
	circuitId: 1,
	remoteId: 2,
	linkSelection: 5,
	subscriberId: 6,
	vendorSpecific: 9,
	serverIdentifierOverride: 11,
	relaySourcePort: 19,
} as const

/**
 * The value of the first sub-option of that code in Relay Agent Information, as a view;
 * undefined without one, or where the sub-options before it do not fit.
 */
export function findSubOption(information: Uint8Array, code: number): Uint8Array | undefined {
	let at = 0
	while (at + 2 <= information.length) {
		const next = at + 2 + information[at + 1]!
		if (next > information.length) return undefined
		if (information[at] === code) return information.subarray(at + 2, next)
		at = next
	}
	return undefined
}

/** `circuit-id=eth0/1:100`: without blanks, so that sub-options can stand in a row. */
function formatSubOption({ code, value }: DhcpOption): string {
	const known = subOptionTable.find(entry => entry.code === code)
	const name = known?.name ?? `sub-option-${code}`
	if (known?.ip && value.length === 4) return `${name}=${formatIpv4(readUint32(value, 0))}`
	const printed = known?.ip ? '' : readTextOrHex(value, 0, value.length)
	const hidden = known?.ip || /\s/.test(printed)
	return `${name}=${hidden ? codecs.octets.format(value) : printed}`
}

function parseSubOption(word: string): Decoded<DhcpOption> {
	const [, name = '', given = ''] = /^([^=]+)=(.*)$/.exec(word) ?? []
	const named = subOptionTable.find(entry => entry.name === name)
	const code = named?.code ?? parseUnsigned(name.replace(/^sub-option-/, ''), 255)
	if (code === undefined) return unreadable(word, 'NAME=VALUE with a sub-option such as circuit-id')
	const value = parseSubOptionValue(code, given)
	if ('error' in value) return value
	if (value.value.length <= 255) return { value: { code, value: value.value } }
	return { error: `${name} has at most 255 octets, not ${value.value.length}` }
}

function parseSubOptionValue(code: number, given: string): Decoded<Uint8Array> {
	if (given.startsWith('0x')) return codecs.octets.parse(given)
	const known = subOptionTable.find(entry => entry.code === code)
	if (!known?.ip) return { value: octetsOf(codecs.string, given) }
	const address = codecs.ipaddr.parse(given)
	return 'error' in address ? address : { value: octetsOf(codecs.ipaddr, address.value) }
}

const subOptionList: Codec<readonly DhcpOption[]> = {
	decode(bytes, offset, length) {
		const value: DhcpOption[] = []
		const limit = offset + length
		for (let at = offset; at < limit; ) {
			const next = at + 1 < limit ? at + 2 + bytes[at + 1]! : at + 2
			if (next > limit) {
				return { error: `sub-option ${bytes[at]} goes ${next - limit} beyond its option` }
			}
			value.push({ code: bytes[at]!, value: bytes.slice(at + 2, next) })
			at = next
		}
		return { value }
	},
	encode(value, target, offset) {
		let at = offset
		for (const { code, value: octets } of value) {
			target[at] = code
			target[at + 1] = octets.length
			target.set(octets, at + 2)
			at += 2 + octets.length
		}
		return at
	},
	size: value => value.reduce((size, { value: octets }) => size + 2 + octets.length, 0),
	format: value => value.map(formatSubOption).join(' '),
	parse(given) {
		const value: DhcpOption[] = []
		for (const word of given.split(' ').filter(word => word !== '')) {
			const parsed = parseSubOption(word)
			if ('error' in parsed) return parsed
			value.push(parsed.value)
		}
		return { value }
	},
}

const elementCodecs: { readonly [T in ElementType]: Codec<ElementTypes[T]> } = {
	ip: codecs.ipaddr,
	uint8: codecs.byte,
	uint16: codecs.short,
	uint32: codecs.integer,
	int32: codecs.signed,
	text,
	octets: codecs.octets,
	bool,
	route,
	'sub-options': subOptionList,
}

type Listed = 'ip' | 'uint8' | 'uint16' | 'route'

/** Octets of the list's element that begins at `at`. */
function elementSize(type: Listed, bytes: Uint8Array, at: number): number {
	switch (type) {
		case 'ip':
			return 4
		case 'uint8':
			return 1
		case 'uint16':
			return 2
		case 'route':
			return significantOctets(bytes[at]!) + 5
		default:
			return type satisfies never
	}
}

/** One element at least (RFC 2132: "minimum length"), none but whole ones. */
function listOf<T extends Listed>(type: T): Codec<readonly ElementTypes[T][]> {
	const element: Codec<ElementTypes[T]> = elementCodecs[type]
	const empty = { error: `a list of ${type} has at least one` }
	return {
		decode(bytes, offset, length) {
			const limit = offset + length
			const value: ElementTypes[T][] = []
			for (let at = offset; at < limit; ) {
				const size = Math.min(elementSize(type, bytes, at), limit - at)
				const decoded = element.decode(bytes, at, size)
				if ('error' in decoded) return decoded
				value.push(decoded.value)
				at += size
			}
			return value.length === 0 ? empty : { value }
		},
		encode(value, target, offset) {
			let at = offset
			for (const each of value) at = element.encode(each, target, at)
			return at
		},
		size: value => value.reduce((size, each) => size + element.size(each), 0),
		format: value => value.map(each => element.format(each)).join(', '),
		parse(given) {
			const value: ElementTypes[T][] = []
			for (const word of given.split(',')) {
				const parsed = element.parse(word.trim())
				if ('error' in parsed) return parsed
				value.push(parsed.value)
			}
			return { value }
		},
	}
}

function one<T extends ElementType>(
	code: number,
	name: string,
	type: T,
): OptionDefinition<ElementTypes[T]> & { readonly type: T; readonly list: false } {
	return { code, name, type, list: false, codec: elementCodecs[type] }
}

function many<T extends Listed>(
	code: number,
	name: string,
	type: T,
): OptionDefinition<readonly ElementTypes[T][]> & { readonly type: T; readonly list: true } {
	return { code, name, type, list: true, codec: listOf(type) }
}

/** The table: RFC 2132 unless said otherwise. */
export const options = {
	subnetMask: one(1, 'subnet-mask', 'ip'),
	timeOffset: one(2, 'time-offset', 'int32'),
	router: many(3, 'router', 'ip'),
	timeServer: many(4, 'time-server', 'ip'),
	domainNameServer: many(6, 'domain-name-server', 'ip'),
	logServer: many(7, 'log-server', 'ip'),
	hostName: one(12, 'host-name', 'text'),
	domainName: one(15, 'domain-name', 'text'),
	rootPath: one(17, 'root-path', 'text'),
	ipForwarding: one(19, 'ip-forwarding', 'bool'),
	defaultIpTtl: one(23, 'default-ip-ttl', 'uint8'),
	interfaceMtu: one(26, 'interface-mtu', 'uint16'),
	broadcastAddress: one(28, 'broadcast-address', 'ip'),
	routerDiscovery: one(31, 'router-discovery', 'bool'),
	ntpServer: many(42, 'ntp-server', 'ip'),
	vendorSpecific: one(43, 'vendor-specific', 'octets'),
	netbiosNameServer: many(44, 'netbios-name-server', 'ip'),
	netbiosNodeType: one(46, 'netbios-node-type', 'uint8'),
	netbiosScope: one(47, 'netbios-scope', 'text'),
	requestedAddress: one(50, 'requested-address', 'ip'),
	/** Seconds; 4294967295 is infinite (RFC 2131 §3.3). */
	leaseTime: one(51, 'lease-time', 'uint32'),
	overload: one(52, 'overload', 'uint8'),
	messageType: one(53, 'message-type', 'uint8'),
	serverIdentifier: one(54, 'server-identifier', 'ip'),
	parameterRequestList: many(55, 'parameter-request-list', 'uint8'),
	message: one(56, 'message', 'text'),
	/** Octets of the IP datagram. */
	maximumMessageSize: one(57, 'maximum-message-size', 'uint16'),
	renewalTime: one(58, 'renewal-time', 'uint32'),
	rebindingTime: one(59, 'rebinding-time', 'uint32'),
	vendorClass: one(60, 'vendor-class', 'text'),
	clientIdentifier: one(61, 'client-identifier', 'octets'),
	tftpServerName: one(66, 'tftp-server-name', 'text'),
	bootfileName: one(67, 'bootfile-name', 'text'),
	/** RFC 3004 §4; many clients send plain text instead. */
	userClass: one(77, 'user-class', 'octets'),
	/** RFC 4702: flags and a name in one of two encodings, kept as it is. */
	clientFqdn: one(81, 'client-fqdn', 'octets'),
	/** RFC 3046. */
	relayAgentInformation: one(82, 'relay-agent-information', 'sub-options'),
	/** RFC 4578. */
	clientSystem: many(93, 'client-system', 'uint16'),
	clientNetworkInterface: one(94, 'client-network-interface', 'octets'),
	clientMachineIdentifier: one(97, 'client-machine-identifier', 'octets'),
	/** RFC 4833. */
	posixTimezone: one(100, 'posix-timezone', 'text'),
	timezoneName: one(101, 'timezone-name', 'text'),
	/** RFC 8925: seconds. */
	ipv6OnlyPreferred: one(108, 'ipv6-only-preferred', 'uint32'),
	/** RFC 8910. */
	captivePortal: one(114, 'captive-portal', 'text'),
	/** RFC 2563. */
	autoConfigure: one(116, 'auto-configure', 'uint8'),
	/** RFC 3011. */
	subnetSelection: one(118, 'subnet-selection', 'ip'),
	/** RFC 3397: names compressed as DNS has them. */
	domainSearch: one(119, 'domain-search', 'octets'),
	/** RFC 3442. */
	classlessRoute: many(121, 'classless-route', 'route'),
	/** RFC 3925. */
	vendorIdentifyingClass: one(124, 'vendor-identifying-class', 'octets'),
	vendorIdentifyingSpecific: one(125, 'vendor-identifying-specific', 'octets'),
	/** RFC 5859. */
	tftpServerAddress: many(150, 'tftp-server-address', 'ip'),
	/** Microsoft's numbers for 121 and for web proxies, asked for by Windows. */
	microsoftClasslessRoute: many(249, 'microsoft-classless-route', 'route'),
	webProxyDiscovery: one(252, 'web-proxy-discovery', 'text'),
} as const

const byCode: readonly OptionDefinition<unknown>[] = Array.from({ length: 256 }, (_, code) => {
	const known = Object.values(options).find(option => option.code === code)
	return (known ?? one(code, `option-${code}`, 'octets')) as OptionDefinition<unknown>
})
const byName = new Map(byCode.slice(pad + 1, end).map(option => [option.name, option]))

/** The option of a number from 0 to 255; what the table lacks is `option-N` with octets. */
export function optionOf(code: number): OptionDefinition<unknown> {
	return byCode[code]!
}

/** The option that a person means by its name, by `option-N`, or by its number. */
export function findOption(name: string): OptionDefinition<unknown> | undefined {
	const code = parseUnsigned(name.replace(/^option-/, ''), end - 1)
	return code === undefined || code === pad ? byName.get(name) : byCode[code]
}

function octetsOf<T>(codec: Codec<T>, value: T): Uint8Array {
	const octets = new Uint8Array(codec.size(value))
	codec.encode(value, octets, 0)
	return octets
}

/** An option to be sent: `encodeOption(options.leaseTime, 3600)`. */
export function encodeOption<T>(option: OptionDefinition<T>, value: T): DhcpOption {
	return { code: option.code, value: octetsOf(option.codec, value) }
}

/** The value for people; octets that do not fit the type as such, with the reason. */
export function formatOption(code: number, value: Uint8Array): string {
	const { codec } = optionOf(code)
	const decoded = codec.decode(value, 0, value.length)
	if ('error' in decoded) return `${codecs.octets.format(value)} (${decoded.error})`
	return codec.format(decoded.value)
}

/** Reads what `formatOption` writes into the octets to send; an error is a sentence. */
export function parseOption(code: number, given: string): Decoded<DhcpOption> {
	const option = optionOf(code)
	const parsed = option.codec.parse(given)
	if ('error' in parsed) return { error: `${describe(code)}: ${parsed.error}` }
	return { value: encodeOption(option, parsed.value) }
}

function describe(code: number): string {
	const { name } = optionOf(code)
	return name === `option-${code}` ? `option ${code}` : `option ${code} (${name})`
}

/** Options that the server decides itself, or that only a client or a relay agent sends. */
const notConfigurable = new Set(
	[
		options.requestedAddress,
		options.leaseTime,
		options.overload,
		options.messageType,
		options.serverIdentifier,
		options.parameterRequestList,
		options.maximumMessageSize,
		options.clientIdentifier,
		options.relayAgentInformation,
	].map(option => option.code),
)

/**
 * Whether octets are options that may be added to an answer, as RADIUS' DHCP-Options [26-55]
 * brings them: options in a row with Pad between them, perhaps ended by End, long ones split over
 * several instances (RFC 3396), each fit for its type. True, or a sentence that says what is wrong.
 */
export function checkOptions(bytes: Uint8Array): true | string {
	const parts = splitOptions(bytes)
	if ('error' in parts) return parts.error
	for (const { code, value } of joined(parts.value)) {
		if (notConfigurable.has(code)) {
			return `${describe(code)} cannot be set from outside: leave it out`
		}
		const decoded = optionOf(code).codec.decode(value, 0, value.length)
		if ('error' in decoded) return `${describe(code)}: ${decoded.error}`
	}
	return true
}

/** The options in octets that `checkOptions` found right, each code once; copies. */
export function readOptions(bytes: Uint8Array): DhcpOption[] {
	const parts = splitOptions(bytes)
	return 'error' in parts ? [] : joined(parts.value)
}

function splitOptions(bytes: Uint8Array): Decoded<DhcpOption[]> {
	const parts: DhcpOption[] = []
	let at = 0
	while (at < bytes.length) {
		const code = bytes[at]!
		if (code === end) break
		if (code === pad) {
			at++
			continue
		}
		const next = at + 1 < bytes.length ? at + 2 + bytes[at + 1]! : at + 2
		if (next > bytes.length) {
			return {
				error: `${describe(code)} at octet ${at} goes ${next - bytes.length} beyond the end`,
			}
		}
		parts.push({ code, value: bytes.slice(at + 2, next) })
		at = next
	}
	return { value: parts }
}

/** RFC 3396 §5: instances of one option are one value, in the order they came in. */
function joined(parts: readonly DhcpOption[]): DhcpOption[] {
	const whole = new Map<number, DhcpOption>()
	for (const part of parts) {
		const before = whole.get(part.code)?.value ?? new Uint8Array(0)
		const value = new Uint8Array(before.length + part.value.length)
		value.set(before)
		value.set(part.value, before.length)
		whole.set(part.code, { code: part.code, value })
	}
	return [...whole.values()]
}

/** Options with `overriding` in the place of those of the same code, and behind them the rest. */
export function mergeOptions(
	given: readonly DhcpOption[],
	overriding: readonly DhcpOption[],
): DhcpOption[] {
	const merged = new Map(given.map(option => [option.code, option]))
	for (const option of overriding) merged.set(option.code, option)
	return [...merged.values()]
}

/** Text for people from octets that a client sent: never refused, controls as hexadecimal. */
export function readableText(value: Uint8Array): string {
	return readTextOrHex(value, 0, withoutNuls(value, 0, value.length))
}
