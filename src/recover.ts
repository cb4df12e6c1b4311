/** The state as the journal says: a snapshot, and what was recorded after it. */
import type { JournalReader, Snapshots } from '../domain/journal.ts'
import { evolve, initialState, type State } from '../domain/state.ts'
import { stateFromPieces, statePieces, stateVersion } from '../domain/state-snapshot.ts'
import { type Following, follow, type Projection } from '../projections/follow.ts'

export const stateProjection: Projection<State> = {
	name: 'state',
	version: stateVersion,
	initial: initialState,
	fold(state, event) {
		evolve(state, event)
		return state
	},
	freeze: statePieces,
	thaw: stateFromPieces,
}

/** The state as its snapshot has it; one that says another position than it was saved under is not used. */
export function followState(
	reader: JournalReader,
	snapshots: Snapshots,
	onWarning: (sentence: string) => void,
): Following<State> {
	const following = follow({ reader, snapshots, projection: stateProjection, onWarning })
	const { position } = following.state()
	if (position === following.position()) return following
	onWarning(
		`The snapshot of the state says position ${position} where it should be ${following.position()}; it is ignored and the journal read instead.`,
	)
	const none: Snapshots = { load: () => undefined, save: () => undefined }
	return follow({ reader, snapshots: none, projection: stateProjection, onWarning })
}

/** The folded state, as the journal has it now. */
export function recoverState(
	reader: JournalReader,
	snapshots: Snapshots,
	onWarning: (sentence: string) => void,
): State {
	const following = followState(reader, snapshots, onWarning)
	following.catchUp()
	return following.state()
}

/** Saves a state that has nothing in it but what is on disk. */
export function saveState(snapshots: Snapshots, state: State): void {
	snapshots.save(stateProjection.name, stateVersion, state.position, statePieces(state))
}
