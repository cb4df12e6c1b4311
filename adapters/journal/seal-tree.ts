/**
 * The tree as it is sealed: roots of complete tiles, and the leaves of the one that is open. Leaves
 * only become hashes of hashes when their tile is complete, or when the root is asked for.
 */
import { type Frontier, growBy, newFrontier } from '../../domain/seal/merkle.ts'
import { completeRoot, leafOctets, nodeHash } from './commitment.ts'

export const tileLeaves = 1024

export type SealTree = {
	readonly tiles: Frontier
	/** Room for the leaves of one tile, of which `openLeaves` are there. */
	readonly open: Uint8Array
	openLeaves: number
}

export function newTree(): SealTree {
	return { tiles: newFrontier(), open: new Uint8Array(tileLeaves * leafOctets), openLeaves: 0 }
}

export function copyOf({ tiles, open, openLeaves }: SealTree): SealTree {
	return { tiles: { ...tiles, roots: [...tiles.roots] }, open: open.slice(), openLeaves }
}

export function sizeOf({ tiles, openLeaves }: SealTree): number {
	return tiles.size + openLeaves
}

/** Adds the leaves that lie in `leaves` from `first` to before `end`; tells of every tile that is complete. */
export function addLeaves(
	tree: SealTree,
	leaves: Uint8Array,
	first: number,
	end: number,
	complete: (number: number, root: Uint8Array) => void,
): void {
	for (let at = first; at < end; ) {
		const until = Math.min(end, at + tileLeaves - tree.openLeaves)
		const added = leaves.subarray(at * leafOctets, until * leafOctets)
		tree.open.set(added, tree.openLeaves * leafOctets)
		tree.openLeaves += until - at
		at = until
		if (tree.openLeaves === tileLeaves) complete(...closeTile(tree))
	}
}

function closeTile(tree: SealTree): [number: number, root: Uint8Array] {
	const number = tree.tiles.size / tileLeaves
	const root = completeRoot(tree.open)
	growBy(tree.tiles, root, tileLeaves, nodeHash)
	tree.openLeaves = 0
	return [number, root]
}

/** The same as the roots of complete subtrees, the biggest first. */
export function frontierOf({ tiles, open, openLeaves }: SealTree): Frontier {
	const whole = { size: tiles.size, roots: [...tiles.roots] }
	for (let at = 0; at < openLeaves; at++) {
		growBy(whole, open.slice(at * leafOctets, (at + 1) * leafOctets), 1, nodeHash)
	}
	return whole
}
