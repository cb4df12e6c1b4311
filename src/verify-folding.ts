/**
 * Folds a journal from its first event into everything that the relay folds it into, and compares
 * what comes out with the snapshots of the same position.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isLeft } from 'fp-ts/lib/Either.js'
import { openFilingCheck } from '../adapters/journal/check.ts'
import type { Reader } from '../adapters/journal/reader.ts'
import { openSnapshots } from '../adapters/journal/snapshots.ts'
import type { Fault } from '../adapters/journal/verify-seal.ts'
import { catalogue, type RecordedEvent } from '../domain/event.ts'
import type { LoadedSnapshot } from '../domain/journal.ts'
import type { State } from '../domain/state.ts'
import { stateDifference } from '../domain/state-difference.ts'
import { stateFromPieces } from '../domain/state-snapshot.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { erasures } from '../projections/erasures.ts'
import type { Projection } from '../projections/follow.ts'
import { pools } from '../projections/pools.ts'
import { srcStatistics } from '../projections/src-statistics.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'
import { stateProjection } from './recover.ts'

/** What `serve` keeps snapshots of. */
// biome-ignore lint/suspicious/noExplicitAny: each has a state of its own, which nobody here looks into.
const projections: readonly Projection<any>[] = [
	stateProjection,
	relayStatistics,
	upstreamStatistics,
	pools,
	dhcpStatistics,
	dynamicRequestStatistics,
	srcStatistics,
	erasures,
]

export type Folding = {
	/** Folds about `limit` events more; false when there are no more, or one is wrong. */
	step(limit: number): boolean
	position(): number
	/** Everything that is wrong, and what could not be compared, in sentences. */
	readonly faults: Fault[]
	readonly remarks: string[]
	compared(): readonly string[]
	/** What the events of erasures say: digests by pseudonym. */
	readonly erasures: ReadonlyMap<string, string>
	close(): void
}

type Folded = {
	// biome-ignore lint/suspicious/noExplicitAny: see above.
	readonly projection: Projection<any>
	state: unknown
	readonly snapshot: LoadedSnapshot | undefined
}

/**
 * `sealed`: events up to there are held to their hash; later ones are checked by their codec.
 * `isErasing`: some events have a pseudonym and others still the MAC, so they fold to another state
 * than before and after.
 */
export function openFolding(
	folder: string,
	reader: Reader,
	{ sealed, isErasing }: { readonly sealed: number; readonly isErasing: boolean },
): Folding {
	const last = reader.last()
	const remarks: string[] = []
	const faults: Fault[] = []
	const compared: string[] = []
	const digests = new Map<string, string>()
	const onWarning = (sentence: string) => remarks.push(sentence)
	const snapshots = openSnapshots({ folder, journalId: reader.id, last: () => last, onWarning })
	const folded = projections.map((projection): Folded => {
		const isMixed = isErasing && projection === stateProjection
		const snapshot = isMixed ? undefined : snapshots.load(projection.name, projection.version)
		return { projection, state: projection.initial(), snapshot }
	})
	for (const name of unknownSnapshots(folder)) {
		remarks.push(`The snapshot ${name} is of nothing that verify knows; it was not compared.`)
	}
	const filing = openFilingCheck(folder)
	let position = 0
	let oneByOne = false
	let nextSnapshot = Number.POSITIVE_INFINITY
	compareAll()

	return {
		position: () => position,
		faults,
		remarks,
		compared: () => compared,
		erasures: digests,
		close: filing.close,
		step(limit) {
			const wanted = Math.min(oneByOne ? 1 : limit, last - position)
			if (wanted <= 0) return false
			let events: RecordedEvent[]
			try {
				events = reader.read(position + 1, wanted)
			} catch (error) {
				// Somewhere in these: batch by batch the first that is wrong is found.
				if (wanted > 1) {
					oneByOne = true
					return true
				}
				const sentence = (error as Error).message.replace(/\.$/, '')
				faults.push({ position: position + 1, sentence })
				return false
			}
			const misfiled = filing.misfiled(events)
			for (const event of events) {
				if (event.position > last) break
				const sentence =
					event.position === misfiled ? 'it is not filed under its stream' : wrongIn(event)
				if (sentence !== undefined) {
					faults.push({ position: position + 1, sentence })
					return false
				}
				position = event.position
				if (event.type === 'RetentionApplied') {
					digests.set(event.data.run, event.data.digest)
				} else if (event.type === 'SubscriberErased') {
					digests.set(event.data.pseudonym, event.data.digest)
				}
				for (const one of folded) one.state = one.projection.fold(one.state, event)
				if (nextSnapshot === position) compareAll()
			}
			return events.length > 0
		},
	}

	function wrongIn(event: RecordedEvent): string | undefined {
		if (event.position !== position + 1) return `there is a gap up to ${event.position}`
		if (event.position <= sealed) return undefined
		if (!isLeft(catalogue[event.type].data.decode(event.data))) return undefined
		return `it is no ${event.type} of version ${event.v}`
	}

	function compareAll(): void {
		for (const { projection, state, snapshot } of folded) {
			if (snapshot?.position !== position) continue
			compared.push(projection.name)
			const other =
				projection === stateProjection
					? stateDifferenceFrom(state as State, snapshot.pieces)
					: firstDifference(projection.freeze?.(state) ?? [state], snapshot.pieces)
			if (other === undefined) continue
			const sentence = `the snapshot of ${projection.name} does not say what the events say (${other})`
			faults.push({ position, sentence })
		}
		nextSnapshot = Math.min(
			...folded.map(({ snapshot }) =>
				snapshot !== undefined && snapshot.position > position
					? snapshot.position
					: Number.POSITIVE_INFINITY,
			),
		)
	}
}

function unknownSnapshots(folder: string): string[] {
	const known = new Set(projections.map(({ name }) => `${name}.json`))
	try {
		const files = readdirSync(join(folder, 'snapshots'))
		return files.filter(file => file.endsWith('.json') && !known.has(file))
	} catch {
		return []
	}
}

/** The state's rows stand in no order that means anything: it is compared as what it is made of. */
function stateDifferenceFrom(own: State, pieces: Iterable<unknown>): string | undefined {
	try {
		return stateDifference(own, stateFromPieces(pieces))
	} catch (error) {
		return (error as Error).message.replace(/\.$/, '')
	}
}

/** Where what was folded and a snapshot differ first; a snapshot that cannot be read differs. */
function firstDifference(own: Iterable<unknown>, saved: Iterable<unknown>): string | undefined {
	try {
		const pieces = saved[Symbol.iterator]()
		let number = 0
		for (const piece of own) {
			number++
			const other = pieces.next()
			if (other.done === true) return `it ends before piece ${number}`
			const path = differenceOf(JSON.parse(JSON.stringify(piece)), other.value, '')
			if (path !== undefined) return `piece ${number}, ${path}`
		}
		return pieces.next().done === true ? undefined : `it goes on behind piece ${number}`
	} catch (error) {
		return (error as Error).message.replace(/\.$/, '')
	}
}

/** Where two JSON values differ first, as a path; undefined: nowhere. */
export function differenceOf(a: unknown, b: unknown, path: string): string | undefined {
	if (a === b) return undefined
	const objects = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null
	if (!objects || Array.isArray(a) !== Array.isArray(b)) return path === '' ? 'all of it' : path
	const left = a as Record<string, unknown>
	const right = b as Record<string, unknown>
	for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
		const found = differenceOf(left[key], right[key], path === '' ? key : `${path}.${key}`)
		if (found !== undefined) return found
	}
	return undefined
}
