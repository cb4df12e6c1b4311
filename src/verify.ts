/** `radledger verify`: whether a journal, or a proof out of one, is what was sealed. */
import { existsSync, readFileSync } from 'node:fs'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { nodeHash } from '../adapters/journal/commitment.ts'
import { isOwned } from '../adapters/journal/owner.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { isSignedBy } from '../adapters/journal/seal-key.ts'
import {
	type ErasureMark,
	erasureMark,
	openSealToRead,
	sealedSize,
	verifierKeyIn,
} from '../adapters/journal/seal-store.ts'
import { sha256 } from '../adapters/journal/sha256.ts'
import type { Fault, SealCheck } from '../adapters/journal/verify-seal.ts'
import { startSealCheck } from '../adapters/journal/verify-thread.ts'
import { counted } from '../domain/count-text.ts'
import { parseVerifierKey, type VerifierKey } from '../domain/seal/note.ts'
import { checkProof, parseProof } from '../domain/seal/proof.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'
import { type Folding, openFolding } from './verify-folding.ts'

const usage = `radledger verify --data DIR [--key KEY] [--checkpoint FILE]
radledger verify --proof FILE --checkpoint FILE --key KEY
  --key KEY          the log's verifier key, or a file that has it: radledger seal-key prints it
  --checkpoint FILE  a checkpoint that you have kept: the journal must still lead to it`

/** Exit code 0 when everything is right, 1 when something is wrong. */
export async function verify(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const flags = readFlags(args, {
		data: { type: 'string' },
		key: { type: 'string' },
		checkpoint: { type: 'string' },
		proof: { type: 'string' },
	}) as Record<string, string | undefined>
	const key = flags['key'] === undefined ? undefined : keyOf(flags['key'])
	const kept =
		flags['checkpoint'] === undefined ? undefined : checkpointIn(flags['checkpoint']).text
	if (flags['proof'] !== undefined) return verifyProof(textOf(flags['proof']), kept, key)
	const folder = dataFolder(flags['data'], process.env)
	const { faults, lines } = await verifyFolder({ folder, key, kept, progress: showProgress() })
	for (const line of lines) console.log(line)
	return faults.length === 0 ? 0 : 1
}

/**
 * Checkpoint and key must come from whoever checks: a proof that brought its own could have been made
 * by anybody.
 */
function verifyProof(text: string, kept: string | undefined, key: VerifierKey | undefined): number {
	if (kept === undefined || key === undefined) {
		throw new UsageError(
			`--proof needs --checkpoint and --key: what you have kept of the log, not what came with the proof.\n${usage}`,
		)
	}
	const proof = parseProof(text)
	const checking = { kept, key, sha256, node: nodeHash, verify: isSignedBy }
	const result = proof === undefined ? noProof : checkProof(proof, checking)
	if ('fault' in result) {
		console.log(`Not proven. ${result.fault}`)
		return 1
	}
	console.log(result.proven)
	if (proof?.kind === 'inclusion' && 'event' in proof.entry) console.log(proof.entry.event)
	return 0
}

const noProof = { fault: 'The file has no proof in it that radledger prove has written.' } as const

export type FolderVerification = {
	readonly folder: string
	/** Undefined: the one that the folder itself has, which says less. */
	readonly key: VerifierKey | undefined
	/** The text of a checkpoint. */
	readonly kept: string | undefined
	/** Told from time to time of the position that is done, and of the last. */
	readonly progress: (position: number, last: number) => void
}

/** Below that a thread takes longer to start than to check. */
const threadedEvents = 20_000

export type Verdict = { readonly faults: readonly Fault[]; readonly lines: readonly string[] }

/** An erasure beside it makes what was read before unlike what is read after: so often it begins anew. */
const triesMax = 10
const erasingPollMs = 200
const erasingWaitMs = 60_000

