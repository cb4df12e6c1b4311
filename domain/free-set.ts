/**
 * A set of small numbers that finds its next member in constant time: one bit for each number, above
 * it one bit for each word of 32 that has a member, and so on. 2^20 numbers take 132 KiB and four
 * steps.
 */

export type FreeSet = {
	/** Numbers from 0 to `size` - 1 can be members. */
	readonly size: number
	/** The lowest level has the numbers, each further one the words of the level below that are not 0. */
	readonly levels: readonly Uint32Array[]
	count: number
}

/** The set of all numbers below `size`, or of none. */
export function createFreeSet(size: number, full: boolean): FreeSet {
	const levels: Uint32Array[] = []
	let bits = size
	do {
		const level = new Uint32Array(Math.max(1, Math.ceil(bits / 32)))
		if (full && bits > 0) {
			level.fill(0xffff_ffff)
			if (bits % 32 !== 0) level[level.length - 1] = 2 ** (bits % 32) - 1
		}
		levels.push(level)
		bits = level.length
	} while (bits > 1)
	return { size, levels, count: full ? size : 0 }
}

export function isMember({ size, levels }: FreeSet, n: number): boolean {
	return n >= 0 && n < size && (levels[0]![n >>> 5]! & (1 << (n & 31))) !== 0
}

export function addMember(set: FreeSet, n: number): void {
	if (n < 0 || n >= set.size || isMember(set, n)) return
	set.count++
	let at = n
	for (const level of set.levels) {
		const word = at >>> 5
		const before = level[word]!
		level[word] = before | (1 << (at & 31))
		if (before !== 0) return
		at = word
	}
}

export function removeMember(set: FreeSet, n: number): void {
	if (!isMember(set, n)) return
	set.count--
	let at = n
	for (const level of set.levels) {
		const word = at >>> 5
		const after = level[word]! & ~(1 << (at & 31))
		level[word] = after
		if (after !== 0) return
		at = word
	}
}

/** The smallest member that is not below `from`; -1 when there is none. */
export function nextMember({ size, levels }: FreeSet, from: number): number {
	if (from >= size) return -1
	let at = Math.max(0, from)
	for (let l = 0; l < levels.length; l++) {
		const level = levels[l]!
		const word = at >>> 5
		if (word >= level.length) return -1
		const rest = level[word]! & (0xffff_ffff << (at & 31))
		if (rest !== 0) return descend(levels, l, word * 32 + lowestBit(rest))
		at = word + 1
	}
	return -1
}

/** The smallest number below the bit `at` of level `from`. */
function descend(levels: readonly Uint32Array[], from: number, at: number): number {
	let found = at
	for (let l = from - 1; l >= 0; l--) found = found * 32 + lowestBit(levels[l]![found]!)
	return found
}

function lowestBit(word: number): number {
	return 31 - Math.clz32(word & -word)
}
