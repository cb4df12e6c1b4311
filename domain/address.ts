/** IPv4 addresses as text and as unsigned 32-bit numbers in host byte order. */

/** The address as a number, or undefined when the text is not four decimal octets. */
export function parseIpv4(text: string): number | undefined {
	let value = 0
	let octet = -1
	let octets = 0
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i)
		if (c === 46) {
			if (octet < 0 || ++octets > 3) return undefined
			value = value * 256 + octet
			octet = -1
			continue
		}
		if (c < 48 || c > 57) return undefined
		// A leading zero would be read as octal by other software.
		if (octet === 0) return undefined
		octet = octet < 0 ? c - 48 : octet * 10 + c - 48
		if (octet > 255) return undefined
	}
	if (octets !== 3 || octet < 0) return undefined
	return value * 256 + octet
}

const octets = Array.from({ length: 256 }, (_, octet) => `${octet}`)
/** What comes behind a dot. */
const dotted = octets.map(octet => `.${octet}`)

export function formatIpv4(address: number): string {
	const front = octets[address >>> 24]! + dotted[(address >>> 16) & 255]!
	return front + dotted[(address >>> 8) & 255]! + dotted[address & 255]!
}

/** 0..32 for a contiguous mask, undefined for any other. */
export function prefixLength(mask: number): number | undefined {
	const inverted = ~mask >>> 0
	if ((inverted & (inverted + 1)) !== 0) return undefined
	return Math.clz32(inverted)
}
