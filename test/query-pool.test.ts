/** Threads that answer questions about history: never more than may be, and none that is lost is missed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Question } from '../adapters/http/history.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openQueryPool } from '../src/query-pool.ts'
import { followed, lifeEvents } from './view-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-pool-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const journal = openJournal({ folder })
journal.append(lifeEvents(2000))
followed(journal, viewsFile(folder))
journal.close()

function pool(limitMs?: number) {
	const troubles: string[] = []
	const settings = { folder, horizon: undefined, onTrouble: (text: string) => troubles.push(text) }
	return {
		...openQueryPool({ ...settings, ...(limitMs === undefined ? {} : { limitMs }) }),
		troubles,
	}
}

const sessions: Question = {
	...{ operation: 'listSessions', values: { state: 'all' }, limit: 3, after: undefined },
	...{ format: 'json', address: '/api/v1/sessions' },
}

test('more questions than threads are all answered, each with its own answer', async () => {
	const { ask, counts, close, troubles } = pool()
	const limits = Array.from({ length: 12 }, (_, i) => i + 1)
	const asked = limits.map(limit => ask({ ...sessions, limit }))
	assert.is(counts().waiting, 10, 'two are being answered')
	for (const [index, answer] of (await Promise.all(asked)).entries()) {
		assert.is(answer.kind, 'text')
		if (answer.kind === 'text') assert.is(JSON.parse(answer.body).items.length, limits[index])
	}
	assert.equal(counts(), { waiting: 0, tooSlow: 0, threadsLost: 0 })
	assert.equal(troubles, [])
	await close()
})

test('a question that has had its time is told so and counted, and the thread goes on', async () => {
	const { ask, counts, close } = pool(0)
	for (let i = 1; i <= 4; i++) {
		const answer = await ask(sessions)
		assert.is(answer.kind === 'problem' && answer.problem.kind, 'too-slow')
		assert.is(counts().tooSlow, i)
	}
	assert.is(counts().threadsLost, 0)
	await close()
})

test('what a thread cannot answer is for the log, and nobody waits for it', async () => {
	const { ask, close } = pool()
	const answer = await ask({ ...sessions, operation: 'noSuchThing' })
	assert.is(answer.kind, 'error')
	await close()
})

test.run()
