/** The types of parameters: how each is read, what it refuses, and how it is written back. */
import { parsePointInTime, pointInTimeForms } from '../point-in-time.ts'
import { normaliseMac } from '../radius/station-id.ts'
import type { Parameter } from './command.ts'
import { compileExpression, type Matcher } from './filter.ts'

/** An IPv4 address as a number, or undefined where the text is not one in its usual spelling. */
export function addressNumber(text: string): number | undefined {
	const parts = text.split('.')
	if (parts.length !== 4) return undefined
	let value = 0
	for (const part of parts) {
		// No leading zeros: some programs read them as octal.
		if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
		value = value * 256 + Number(part)
	}
	return value
}

export function addressText(value: number): string {
	return [24, 16, 8, 0].map(shift => (value >>> shift) & 255).join('.')
}

const asItIs = (value: string) => value

/** Any IPv4 address. */
export const ipAddress: Parameter<string> = {
	placeholder: 'A.B.C.D',
	read(text) {
		if (addressNumber(text) !== undefined) return { value: text }
		return { why: 'An IP address is four numbers from 0 to 255 with dots between them.' }
	},
	write: asItIs,
}

/** An address that a host can have. `0.0.0.0` only where it stands for every address. */
function hostAddress(wildcard: boolean): Parameter<string> {
	return {
		...ipAddress,
		read(text) {
			const value = addressNumber(text)
			if (value === undefined) return ipAddress.read(text)
			if (value === 0 && wildcard) return { value: text }
			// RFC 6890: 0.0.0.0/8 is "this network"; 224.0.0.0 and above are no host's address.
			if (value >= 2 ** 24 && value < 0xe0000000) return { value: text }
			return { why: `${text} is not the address of a host; give a unicast address.` }
		},
	}
}
export const unicastAddress = hostAddress(false)
export const listenAddress = hostAddress(true)

/** A mask whose ones all come first. */
export const networkMask: Parameter<string> = {
	placeholder: 'A.B.C.D',
	read(text) {
		const value = addressNumber(text)
		if (value === undefined) return { why: 'A mask is written like an address: 255.255.255.0.' }
		const zeros = 2 ** 32 - value
		if ((zeros & (zeros - 1)) === 0) return { value: text }
		return { why: `The ones of a mask are contiguous; ${text} has a zero before a one.` }
	},
	write: asItIs,
}

/** A MAC address as any equipment spells it, in normal form: `02-00-00-00-00-01`. */
export const macAddress: Parameter<string> = {
	placeholder: 'MAC',
	read(text) {
		const octets = new TextEncoder().encode(text)
		const value = normaliseMac(octets, 0, octets.length)
		if (value !== undefined) return { value }
		return { why: 'A MAC address is twelve hexadecimal digits, such as 02-00-00-00-00-01.' }
	},
	write: asItIs,
}

/** Kept as it was typed: what `-2h` means depends on when it is carried out. */
export const pointInTime: Parameter<string> = {
	placeholder: 'TIME',
	read(text) {
		if (parsePointInTime(text, 0) !== undefined) return { value: text }
		return { why: `A time is written as ${pointInTimeForms}.` }
	},
	write: asItIs,
}

/** RFC 1123 §2.1 names, RFC 1035 §2.3.4 sizes. */
function isDomainName(text: string): boolean {
	const labels = text.replace(/\.$/, '').split('.')
	const label = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/
	return labels.every(part => label.test(part)) && text.length <= 253
}

/** An all-numeric last label would be a bad address. */
export const hostOrAddress: Parameter<string> = {
	placeholder: 'HOST',
	read(text) {
		if (/^[\d.]+$/.test(text)) return unicastAddress.read(text)
		const lastLabel = text.replace(/\.$/, '').split('.').at(-1)!
		if (isDomainName(text) && !/^\d+$/.test(lastLabel)) return { value: text }
		return { why: 'A server is an IP address or a host name of letters, digits, hyphens and dots.' }
	},
	write: asItIs,
}

export const domainNameText: Parameter<string> = {
	placeholder: 'DOMAIN',
	read(text) {
		if (isDomainName(text)) return { value: text }
		return { why: 'A domain name is labels of letters, digits and hyphens with dots between them.' }
	},
	write: asItIs,
}

/** A whole number of a range; `what` begins the sentence that refuses: `A UDP port`. */
export function numberBetween(minimum: number, maximum: number, what: string): Parameter<number> {
	return {
		placeholder: `<${minimum}-${maximum}>`,
		read(text) {
			const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
			if (value >= minimum && value <= maximum) return { value }
			return { why: `${what} is a whole number from ${minimum} to ${maximum}.` }
		},
		write: String,
	}
}

/** A shared secret: any printable characters, `maximum` of them at most. */
export function secretText(maximum: number): Parameter<string> {
	return {
		placeholder: 'SECRET',
		secret: true,
		read(text) {
			const characters = [...text].length
			if (characters === 0) return { why: 'A secret must not be empty.' }
			if (characters > maximum) {
				return { why: `A secret has at most ${maximum} characters; this one has ${characters}.` }
			}
			// Control characters, line separators and halves of surrogate pairs.
			if (/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)) {
				return { why: 'A secret consists of printable characters; this one has another.' }
			}
			return { value: text }
		},
		write: asItIs,
	}
}

/** Any printable text of at most `maximum` characters; `what` begins the sentence that refuses. */
export function printableText(maximum: number, what: string): Parameter<string> {
	return {
		placeholder: 'WORD',
		read(text) {
			const characters = [...text].length
			const printable = !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)
			if (printable && characters > 0 && characters <= maximum) return { value: text }
			return { why: `${what} has from 1 to ${maximum} printable characters.` }
		},
		write: asItIs,
	}
}

/** A network interface as the kernel names it: at most 15 characters (IFNAMSIZ), no path. */
export const interfaceName: Parameter<string> = {
	placeholder: 'INTERFACE',
	read(text) {
		const named = /^[!-.0-9;-~]{1,15}$/.test(text) && text !== '.' && text !== '..'
		if (named) return { value: text }
		return { why: 'An interface has a name of up to 15 characters without "/" and ":": eth0.100.' }
	},
	write: asItIs,
}

/** A name of letters, digits, `.`, `_` and `-` that begins with a letter or digit. */
export function nameText(maximum: number, what: string): Parameter<string> {
	return {
		placeholder: 'WORD',
		read(text) {
			if (text.length <= maximum && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text))
				return { value: text }
			return {
				why: `${what} begins with a letter or digit and has up to ${maximum} letters, digits, dots, underscores and hyphens.`,
			}
		},
		write: asItIs,
	}
}

/** The expression of a filter: the rest of the line. */
export const filterExpression: Parameter<Matcher> = {
	placeholder: 'REGEX',
	rest: true,
	read: compileExpression,
	write: () => '',
}
