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
import { type Following, follow, type Projection } from '../projections/follow.ts'

const stateProjection: Projection<State> = {
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

export function recoverState(
	reader: JournalReader,
	snapshots: Snapshots,
	onWarning: (sentence: string) => void,
): Following<State> {
	const following = follow({ reader, snapshots, projection: stateProjection, onWarning })
	following.catchUp()
	return following
}
