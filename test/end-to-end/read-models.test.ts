/** Read models cost CPU, so they are kept where somebody asked for them, and built on demand elsewhere. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { run, until } from './processes.ts'
import { readEvents, startRelay } from './relay-process.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const radledger = (...args: string[]) => run(process.execPath, [main, ...args])
const list = 'show radius relay accounting-domains'

/** Undefined while the file is there and its tables are not. */
function positionIn(data: string): number | undefined {
	const db = new DatabaseSync(join(data, 'views.db'), { readOnly: true, timeout: 2_000 })
	try {
		const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'checkpoint'").get()
		if (table === undefined) return undefined
		return Number(db.prepare('SELECT position FROM checkpoint').get()!['position'])
	} finally {
		db.close()
	}
}

test('a relay keeps no read models unless it is told to; they are built beside it', async () => {
	const relay = await startRelay({ servers: [] })
	try {
		const { data } = relay
		const { output } = await radledger('exec', '--data', data, list)
		assert.match(output, /^% This relay keeps no read models: start it with --views/)
		const past = await radledger('exec', '--data', data, 'show subscribers at -1s')
		assert.match(past.output, /There are no read models .*--views, or run "radledger views --data/)
		assert.not(existsSync(join(data, 'views.db')))
		const built = await radledger('views', '--data', data)
		assert.is(built.code, 0, built.output)
		assert.match(built.output, /views\.db has all \d+ events?\./)
		assert.is(positionIn(data), readEvents(data).length)
	} finally {
		await relay.stop()
	}
})

test('serve --views keeps them', async () => {
	const relay = await startRelay({ servers: [], flags: ['--views'] })
	try {
		const { data } = relay
		await until('the read models are there', 5_000, () => existsSync(join(data, 'views.db')))
		await until('they are up to date', 5_000, () => positionIn(data) === readEvents(data).length)
		await relay.exec('baseline radius relay')
		await until('they follow', 5_000, () => positionIn(data) === readEvents(data).length)
		assert.not.match(await relay.exec(list), /read models/)
	} finally {
		await relay.stop()
	}
})

test.run()
