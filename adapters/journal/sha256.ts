/**
 * SHA-256 of short texts, very many of them: OpenSSL's function of that name, which Node itself has
 * and lets native code see, through koffi. That takes a third of the time of `crypto.hash`, which
 * stands in where there is no koffi or no such function.
 */
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'

const hashOctets = 32
/** Longer texts are rare, and the call is no longer what they cost. */
const inputMax = 8192

export const sha256: (octets: Uint8Array) => Uint8Array = openDirect() ?? viaNode

function viaNode(octets: Uint8Array): Uint8Array {
	return hash('sha256', octets, 'buffer')
}

/** Undefined where it cannot be had, or does not what it should. */
function openDirect(): typeof sha256 | undefined {
	try {
		const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default
		const digest = koffi.load(null).func('SHA256', 'size_t', ['size_t', 'size_t', 'size_t'])
		const memory = new ArrayBuffer(inputMax + hashOctets)
		const input = new Uint8Array(memory, 0, inputMax)
		const output = new Uint8Array(memory, inputMax, hashOctets)
		// An ArrayBuffer's store does not move; `direct` keeps it.
		const inputAt = Number(koffi.address(memory))
		const direct = (octets: Uint8Array) => {
			if (octets.length > inputMax) return viaNode(octets)
			input.set(octets)
			digest(inputAt, octets.length, inputAt + inputMax)
			return output.slice()
		}
		const probe = Uint8Array.from({ length: 250 }, (_, i) => i)
		return Buffer.compare(direct(probe), viaNode(probe)) === 0 ? direct : undefined
	} catch {
		return undefined
	}
}
