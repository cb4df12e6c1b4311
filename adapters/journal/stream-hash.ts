/**
 * The hash of a stream's name as stored with every event, for ever: FNV-1a over the UTF-16 code
 * units, then the last step of MurmurHash3, because buckets go by the upper bits. Unsigned, 32 bits.
 */
export function streamHash(stream: string): number {
	let hash = 0x811c9dc5
	for (let index = 0; index < stream.length; index++) {
		hash = Math.imul(hash ^ stream.charCodeAt(index), 0x01000193)
	}
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
	return (hash ^ (hash >>> 16)) >>> 0
}

/** A `streams` column as numbers. SQLite hands out bytes whose alignment it does not promise. */
export function hashesOf(bytes: Uint8Array): Uint32Array {
	const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
	return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength >>> 2)
}