/** Re-computes everything from the first event on. Throws JournalFailure where there is nothing. */
export async function verifyFolder(verification: FolderVerification): Promise<Verdict> {
	for (let tries = 1; ; tries++) {
		const before = erasureMarkOf(verification.folder)
		const verdict = await verifyOnce(verification)
		if (verdict.faults.length === 0 || tries === triesMax) return verdict
		const after = await settledErasures(verification.folder)
		if (after.mark === before.mark) return verdict
	}
}

function erasureMarkOf(folder: string): ErasureMark {
	const reader = openReader(folder)
	const seal = openSealToRead(folder, reader.id)
	try {
		return erasureMark(seal)
	} finally {
		seal?.close()
		reader.close()
	}
}

/** Once no erasure is under way any more; one that was interrupted is not. */
async function settledErasures(folder: string): Promise<ErasureMark> {
	const until = performance.now() + erasingWaitMs
	for (;;) {
		const found = erasureMarkOf(folder)
		if (!found.isOpen || !isOwned(folder) || performance.now() > until) return found
		await setTimeout(erasingPollMs)
	}
}

async function verifyOnce(verification: FolderVerification): Promise<Verdict> {
	const { folder, kept, progress } = verification
	const reader = openReader(folder)
	try {
		const { key, foreign, ...known } = sealOf(folder, reader.id, verification.key)
		if (foreign !== undefined) return { faults: [foreign], lines: [foreign.sentence] }
		const { sealed } = known
		const begun = performance.now()
		const thread =
			key === undefined
				? undefined
				: startSealCheck({ folder, key: key.verifier, kept }, reader.last() >= threadedEvents)
		let check: SealCheck | undefined
		thread?.done.then(
			done => {
				check = done
			},
			() => undefined,
		)
		const folding = openFolding(folder, reader, known)
		while (check?.fault === undefined && folding.step(4096)) {
			progress(Math.min(folding.position(), thread?.position() ?? sealed), reader.last())
			await setImmediate()
		}
		check = await thread?.done
		folding.close()
		const seconds = (performance.now() - begun) / 1000
		return verdict(folder, folding, check, { own: key?.own ?? false, seconds, kept })
	} finally {
		reader.close()
	}
}

function sealOf(folder: string, journalId: string, given: VerifierKey | undefined) {
	const seal = openSealToRead(folder, journalId)
	if (seal === undefined) {
		return { key: undefined, foreign: undefined, sealed: 0, isErasing: false }
	}
	try {
		const text = verifierKeyIn(seal)
		const own = text === undefined ? undefined : parseVerifierKey(sha256, text)
		const foreign = given && own && foreignKey(folder, given, own)
		const verifier = given ?? own
		const key = verifier === undefined ? undefined : { verifier, own: given === undefined }
		return { key, foreign, sealed: sealedSize(seal), isErasing: erasureMark(seal).isOpen }
	} finally {
		seal.close()
	}
}

/** Whether the signatures here are by another key than the one to check with: then nothing is checked. */
function foreignKey(folder: string, given: VerifierKey, own: VerifierKey): Fault | undefined {
	const [asked, here] = [given, own].map(
		({ name, id }) => `${name}+${Buffer.from(id).toString('hex')}`,
	)
	if (asked === here) return undefined
	const why =
		given.name === own.name
			? 'If you have kept that key for this journal, somebody has put another in its place and signed anew: believe nothing here that was recorded since, and look for a copy from before. Else ask whoever keeps the key for the right one.'
			: `That key is of another journal: give the one of this journal, as you have kept it ("radledger seal-key --data ${folder}" prints what the folder itself says).`
	const sentence = `Not verified: the checkpoints in ${folder} are signed by the key ${here}, and --key is ${asked}. ${why}`
	return { position: 0, sentence }
}

type Circumstances = {
	readonly own: boolean
	readonly seconds: number
	readonly kept: string | undefined
}

