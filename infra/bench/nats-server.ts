/** A `nats-server` of the bench's own, on a free port of the loopback address. */
import { setTimeout as sleep } from 'node:timers/promises'
import { start, type Workplace } from './processes.ts'

/** Resolves to its port. `flags`: such as those of JetStream. Throws with what it said where it fails. */
export async function startNatsServer(
	workplace: Workplace,
	flags: readonly string[] = [],
): Promise<number> {
	const args = ['-a', '127.0.0.1', '-p', '-1', ...flags]
	const child = start(workplace, 'nats-server', args, 'pipe')
	let output = ''
	child.stderr!.on('data', text => {
		output += text
	})
	for (let waited = 0; waited < 5000; waited += 50) {
		const port = /connections on 127.0.0.1:(\d+)/.exec(output)?.[1]
		if (port !== undefined && output.includes('Server is ready')) return Number(port)
		await sleep(50)
	}
	throw new Error(`nats-server did not start: ${output.slice(-300)}`)
}
