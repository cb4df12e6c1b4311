/**
 * The Merkle tree of RFC 6962 §2.1 and its proofs (checked as RFC 9162 §2.1.3.2 and §2.1.4.2 say).
 * Hashing comes from outside; hashes are 32 octets and leaves are given as their hashes.
 */

/** Octets to SHA-256. */
export type Sha256 = (octets: Uint8Array) => Uint8Array

export const hashOctets = 32

/** SHA-256 over 0x00 and the leaf's octets (RFC 6962 §2.1). */
export function leafHash(sha256: Sha256, entry: Uint8Array): Uint8Array {
	const octets = new Uint8Array(1 + entry.length)
	octets.set(entry, 1)
	return sha256(octets)
}

/** SHA-256 over 0x01, the left and the right hash. The function has a buffer of its own. */
export function nodeHashing(sha256: Sha256): NodeHash {
	const octets = new Uint8Array(1 + 2 * hashOctets)
	octets[0] = 1
	return (left, right) => {
		octets.set(left, 1)
		octets.set(right, 1 + hashOctets)
		return sha256(octets)
	}
}
export type NodeHash = (left: Uint8Array, right: Uint8Array) => Uint8Array

/**
 * A tree that grows at its right end: the roots of its complete subtrees, the biggest first. Which
 * there are follows from the binary digits of the size.
 */
export type Frontier = { size: number; readonly roots: Uint8Array[] }

export function newFrontier(): Frontier {
	return { size: 0, roots: [] }
}

/** Adds a complete subtree of `leaves` (a power of two that divides the size); a leaf is one of 1. */
export function growBy(
	frontier: Frontier,
	subtree: Uint8Array,
	leaves: number,
	node: NodeHash,
): void {
	let hash = subtree
	// Not with bit operations: a journal may have more than 2^31 events.
	for (let filled = frontier.size / leaves; filled % 2 === 1; filled = (filled - 1) / 2) {
		hash = node(frontier.roots.pop()!, hash)
	}
	frontier.roots.push(hash)
	frontier.size += leaves
}

/** The root of the tree; of an empty one the hash of nothing. */
export function rootOf({ roots }: Frontier, sha256: Sha256, node: NodeHash): Uint8Array {
	let root = roots.at(-1)
	if (root === undefined) return sha256(new Uint8Array(0))
	for (let at = roots.length - 2; at >= 0; at--) root = node(roots[at]!, root)
	return root
}

/** The root over the leaves `begin` to before `end`, of which there is at least one. */
export type Subtree = (begin: number, end: number) => Uint8Array

/** The largest power of two below `n`; `n` is at least 2. */
export function splitOf(n: number): number {
	let k = 1
	while (2 * k < n) k *= 2
	return k
}

/** PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf's sibling up. */
export function inclusionProof(index: number, size: number, subtree: Subtree): Uint8Array[] {
	return path(index, 0, size)

	function path(at: number, begin: number, end: number): Uint8Array[] {
		if (end - begin === 1) return []
		const middle = begin + splitOf(end - begin)
		return at < middle
			? [...path(at, begin, middle), subtree(middle, end)]
			: [...path(at, middle, end), subtree(begin, middle)]
	}
}

/** PROOF(from, D[size]) of RFC 6962 §2.1.2; `from` is at least 1 and at most `size`. */
export function consistencyProof(from: number, size: number, subtree: Subtree): Uint8Array[] {
	return proof(from, 0, size, true)

	/** SUBPROOF; `known`: the verifier has the root of this subtree, for it is the old tree. */
	function proof(old: number, begin: number, end: number, known: boolean): Uint8Array[] {
		if (old === end) return known ? [] : [subtree(begin, end)]
		const middle = begin + splitOf(end - begin)
		return old <= middle
			? [...proof(old, begin, middle, known), subtree(middle, end)]
			: [...proof(old, middle, end, false), subtree(begin, middle)]
	}
}

/** RFC 9162 §2.1.3.2: whether the leaf with that hash is at `index` of the tree with that root. */
export function isIncluded(
	leaf: Uint8Array,
	index: number,
	size: number,
	proof: readonly Uint8Array[],
	root: Uint8Array,
	node: NodeHash,
): boolean {
	if (index < 0 || index >= size) return false
	let fn = index
	let sn = size - 1
	let hash = leaf
	for (const sibling of proof) {
		if (sn === 0) return false
		if (fn % 2 === 1 || fn === sn) {
			hash = node(sibling, hash)
			while (fn % 2 === 0 && fn !== 0) {
				fn /= 2
				sn = Math.floor(sn / 2)
			}
		} else {
			hash = node(hash, sibling)
		}
		fn = Math.floor(fn / 2)
		sn = Math.floor(sn / 2)
	}
	return sn === 0 && equalOctets(hash, root)
}

/** RFC 9162 §2.1.4.2: whether the second tree is the first with leaves appended. */
export function isConsistent(
	first: { readonly size: number; readonly root: Uint8Array },
	second: { readonly size: number; readonly root: Uint8Array },
	proof: readonly Uint8Array[],
	node: NodeHash,
): boolean {
	if (first.size < 1 || first.size > second.size) return false
	if (first.size === second.size) return proof.length === 0 && equalOctets(first.root, second.root)
	const hashes = isPowerOfTwo(first.size) ? [first.root, ...proof] : [...proof]
	if (hashes.length === 0) return false
	let fn = first.size - 1
	let sn = second.size - 1
	while (fn % 2 === 1) {
		fn = Math.floor(fn / 2)
		sn = Math.floor(sn / 2)
	}
	let old = hashes[0]!
	let now = hashes[0]!
	for (const hash of hashes.slice(1)) {
		if (sn === 0) return false
		if (fn % 2 === 1 || fn === sn) {
			old = node(hash, old)
			now = node(hash, now)
			while (fn % 2 === 0 && fn !== 0) {
				fn /= 2
				sn = Math.floor(sn / 2)
			}
		} else {
			now = node(now, hash)
		}
		fn = Math.floor(fn / 2)
		sn = Math.floor(sn / 2)
	}
	return sn === 0 && equalOctets(old, first.root) && equalOctets(now, second.root)
}

function isPowerOfTwo(n: number): boolean {
	return n === 1 || 2 * splitOf(n) === n
}

export function equalOctets(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((octet, at) => octet === b[at])
}
