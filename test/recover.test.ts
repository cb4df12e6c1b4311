/** The state at a start is what the journal folds to, whatever snapshots say. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import type { NewEvent } from '../domain/event.ts'
import { evolve, initialState } from '../domain/state.ts'
import { statePieces, stateVersion } from '../domain/state-snapshot.ts'
import { recoverState, saveState } from '../src/recover.ts'

const mac = '02-00-00-00-00-01'

function accepted(n: number): NewEvent {
	return {
		stream: `subscriber-default.${mac}`,
		type: 'AccessAccepted',
		v: 1,
		at: n,
		data: {
			exchange: n,
			client: '10.0.0.1',
			server: '192.0.2.1',
			roundTripUs: 1,
			mac,
			wap: '00-11-22-33-44-55',
		},
	}
}

test('a snapshot taken after live folding is continued from where it was taken', () => {
	const journal = openMemoryJournal()
	const state = recoverState(journal, journal, assert.unreachable)
	for (let n = 1; n <= 3; n++) {
		const event = accepted(n)
		evolve(state, event)
		journal.append([event])
	}
	saveState(journal, state)
	journal.append([accepted(4)])
	const recovered = recoverState(journal.restart(), journal.restart(), assert.unreachable)
	assert.is(recovered.position, 4)
	assert.is(recovered.routers.get('default')!.sessions.get(mac)!.since, 1)
})

test('a snapshot that says another position than it was saved under is not used', () => {
	const journal = openMemoryJournal()
	journal.append([accepted(1), accepted(2)])
	const ahead = initialState()
	for (let n = 1; n <= 5; n++) evolve(ahead, accepted(n))
	journal.save('state', stateVersion, 1, statePieces(ahead))
	const warnings: string[] = []
	const state = recoverState(journal, journal, sentence => warnings.push(sentence))
	assert.is(state.position, 2)
	assert.is(warnings.length, 1)
	assert.match(warnings[0]!, 'it is ignored and the journal read instead')
})

test.run()
