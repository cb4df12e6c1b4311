/** Octets as text and back. */

export function utf8(text: string): Uint8Array {
	return new TextEncoder().encode(text)
}

export function toHex(octets: Uint8Array): string {
	return Array.from(octets, octet => octet.toString(16).padStart(2, '0')).join('')
}

export function fromHex(text: string): Uint8Array | undefined {
	if (text.length % 2 === 1 || !/^[0-9a-f]*$/.test(text)) return undefined
	return Uint8Array.from({ length: text.length / 2 }, (_, at) =>
		Number.parseInt(text.slice(2 * at, 2 * at + 2), 16),
	)
}

/** RFC 4648 §4. */
export function toBase64(octets: Uint8Array): string {
	return btoa(String.fromCharCode(...octets))
}

/** Undefined where the text is not exactly what `toBase64` gives. */
export function fromBase64(text: string): Uint8Array | undefined {
	if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
	const octets = Uint8Array.from(atob(text), character => character.charCodeAt(0))
	return toBase64(octets) === text ? octets : undefined
}
