/** The loopback node's store when it is told to keep the newest events only. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newStore, type Proposed } from './eventstoredb/store.ts'

function proposed(id: string): Proposed {
	const octets = new Uint8Array([1, 2, 3])
	return { id, type: 'T', contentType: 'application/json', data: octets, metadata: octets }
}

test('it forgets what is old, and never the newest event of a stream, nor its revisions', () => {
	const store = newStore(10)
	store.append('quiet', -1, [proposed('q')])
	for (let n = 0; n < 1000; n++) store.append('busy', n - 1, [proposed(`b${n}`)])
	assert.ok(store.all().length <= 21, `${store.all().length} are kept`)
	const busy = store.read('busy')
	assert.ok(Array.isArray(busy) && busy.length >= 10)
	assert.is((busy as { revision: number }[]).at(-1)!.revision, 999)
	const quiet = store.read('quiet')
	assert.ok(Array.isArray(quiet) && quiet.length === 1 && quiet[0].id === 'q')
	assert.is(store.append('quiet', 0, [proposed('q2')]).kind, 'appended')
	assert.is(store.append('busy', 500, [proposed('other')]).kind, 'wrong-revision')
})

test('it keeps everything otherwise', () => {
	const store = newStore()
	for (let n = 0; n < 1000; n++) store.append('busy', n - 1, [proposed(`b${n}`)])
	assert.is(store.all().length, 1000)
})

test.run()
