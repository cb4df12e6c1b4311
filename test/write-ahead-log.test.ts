/** The write-ahead log's length, and its keeper: when a checkpoint is asked for, and when the log is begun anew. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import workerThreads, { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import * as keeper from '../adapters/journal/keeper-signal.ts'
import { openToWrite } from '../adapters/journal/schema.ts'
import { checkpointPauseMs, openLog } from '../adapters/journal/write-ahead-log.ts'
import { numberedEvents } from './journal-events.ts'

const base = mkdtempSync(join(tmpdir(), 'radledger-log-'))
test.after(() => rmSync(base, { recursive: true, force: true }))

let folders = 0
const newFolder = () => join(base, String(++folders))

/** A log of 1,000 frames whose keeper, database and clock the test is. */
function withLog(
	task: (log: {
		/** A commit of so many frames at so many milliseconds. */
		commit(frames: number, at: number): void
		isAsked(): boolean
		/** The keeper's answer: frames of the log, those that are checkpointed, microseconds. */
		done(frames: number, checkpointed: number, us?: number): void
		restarts(): number
		/** What the next restarts come to. */
		busyWith(frames: number): void
		scrub(): boolean
		/** Whether the keeper was told to build the index by stream anew. */
		isIndexOld(): boolean
		readonly warnings: readonly string[]
	}) => void,
): void {
	const folder = newFolder()
	mkdirSync(folder)
	writeFileSync(join(folder, 'journal.db-wal'), '')
	const { Worker: real } = workerThreads
	const { now } = performance
	let signal: keeper.KeeperSignal | undefined
	let [time, restarts, busy] = [0, 0, 0]
	const warnings: string[] = []
	workerThreads.Worker = class {
		constructor(_: URL, options: { workerData: keeper.KeeperData }) {
			signal = options.workerData.signal
		}
		on() {}
		unref() {}
		async terminate() {}
	} as unknown as typeof real
	performance.now = () => time
	syncBuiltinESMExports()
	const restart = () => {
		restarts++
		return { busy: busy > 0 ? 1 : 0, log: busy }
	}
	const db = { prepare: () => ({ get: restart }) } as unknown as DatabaseSync
	try {
		const log = openLog(db, folder, 1000 * 4096, false, sentence => warnings.push(sentence))
		const at = (slot: number) => Atomics.load(signal!, slot)
		task({
			commit(frames, when) {
				time = when
				log.grown((frames - 2) * 4096)
			},
			isAsked: () => at(keeper.checkpoint) === keeper.checkpointAsked,
			done(frames, checkpointed, us = 0) {
				Atomics.store(signal!, keeper.logFrames, frames)
				Atomics.store(signal!, keeper.checkpointedFrames, checkpointed)
				Atomics.store(signal!, keeper.checkpointUs, us)
				Atomics.store(signal!, keeper.checkpoint, keeper.checkpointDone)
			},
			restarts: () => restarts,
			scrub: log.scrub,
			isIndexOld: () => at(keeper.reindex) === 1,
			busyWith: frames => {
				busy = frames
			},
			warnings,
		})
		Atomics.store(signal!, keeper.stopped, 1)
		log.close()
	} finally {
		workerThreads.Worker = real
		performance.now = now
		syncBuiltinESMExports()
	}
}

test('the keeper is asked for a checkpoint after 128 frames, and has its rest between two', () =>
	withLog(({ commit, isAsked, done, restarts }) => {
		commit(127, 1000)
		assert.not(isAsked())
		commit(2, 1000)
		assert.ok(isAsked())
		done(129, 129, 50_000)
		commit(130, 1199)
		assert.not(isAsked(), 'four times as long as the last one took')
		commit(2, 1200)
		assert.ok(isAsked())
		done(261, 261)
		commit(130, 1209)
		assert.not(isAsked())
		commit(2, 1210)
		assert.ok(isAsked())
		assert.is(restarts(), 0)
	}))

test('a log of its full length is begun anew when the keeper has left little of it', () =>
	withLog(({ commit, isAsked, done, restarts }) => {
		commit(900, 1000)
		done(900, 900)
		commit(99, 1001)
		assert.not(isAsked())
		commit(2, 1001)
		assert.ok(isAsked(), 'at its full length without a rest')
		assert.is(restarts(), 0, 'a hundred frames are too many for a commit to wait for')
		done(1001, 940)
		commit(4, 1002)
		assert.is(restarts(), 0)
		done(1005, 945)
		commit(4, 1003)
		assert.is(restarts(), 1)
		assert.not(isAsked())
		commit(127, 1100)
		assert.not(isAsked(), 'the log is short again')
	}))

