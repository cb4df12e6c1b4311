/**
 * Finds the row of a table in columns by a number that it has: four octets an entry, where a `Map`
 * takes forty. Open addressing with linear probing; half of the slots at least stay empty.
 */
export type RowIndex = {
	/** Rows, -1 where there is none; a power of two. */
	slots: Int32Array
	count: number
}

/** The column with the numbers, whole and below 2^53. */
export type KeyColumn = Uint32Array | Float64Array

export const noRow = -1
const fewestSlots = 16

export function newRowIndex(): RowIndex {
	return { slots: new Int32Array(fewestSlots).fill(noRow), count: 0 }
}

function home({ slots }: RowIndex, key: number): number {
	// Fibonacci hashing: neighbours, as addresses and MACs are, come to lie far from each other.
	const mixed = Math.imul(key | 0, 0x9e3779b1) ^ Math.imul((key / 2 ** 32) | 0, 0x85ebca6b)
	return (mixed ^ (mixed >>> 15)) & (slots.length - 1)
}

/** The row with that number; `noRow` without one. */
export function findRow(index: RowIndex, keys: KeyColumn, key: number): number {
	const { slots } = index
	for (let at = home(index, key); ; at = (at + 1) & (slots.length - 1)) {
		const row = slots[at]!
		if (row === noRow || keys[row] === key) return row
	}
}

/** Enters a row, in the place of one with the same number. */
export function enterRow(index: RowIndex, keys: KeyColumn, row: number): void {
	if (2 * (index.count + 1) > index.slots.length) grow(index, keys)
	const { slots } = index
	const key = keys[row]!
	let at = home(index, key)
	for (; slots[at] !== noRow; at = (at + 1) & (slots.length - 1)) {
		if (keys[slots[at]!] !== key) continue
		slots[at] = row
		return
	}
	slots[at] = row
	index.count++
}

function grow(index: RowIndex, keys: KeyColumn): void {
	const { slots } = index
	index.slots = new Int32Array(2 * slots.length).fill(noRow)
	index.count = 0
	for (const row of slots) if (row !== noRow) enterRow(index, keys, row)
}

/** Takes the row with that number out. */
export function removeRow(index: RowIndex, keys: KeyColumn, key: number): void {
	const { slots } = index
	const last = slots.length - 1
	let hole = home(index, key)
	for (; slots[hole] === noRow || keys[slots[hole]!] !== key; hole = (hole + 1) & last) {
		if (slots[hole] === noRow) return
	}
	index.count--
	// What stands behind it moves up, so that no search ends too soon at the hole.
	for (let at = (hole + 1) & last; slots[at] !== noRow; at = (at + 1) & last) {
		const from = home(index, keys[slots[at]!]!)
		if (((at - from) & last) < ((at - hole) & last)) continue
		slots[hole] = slots[at]!
		hole = at
	}
	slots[hole] = noRow
}