function verdict(
	folder: string,
	folding: Folding,
	check: SealCheck | undefined,
	{ own, seconds, kept }: Circumstances,
): Verdict {
	const faults = [...folding.faults]
	if (check?.fault !== undefined) faults.push(check.fault)
	else if (check !== undefined) faults.push(...erasureFaults(check, folding.erasures))
	if (kept !== undefined && check === undefined) {
		faults.push({ position: 1, sentence: 'nothing is sealed here, so no checkpoint can be of it' })
	}
	faults.sort((a, b) => a.position - b.position)
	if (faults.length > 0) {
		const lines = faults.map(
			({ position, sentence }) => `Position ${position}: ${sentence.replace(/\.$/, '')}.`,
		)
		return { faults, lines: [...lines, ...folding.remarks, wrongLine(folder, faults[0]!)] }
	}
	const events = folding.position()
	const lines = [
		`${counted(events, 'event')} from position 1 on, without a gap.`,
		...sealLines(check, events),
		`Folded anew and compared with the snapshots: ${folding.compared().join(', ') || 'there are none'}.`,
		...folding.remarks,
	]
	if (own && check !== undefined && check.signed > 0) {
		lines.push(
			'Signatures were checked with the key that is in the folder itself. Whoever can write there can exchange it: give --key, and a --checkpoint kept elsewhere.',
		)
	}
	const rate = Math.round(events / Math.max(seconds, 0.001))
	lines.push(`Everything is right (${seconds.toFixed(1)} s, ${rate} events/s).`)
	return { faults, lines }
}

/** Whatever was rewritten must be as an event says, and without one nothing may be. */
function erasureFaults(check: SealCheck, recorded: ReadonlyMap<string, string>): Fault[] {
	return check.erasures.flatMap(({ name, digest, first, rewritten }): Fault[] => {
		const known = recorded.get(name)
		if (known === undefined && rewritten > 0) {
			return [{ position: rewritten, sentence: 'events were rewritten, and no event says so' }]
		}
		if (known === undefined || known === digest) return []
		return [
			{ position: first, sentence: 'events were rewritten to something else than was recorded' },
		]
	})
}

function wrongLine(folder: string, { position }: Fault): string {
	return `The journal in ${folder} is not what was recorded: the first position that is wrong is ${position}.`
}

function sealLines(check: SealCheck | undefined, events: number): string[] {
	if (check === undefined) return ['Nothing is sealed: these events prove nothing yet.']
	const lines = [
		`${counted(check.sealed, 'event')} sealed, all with the right hash; ${counted(check.checkpoints, 'checkpoint')} signed, the newest of ${counted(check.signed, 'event')}.`,
	]
	const open = events - check.signed
	if (open > 0) lines.push(`Not under a signed checkpoint yet: the last ${counted(open, 'event')}.`)
	if (check.erased > 0) lines.push(`Erased: ${counted(check.erased, 'event')}.`)
	if (check.erasures.some(({ complete }) => !complete)) {
		lines.push('An erasure is not complete: start the relay, or run radledger erase once more.')
	}
	return lines
}

/** A kept checkpoint and its size; its signature is for whoever checks against it. Throws UsageError. */
export function checkpointIn(file: string): { readonly text: string; readonly size: number } {
	const text = textOf(file)
	const [, size] = text.split('\n')
	if (size !== undefined && /^[1-9][0-9]{0,15}$/.test(size)) return { text, size: Number(size) }
	throw new UsageError(`${file} is no checkpoint: radledger checkpoint --data DIR prints one.`)
}

/** A key itself, or the file that has it. Throws UsageError. */
export function keyOf(text: string): VerifierKey {
	const isFile = !text.includes('+') && existsSync(text)
	const key = parseVerifierKey(sha256, isFile ? textOf(text) : text)
	if (key !== undefined) return key
	throw new UsageError(
		`--key ${text} is neither a verifier key nor a file that has one: radledger seal-key --data DIR prints the one of a journal.`,
	)
}

export function textOf(file: string): string {
	try {
		return readFileSync(file, 'utf8')
	} catch (error) {
		throw new UsageError(`${file} cannot be read: ${(error as Error).message}.`)
	}
}

/** A line on standard error each second. */
function showProgress(): (position: number, last: number) => void {
	let next = performance.now() + 1000
	return (position, last) => {
		if (performance.now() < next) return
		next += 1000
		process.stderr.write(`${position} of ${last} events\n`)
	}
}
