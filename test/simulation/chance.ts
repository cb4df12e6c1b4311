/** All chance of a simulation: one generator, made from one seed (xoshiro128**). */
import type { Entropy } from '../../src/engine/engine.ts'

export type Chance = Entropy & {
	/** Whether something happens that does so with this probability. */
	happens(probability: number): boolean
	/** A whole number from `from` to `to`, both included. */
	between(from: number, to: number): number
	/** A number with fractions, `to` not included. */
	within(from: number, to: number): number
	pick<T>(list: readonly T[]): T
}

export function createChance(seed: number): Chance {
	const [a, b, c, d] = seedWords(seed)
	const state = Uint32Array.of(a!, b!, c!, d!)

	function next(): number {
		const result = Math.imul(rotate(Math.imul(state[1]!, 5), 7), 9) >>> 0
		const shifted = state[1]! << 9
		state[2]! ^= state[0]!
		state[3]! ^= state[1]!
		state[1]! ^= state[2]!
		state[0]! ^= state[3]!
		state[2]! ^= shifted
		state[3] = rotate(state[3]!, 11)
		return result
	}
	const random = () => next() / 2 ** 32
	const between = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))

	return {
		random,
		between,
		happens: probability => random() < probability,
		within: (from, to) => from + random() * (to - from),
		pick: list => list[between(0, list.length - 1)]!,
		fill(bytes) {
			for (let i = 0; i < bytes.length; i++) bytes[i] = next() >>> 24
		},
	}
}

function rotate(word: number, by: number): number {
	return (word << by) | (word >>> (32 - by))
}

/** Four words out of a seed of up to 53 bits, mixed so that neighbours have nothing in common. */
function seedWords(seed: number): number[] {
	let high = Math.floor(seed / 2 ** 32) >>> 0
	let low = seed >>> 0
	return [0, 0, 0, 0].map(() => {
		high = (high + 0x9e37_79b9) >>> 0
		low = Math.imul(low ^ (low >>> 16) ^ high, 0x85eb_ca6b) >>> 0
		let word = Math.imul(low ^ (low >>> 13), 0xc2b2_ae35)
		word ^= word >>> 16
		return word >>> 0
	})
}
