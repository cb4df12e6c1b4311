/**
 * Answers as they were sent, so that a repeated request gets the same octets again (RFC 5080
 * §2.2.2). One ring of memory that answers are also sent from: the oldest make room for the newest.
 */
import type { Memory, Transport } from '../../adapters/radius/transport.ts'

export type AnswerCache = {
	readonly memory: Memory
	/** Octets handed out since the beginning. */
	written: number
	next: number
}

export const answerCacheOctets = 64 * 1024 * 1024

export function createAnswerCache(transport: Transport, octets: number): AnswerCache {
	return { memory: transport.allocate(octets), written: 0, next: 0 }
}

/** Where an answer of `length` octets goes. Its mark is `cache.written` after this call. */
export function reserve(cache: AnswerCache, length: number): number {
	const size = cache.memory.bytes.length
	if (cache.next + length > size) {
		// What is left at the end counts as written, so that marks grow older by it.
		cache.written += size - cache.next
		cache.next = 0
	}
	const at = cache.next
	cache.next += length
	cache.written += length
	return at
}

/** Whether an answer with that mark has not been overwritten. */
export function isKept(cache: AnswerCache, mark: number, length: number): boolean {
	return cache.written - mark + length <= cache.memory.bytes.length
}
