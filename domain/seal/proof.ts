/**
 * Proofs as files: a line of text for each thing, and then the checkpoint as it was signed. An
 * inclusion proof has the event, its salt and the hashes up to the root; a consistency proof the
 * hashes between two trees.
 */
import { counted } from '../count-text.ts'
import { parseCheckpoint } from './checkpoint.ts'
import {
	hashOctets,
	isConsistent,
	isIncluded,
	leafHash,
	type NodeHash,
	type Sha256,
} from './merkle.ts'
import { openNote, type VerifierKey } from './note.ts'
import { fromBase64, fromHex, toBase64, toHex, utf8 } from './octets.ts'

export type Proof =
	| {
			readonly kind: 'inclusion'
			/** From 0; the event's position is one more. */
			readonly leafIndex: number
			readonly treeSize: number
			readonly entry:
				| { readonly salt: Uint8Array; readonly event: string }
				/** Of an erased event only its leaf hash is left. */
				| { readonly leaf: Uint8Array }
			readonly hashes: readonly Uint8Array[]
			/** The signed note. */
			readonly checkpoint: string
	  }
	| {
			readonly kind: 'consistency'
			readonly fromSize: number
			readonly treeSize: number
			readonly hashes: readonly Uint8Array[]
			/** The newer one; whoever checks has the older. */
			readonly checkpoint: string
	  }

const titles = {
	inclusion: 'radledger inclusion proof 1',
	consistency: 'radledger consistency proof 1',
} as const

export function proofText(proof: Proof): string {
	const lines: string[] = [titles[proof.kind]]
	if (proof.kind === 'inclusion') {
		lines.push(`leaf-index ${proof.leafIndex}`)
		if ('leaf' in proof.entry) lines.push(`erased-leaf ${toBase64(proof.entry.leaf)}`)
		else lines.push(`salt ${toHex(proof.entry.salt)}`, `event ${proof.entry.event}`)
	} else {
		lines.push(`from-size ${proof.fromSize}`)
	}
	lines.push(`tree-size ${proof.treeSize}`)
	for (const hash of proof.hashes) lines.push(`hash ${toBase64(hash)}`)
	return `${lines.join('\n')}\n\n${proof.checkpoint}`
}

/** A tree of as many leaves as there are positions is no deeper. */
const hashesMax = 64

/** Undefined where the text is no proof of this form. */
export function parseProof(text: string): Proof | undefined {
	const end = text.indexOf('\n\n')
	if (end === -1) return undefined
	const [title, ...lines] = text.slice(0, end).split('\n')
	const checkpoint = text.slice(end + 2)
	const next = (name: string): string | undefined =>
		lines[0]?.startsWith(`${name} `) ? lines.shift()!.slice(name.length + 1) : undefined
	const kind = title === titles.inclusion ? 'inclusion' : 'consistency'
	if (title !== titles[kind]) return undefined
	const at = numberOf(next(kind === 'inclusion' ? 'leaf-index' : 'from-size'))
	const entry = kind === 'inclusion' ? entryFrom(next) : undefined
	const treeSize = numberOf(next('tree-size'))
	const hashes: (Uint8Array | undefined)[] = []
	while (lines.length > 0 && hashes.length <= hashesMax) {
		hashes.push(octetsOf(next('hash'), hashOctets))
		if (hashes.includes(undefined)) return undefined
	}
	if (at === undefined || treeSize === undefined) return undefined
	if (hashes.length > hashesMax) return undefined
	const rest = { treeSize, hashes: hashes as Uint8Array[], checkpoint }
	if (kind === 'consistency') return { kind, fromSize: at, ...rest }
	return entry === undefined ? undefined : { kind, leafIndex: at, entry, ...rest }
}

type Next = (name: string) => string | undefined

function entryFrom(next: Next): Extract<Proof, { kind: 'inclusion' }>['entry'] | undefined {
	const erased = next('erased-leaf')
	if (erased !== undefined) {
		const leaf = octetsOf(erased, hashOctets)
		return leaf === undefined ? undefined : { leaf }
	}
	const salt = fromHex(next('salt') ?? 'x')
	const event = next('event')
	return salt === undefined || event === undefined ? undefined : { salt, event }
}

function numberOf(text: string | undefined): number | undefined {
	if (text === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined
	return Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}

function octetsOf(text: string | undefined, length: number): Uint8Array | undefined {
	const octets = text === undefined ? undefined : fromBase64(text)
	return octets?.length === length ? octets : undefined
}

export type Checking = {
	/** The checkpoint that whoever checks has from elsewhere, as it was signed. */
	readonly kept: string
	readonly key: VerifierKey
	readonly sha256: Sha256
	readonly node: NodeHash
	readonly verify: (text: Uint8Array, signature: Uint8Array, key: Uint8Array) => boolean
}

/** What a proof proves under a checkpoint, in a sentence, or why it proves nothing. */
export function checkProof(
	proof: Proof,
	{ kept, key, sha256, node, verify }: Checking,
): { readonly proven: string } | { readonly fault: string } {
	const trusted = opened(kept)
	if (typeof trusted === 'string')
		return { fault: `The checkpoint is not to be trusted: ${trusted}` }
	if (proof.kind === 'consistency') return consistency(proof, trusted)
	if (trusted.size !== proof.treeSize) {
		return {
			fault: `The checkpoint is of ${counted(trusted.size, 'event')} and the proof of ${proof.treeSize}: prove --checkpoint makes one for the checkpoint that you have.`,
		}
	}
	const { entry, leafIndex } = proof
	const position = leafIndex + 1
	if ('event' in entry && !entry.event.startsWith(`{"position":${position},`)) {
		return { fault: `The event is not the one at position ${position}.` }
	}
	const leaf =
		'leaf' in entry
			? entry.leaf
			: leafHash(sha256, Uint8Array.of(...entry.salt, ...utf8(entry.event)))
	if (!isIncluded(leaf, leafIndex, trusted.size, proof.hashes, trusted.root, node)) {
		return { fault: `The event at position ${position} is not in the tree of the checkpoint.` }
	}
	if ('event' in entry) {
		return { proven: `The event was recorded at position ${position} of ${trusted.origin}.` }
	}
	return {
		proven: `There was an event at position ${position} of ${trusted.origin}; it has been erased since.`,
	}

	function opened(note: string) {
		const found = openNote(note, key, verify)
		if ('fault' in found) return found.fault
		return parseCheckpoint(found.text) ?? 'It is no checkpoint.'
	}

	function consistency(
		{ fromSize, treeSize, hashes, checkpoint }: Extract<Proof, { kind: 'consistency' }>,
		older: { readonly origin: string; readonly size: number; readonly root: Uint8Array },
	): { readonly proven: string } | { readonly fault: string } {
		const newer = opened(checkpoint)
		if (typeof newer === 'string') {
			return { fault: `The newer checkpoint is not to be trusted: ${newer}` }
		}
		if (newer.origin !== older.origin)
			return { fault: 'The two checkpoints are of different logs.' }
		if (older.size !== fromSize || newer.size !== treeSize) {
			return { fault: 'The proof is between other checkpoints.' }
		}
		if (!isConsistent(older, newer, hashes, node)) {
			return { fault: 'The newer checkpoint contradicts the older one: history was changed.' }
		}
		return {
			proven: `The first ${older.size} of the ${newer.size} events of ${newer.origin} are those of the older checkpoint.`,
		}
	}
}
