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

/**
 * Snapshots for a view that is a part of the state: what was recovered is on disk, so the view need
 * neither read the journal again nor save anything itself.
 */
export function beginningWith(recovered: Following<State>): Snapshots {
	return {
		load: () => ({ position: recovered.position(), state: stateToJson(recovered.state()) }),
		save() {},
	}
}
