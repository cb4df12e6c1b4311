/**
 * SHA-256 (FIPS 180-4) of short texts, very many of them, by OpenSSL's own block function, which Node
 * has in itself and lets native code see, through koffi. That takes a sixth of the time of
 * `crypto.hash`, most of which goes into finding the algorithm anew at each call. `crypto.hash` stands
 * in where there is no koffi or no such function.
 */
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'

/** Makes hashes one after the other, out of one memory. */
export type Hasher = {
	/** Where to write a text of up to `octets` octets; good until `room` or `hash` is called again. */
	room(octets: number): Uint8Array
	/** Writes SHA-256 of the first `length` octets there into 32 octets of `out`, from `at` on. */
	hash(length: number, out: Uint8Array, at: number): void
}

const blockOctets = 64
export const hashOctets = 32
const roomOctets = 8192
/** A one bit and the length in eight octets follow the text, up to the end of a block (§5.1.1). */
const paddingMin = 9
const paddingMax = blockOctets + 8
/** §5.3.3 */
const initialState = Uint32Array.of(
	...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
	...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
)

/** The way that is there everywhere. */
export const openViaNode = (): Hasher => hasherOf(viaNode)

export const openHasher: () => Hasher = openDirect() ?? openViaNode

const own = openHasher()

/** SHA-256 of a text that lies elsewhere. */
export function sha256(octets: Uint8Array): Uint8Array {
	const result = new Uint8Array(hashOctets)
	own.room(octets.length).set(octets)
	own.hash(octets.length, result, 0)
	return result
}

/** Hashes the text at the beginning of `memory`, which has `stateAt` octets for it and its padding. */
type Digest = (memory: Memory, length: number, out: Uint8Array, at: number) => void

type Memory = {
	readonly octets: Uint8Array
	readonly stateAt: number
	readonly buffer: ArrayBuffer
}

function newMemory(octets: number): Memory {
	const stateAt = blockOctets * Math.ceil((octets + paddingMax) / blockOctets)
	const buffer = new ArrayBuffer(stateAt + hashOctets)
	return { octets: new Uint8Array(buffer, 0, stateAt), stateAt, buffer }
}

function hasherOf(digest: Digest, begin: (memory: Memory) => void = () => {}): Hasher {
	let memory = newMemory(roomOctets)
	begin(memory)
	return {
		room(octets) {
			if (octets + paddingMax > memory.stateAt) {
				memory = newMemory(2 * octets)
				begin(memory)
			}
			return memory.octets
		},
		hash(length, out, at) {
			// Native code would read beyond it, or end the process.
			if (!Number.isInteger(length) || length < 0 || length + paddingMin > memory.stateAt) {
				throw new RangeError(`There is no text with a length of ${length} octets to be hashed.`)
			}
			digest(memory, length, out, at)
		},
	}
}

function viaNode({ octets }: Memory, length: number, out: Uint8Array, at: number): void {
	out.set(hash('sha256', octets.subarray(0, length), 'buffer'), at)
}

/** Undefined where it cannot be had, or does not what it should. */
function openDirect(): (() => Hasher) | undefined {
	try {
		const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default
		const types = ['size_t', 'size_t', 'size_t']
		const blocksOf = koffi.load(null).func('sha256_block_data_order', 'void', types)
		const open = () => {
			let address = 0
			let state = new Uint32Array(0)
			let lengths = new DataView(new ArrayBuffer(0))
			const begin = ({ octets, stateAt, buffer }: Memory) => {
				// An ArrayBuffer's store does not move; the hasher keeps it.
				address = Number(koffi.address(buffer))
				state = new Uint32Array(buffer, stateAt, hashOctets / 4)
				lengths = new DataView(buffer, 0, octets.length)
			}
			const direct: Digest = ({ octets, stateAt }, length, out, at) => {
				const blocks = Math.ceil((length + paddingMin) / blockOctets)
				const end = blocks * blockOctets
				octets[length] = 0x80
				for (let i = length + 1; i < end - 4; i++) octets[i] = 0
				lengths.setUint32(end - 4, length * 8)
				state.set(initialState)
				blocksOf(address + stateAt, address, blocks)
				writeState(state, out, at)
			}
			return hasherOf(direct, begin)
		}
		const right = [0, 55, 56, 64, 119, 250, 10_000].every(length => isRight(open(), length))
		return right ? open : undefined
	} catch {
		return undefined
	}
}

function isRight(hasher: Hasher, length: number): boolean {
	const probe = Uint8Array.from({ length }, (_, i) => i)
	const out = new Uint8Array(hashOctets)
	hasher.room(length).set(probe)
	hasher.hash(length, out, 0)
	return Buffer.compare(out, hash('sha256', probe, 'buffer')) === 0
}

/** The words of the state, the most significant octet first. */
function writeState(state: Uint32Array, out: Uint8Array, start: number): void {
	let at = start
	for (let i = 0; i < hashOctets / 4; i++) {
		const word = state[i]!
		out[at++] = word >>> 24
		out[at++] = word >>> 16
		out[at++] = word >>> 8
		out[at++] = word
	}
}
