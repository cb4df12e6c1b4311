/** Fail-stop: a relay that can record no more answers no more, says why, and ends. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { endAll, leaveOut, start, temporaryFolder, until } from './processes.ts'
import { readEvents, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

type SmallDisk = {
	/** The folder, as processes in the mount namespace call it. */
	readonly folder: string
	/** A command that runs another one in there. */
	readonly within: readonly string[]
	/** Copies the disk's content to a folder out here. */
	copy(): string
}

/**
 * A small file system in a mount namespace of its own, which lasts as long as the process that
 * holds it: nothing stays mounted, however the test ends.
 */
async function startSmallDisk(mebibytes: number): Promise<SmallDisk> {
	const folder = join(temporaryFolder('disk'), 'small')
	mkdirSync(folder)
	const script = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$0" && : > "$0/mounted" && exec sleep 120`
	const holder = start('unshare', ['--mount', 'sh', '-c', script, folder])
	const fromHere = `/proc/${holder.pid}/root${folder}`
	await until('the small disk is mounted', 5000, () => existsSync(join(fromHere, 'mounted')))
	return {
		folder,
		within: ['nsenter', '--target', String(holder.pid), '--mount', '--'],
		copy() {
			const copy = join(temporaryFolder('disk'), 'copy')
			cpSync(fromHere, copy, { recursive: true, filter: file => !statSync(file).isSocket() })
			return copy
		},
	}
}

const mayMount =
	spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt']).status === 0

test.after(endAll)

if (!mayMount) leaveOut('full disk', 'this user may not mount a file system (run as root)')
else {
	test('a full disk: no answer leaves unrecorded, the log says why, the exit code is not 0', async () => {
		const home = await startHomeServer(upstreamSecret)
		const disk = await startSmallDisk(3)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		const data = join(disk.folder, 'data')
		const relay = await startRelay({ servers: [server], data, within: disk.within })
		const load = await startLoad(relay, wapSecret, 32)
		const exit = await Promise.race([
			relay.program().exited,
			until('the relay ends', 60_000, () => !relay.program().running()).then(
				() => relay.program().exited,
			),
		])
		load.stop()
		assert.ok(exit.code !== 0 && exit.signal === null, `${exit.code} ${exit.signal}`)
		assert.match(relay.log(), /full|ENOSPC|no space/i)

		const events = readEvents(join(disk.copy(), 'data'))
		const requests = new Map(events.map(event => [event.position, event.data]))
		const recorded = new Set<unknown>()
		for (const { type, data: outcome } of events) {
			const request = requests.get(Number(outcome['exchange']))
			if (type === 'AccessAccepted') recorded.add(request?.['user'])
			if (type === 'AccountingAnswered') recorded.add(request?.['session'])
		}
		assert.ok(
			load.accepted.size > 100,
			`only ${load.accepted.size} logins before the disk was full`,
		)
		for (const n of load.accepted) assert.ok(recorded.has(`user${n}`), `login ${n}`)
		for (const n of load.accounted) assert.ok(recorded.has(String(n)), `accounting ${n}`)
	})
}

test.run()
