/** The state as the journal says: a snapshot, and what was recorded after it. */
import type { JournalReader, Snapshots } from '../domain/journal.ts'
import {
	evolve,
	initialState,
	type State,
	stateFromJson,
	stateToJson,
	stateVersion,
} from '../domain/state.ts'
import { follow, type Projection } from '../projections/follow.ts'

export const stateProjection: Projection<State> = {
	name: 'state',
	version: stateVersion,
	initial: initialState,
	fold(state, event) {
		evolve(state, event)
		return state
	},
	freeze: stateToJson,
	thaw: stateFromJson,
}

/** The folded state and nothing else: a snapshot of it that says another position is not used. */
export function recoverState(
	reader: JournalReader,
	snapshots: Snapshots,
	onWarning: (sentence: string) => void,
): State {
	const following = follow({ reader, snapshots, projection: stateProjection, onWarning })
	following.catchUp()
	const state = following.state()
	if (state.position === following.position()) return state
	onWarning(
		`The snapshot of the state says position ${state.position} where it should be ${following.position()}; it is ignored and the journal read instead.`,
	)
	const none: Snapshots = { load: () => undefined, save: () => undefined }
	const again = follow({ reader, snapshots: none, projection: stateProjection, onWarning })
	again.catchUp()
	return again.state()
}

/** Saves a state that has nothing in it but what is on disk. */
export function saveState(snapshots: Snapshots, state: State): void {
	snapshots.save(stateProjection.name, stateVersion, state.position, stateToJson(state))
}
