/** Erasing on a running relay: the relay writes, threads beside it look and prepare. */
import { cancelPlan } from '../adapters/journal/erasure.ts'
import type { SqliteJournal } from '../adapters/journal/journal.ts'
import type { Configuration } from '../domain/configuration.ts'
import { spellingsOf } from '../domain/erasure.ts'
import { renameInState, whyNotErasable } from '../domain/erasure-state.ts'
import { virtualRouterLines } from '../domain/junose/configuration-text.ts'
import { recordDurably } from './engine/commit.ts'
import type { Engine } from './engine/engine.ts'
import {
	carryOut,
	erasureEvent,
	erasureLines,
	newPseudonymFor,
	nothingRetained,
	planBeside,
	portionsBeside,
	type Retained,
	retentionBeside,
	retentionOf,
	withPlan,
} from './erasing.ts'
import type { Snapshooter } from './snapshot.ts'

export type Erasure = { readonly lines: readonly string[] } | { readonly refused: string }
export type Eraser = {
	erase(mac: string, reason: string): Promise<Erasure>
	/** Does what `retention` says now. Throws what the journal says, or a thread. */
	retain(): Promise<Retained>
	/** When it last did, in wall-clock milliseconds. */
	lookedAt(): number | undefined
}

export type EraserParts = {
	readonly engine: Engine
	readonly journal: SqliteJournal
	readonly snapshooter: () => Snapshooter
}

/** One erasure after the other. */
export function openEraser(parts: EraserParts): Eraser {
	let last: Promise<unknown> = Promise.resolve()
	let lookedAt: number | undefined
	return {
		erase(mac, reason) {
			const done = last.then(() => eraseRunning(parts, mac, reason))
			last = done.catch(() => undefined)
			return done
		},
		retain() {
			const done = last.then(async () => {
				const at = parts.engine.parts.clock.wall()
				const retained = await retainRunning(parts)
				lookedAt = at
				return retained
			})
			last = done.catch(() => undefined)
			return done
		},
		lookedAt: () => lookedAt,
	}
}

/** A command that names the MAC is recorded with every start: it must go first. */
export function whyConfigured(configuration: Configuration, mac: string): string | undefined {
	const spellings = spellingsOf(mac)
	for (const { name } of configuration.virtualRouters) {
		for (const line of virtualRouterLines(configuration, name, 'hidden')) {
			const spelling = spellings.find(text => line.includes(text))
			if (spelling === undefined) continue
			const undo = `no ${line.replace(spelling, '').trim()}`
			return `The configuration has "${line.trim()}", which every start records anew; take it back with "${undo}" first.`
		}
	}
	return undefined
}

async function eraseRunning(
	{ engine, journal, snapshooter }: EraserParts,
	mac: string,
	reason: string,
): Promise<Erasure> {
	const now = () => engine.parts.clock.wall()
	const refused =
		whyNotErasable(engine.state, mac, now()) ?? whyConfigured(engine.configuration, mac)
	if (refused !== undefined) return { refused }
	// What the relay knows of the subscriber is on disk before it is looked for there.
	await recordDurably(engine, [])
	const erased = newPseudonymFor(mac)
	const plan = await planBeside(journal.folder, erased, reason)
	if (plan === undefined) return { refused: `There is nothing of ${mac} in the journal.` }
	const back = whyNotErasable(engine.state, mac, now())
	if (back !== undefined) {
		cancelPlan(journal.folder, journal.id, plan)
		return { refused: back }
	}
	const [router = 'default'] = engine.state.routers.keys()
	const recorded = recordDurably(engine, [erasureEvent(plan, router, now())])
	renameInState(engine.state, erased)
	await recorded
	try {
		await carryOut(journal, plan, portionsBeside(journal.folder, plan))
	} catch (error) {
		return {
			refused: `The erasure is recorded and not complete: ${(error as Error).message} The relay completes it when it starts the next time.`,
		}
	}
	await snapshooter().anew()
	return { lines: erasureLines(plan) }
}

/** One run after the other, until nothing is left to do. */
async function retainRunning({ engine, journal, snapshooter }: EraserParts): Promise<Retained> {
	const now = () => engine.parts.clock.wall()
	let retained = nothingRetained
	for (;;) {
		const routers = retentionOf(engine.configuration)
		if (routers === undefined) return { ...retained, isAsked: false }
		const found = await retentionBeside(journal.folder, routers, now())
		if (found === undefined) return retained
		const { plan, renamed, more } = found
		// Somebody came back meanwhile: the next time he is among those who are here.
		if (renamed.some(([mac]) => whyNotErasable(engine.state, mac, now()) !== undefined)) {
			cancelPlan(journal.folder, journal.id, plan)
			return { ...retained, isBroken: true }
		}
		const [router = 'default'] = engine.state.routers.keys()
		const recorded = recordDurably(engine, [erasureEvent(plan, router, now())])
		for (const [mac, pseudonym] of renamed) renameInState(engine.state, { mac, pseudonym })
		await recorded
		await carryOut(journal, plan, portionsBeside(journal.folder, plan))
		await snapshooter().anew()
		retained = withPlan(retained, plan)
		if (!more) return retained
	}
}
