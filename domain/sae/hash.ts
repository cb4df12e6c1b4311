/** A hash that every copy computes alike: not against forgery, only to spread. */

export const usualBasis = 0x811c9dc5

/** FNV-1a over UTF-16 units, with MurmurHash3's finish: MAC addresses differ in few places. */
export function hash32(text: string, basis: number = usualBasis): number {
	let h = basis
	for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
	h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
	h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
	return (h ^ (h >>> 16)) >>> 0
}
