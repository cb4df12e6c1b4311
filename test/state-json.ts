/** The state as it is saved, all pieces at once: what two states are compared by. */
import type { State } from '../domain/state.ts'
import { stateFromPieces, statePieces } from '../domain/state-snapshot.ts'

export function stateToJson(state: State): unknown[] {
	return [...statePieces(state)]
}

/** The state as it comes back from a snapshot. */
export function stateThroughJson(state: State): State {
	return stateFromPieces(JSON.parse(JSON.stringify(stateToJson(state))) as unknown[])
}
