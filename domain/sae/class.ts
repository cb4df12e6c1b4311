/** Class [25] as text: printable UTF-8 as it is, other octets as `0x` and hexadecimal digits. */

/** The octets that such a text stands for. */
export function classOctets(text: string): Uint8Array {
	const digits = /^0x((?:[0-9A-Fa-f]{2})+)$/.exec(text)?.[1]
	return digits === undefined ? new TextEncoder().encode(text) : octetsOfHex(digits)
}

/** Two digits for each octet. */
export function octetsOfHex(digits: string): Uint8Array {
	const octets = new Uint8Array(digits.length / 2)
	for (let i = 0; i < octets.length; i++) {
		octets[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
	}
	return octets
}
