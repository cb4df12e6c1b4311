/**
 * DHCP options inside a message: an object from option number to the option's octets in base64,
 * `{ "12": "bGFwdG9w" }`. An option that a client split (RFC 3396) is joined before it gets here.
 */
import { readTextOrHex } from '../radius/packet.ts'

export type DhcpOptions = Readonly<Record<string, string>>

/** What an address report carries of the client's options; giaddr is a field of its own. */
export const reportedOptions: readonly number[] = [82, 61, 51, 55, 12, 15, 6, 1, 44, 46, 3]

const optionNumber = /^(?:[1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-4])$/
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export function isDhcpOptions(value: unknown): value is DhcpOptions {
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
	return Object.entries(value).every(
		([number, octets]) =>
			optionNumber.test(number) && typeof octets === 'string' && base64.test(octets),
	)
}

export function encodeOctets(octets: Uint8Array): string {
	let binary = ''
	for (const octet of octets) binary += String.fromCharCode(octet)
	return btoa(binary)
}

export function decodeOctets(text: string): Uint8Array {
	const binary = atob(text)
	const octets = new Uint8Array(binary.length)
	for (let i = 0; i < binary.length; i++) octets[i] = binary.charCodeAt(i)
	return octets
}

/** The octets of an option, or undefined where the message does not have it. */
export function optionOctets(options: DhcpOptions, number: number): Uint8Array | undefined {
	const text = options[number]
	return text === undefined ? undefined : decodeOctets(text)
}

/** Only the options that an address report carries. */
export function reportable(options: DhcpOptions): DhcpOptions {
	const kept = reportedOptions.filter(number => options[number] !== undefined)
	return Object.fromEntries(kept.map(number => [String(number), options[number]!]))
}

/** Sub-options of the Relay Agent Information option [82], RFC 3046 §2.0. */
export const relayAgent = { option: 82, circuitId: 1, remoteId: 2 } as const

/** A sub-option's octets; undefined where the option is not there or does not hold together. */
export function relayAgentSubOption(options: DhcpOptions, wanted: number): Uint8Array | undefined {
	const octets = optionOctets(options, relayAgent.option)
	if (octets === undefined) return undefined
	for (let at = 0; at + 2 <= octets.length; ) {
		const end = at + 2 + octets[at + 1]!
		if (end > octets.length) return undefined
		if (octets[at] === wanted) return octets.subarray(at + 2, end)
		at = end
	}
	return undefined
}

/** The same as text: where the octets are not printable, `0x` and hexadecimal digits. */
export function relayAgentText(options: DhcpOptions, wanted: number): string | undefined {
	const octets = relayAgentSubOption(options, wanted)
	return octets === undefined ? undefined : readTextOrHex(octets, 0, octets.length)
}