test('a log of twice its length is begun anew whatever is left, and of four times whatever the keeper does', () => {
	withLog(({ commit, done, restarts }) => {
		commit(900, 1000)
		done(900, 0)
		commit(1099, 1001)
		done(1999, 0)
		assert.is(restarts(), 0)
		commit(2, 1002)
		assert.is(restarts(), 1)
	})
	withLog(({ commit, isAsked, restarts }) => {
		commit(129, 1000)
		assert.ok(isAsked())
		commit(3870, 1001)
		assert.is(restarts(), 0)
		commit(2, 1002)
		assert.is(restarts(), 1)
	})
})

test('a log that was emptied begins at nothing, and its index is built anew', () =>
	withLog(({ commit, isAsked, done, busyWith, scrub, isIndexOld }) => {
		commit(900, 1000)
		done(900, 900)
		commit(99, 1001)
		busyWith(1)
		assert.not(scrub())
		assert.not(isIndexOld())
		busyWith(0)
		assert.ok(scrub())
		assert.ok(isIndexOld())
		commit(127, 1100)
		assert.not(isAsked())
		commit(2, 1100)
		assert.ok(isAsked())
	}))

test('a log that cannot be begun anew is warned of once, until it can', () =>
	withLog(({ commit, busyWith, restarts, warnings }) => {
		commit(129, 1000)
		busyWith(4000)
		commit(4000, 1001)
		assert.equal([restarts(), warnings.length], [1, 0])
		busyWith(4001)
		for (let times = 0; times < 3; times++) commit(2, 1002)
		assert.is(warnings.length, 1)
		busyWith(0)
		commit(2, 1003)
		busyWith(4001)
		commit(5000, 1004)
		assert.is(warnings.length, 2)
	}))

test('checkpoints leave a slow disk three quarters of its time, and a fast one has a hundred a second', () => {
	assert.is(checkpointPauseMs(0), 10)
	assert.is(checkpointPauseMs(1_000), 10)
	assert.is(checkpointPauseMs(50_000), 200)
})

test('the keeper checkpoints when it is asked, and tells how far and how long that took', async () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	journal.append(numberedEvents(1, 500))
	journal.close()
	const { db } = openToWrite(folder, journal.id)
	const add = () =>
		db.exec('INSERT INTO batch SELECT max(first) + 500, count, streams, events FROM batch')
	const signal = keeper.newKeeperSignal()
	const worker = new Worker(new URL('../adapters/journal/keeper.ts', import.meta.url), {
		workerData: { folder, signal } satisfies keeper.KeeperData,
	})
	worker.on('message', assert.unreachable)
	const told = async (slot: number, wanted: number) => {
		for (let turns = 0; Atomics.load(signal, slot) !== wanted; turns++) {
			assert.ok(turns < 2000, `the keeper does not tell ${slot}`)
			await new Promise(resolve => setTimeout(resolve, 5))
		}
	}
	const checkpoint = async () => {
		Atomics.store(signal, keeper.checkpoint, keeper.checkpointAsked)
		keeper.wake(signal)
		await told(keeper.checkpoint, keeper.checkpointDone)
		return [keeper.logFrames, keeper.checkpointedFrames].map(slot => Atomics.load(signal, slot))
	}
	try {
		add()
		const [log, checkpointed] = await checkpoint()
		assert.ok(log! > 0)
		assert.is(checkpointed, log)
		add()
		const begun = performance.now()
		const other = new DatabaseSync(join(folder, 'journal.db'), { readOnly: true })
		other.exec('BEGIN')
		other.prepare('SELECT count(*) FROM batch').get()
		add()
		const [longer, kept] = await checkpoint()
		assert.ok(kept! < longer!, 'a reader needs the rest as it was')
		other.close()
		const us = Atomics.load(signal, keeper.checkpointUs)
		assert.ok(us >= 1 && us <= (performance.now() - begun) * 1000, `${us} us`)
		Atomics.store(signal, keeper.reindex, 1)
		keeper.wake(signal)
		await told(keeper.reindex, 0)
	} finally {
		Atomics.store(signal, keeper.stop, 1)
		keeper.wake(signal)
		await told(keeper.stopped, 1)
		await worker.terminate()
		db.close()
	}
})

test.run()
