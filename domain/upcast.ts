/**
 * The one place where an event of an old version becomes one of today's. Stored events are never
 * rewritten: they are upcast on every reading, step by step, from each version to the next.
 */
import { catalogue, type RecordedEvent } from './event.ts'

/** An event as it was once written: of any type and version. */
export type StoredEvent = {
	readonly stream: string
	readonly type: string
	readonly v: number
	readonly at: number
	readonly data: unknown
}

/** An event as it was once written, with its place in the journal. */
export type PlacedEvent = StoredEvent & { readonly position: number }

/** `steps[type][v]` turns the data of version `v` into that of version `v + 1`. */
export type UpcastSteps = {
	readonly [type: string]: { readonly [v: number]: (data: unknown) => unknown }
}

/** Add a step here whenever a version in the catalogue rises. */
const steps: UpcastSteps = {}

const versions = new Map<string, number>()
for (const [type, { version }] of Object.entries(catalogue)) versions.set(type, version)

export const upcast = upcaster(versions, steps)

/** An upcasting function for a catalogue, given as the newest version of every type. */
export function upcaster(
	versions: ReadonlyMap<string, number>,
	steps: UpcastSteps,
): (stored: StoredEvent, position: number) => RecordedEvent {
	return (stored, position) => {
		const { stream, type, v, at, data } = stored
		const version = versions.get(type)
		if (version === v && version !== undefined)
			return { position, stream, type, v, at, data } as RecordedEvent
		if (version === undefined) {
			throw new Error(
				`Event ${position} has the unknown type ${JSON.stringify(type)}. ` +
					'A newer release wrote it: read this journal with that release or a later one.',
			)
		}
		if (!(v < version)) {
			throw new Error(
				`Event ${position} is version ${v} of ${type}, of which this release knows ` +
					`up to ${version}: read this journal with the release that wrote it or a later one.`,
			)
		}
		const current = climb(data, type, v, version, position)
		return { position, stream, type, v: version, at, data: current } as RecordedEvent

		function climb(data: unknown, type: string, from: number, to: number, position: number) {
			let climbed = data
			for (let v = from; v < to; v++) {
				const step = steps[type]?.[v]
				if (step === undefined) {
					throw new Error(`Event ${position}: ${type} has no step from version ${v} to ${v + 1}.`)
				}
				climbed = step(climbed)
			}
			return climbed
		}
	}
}
