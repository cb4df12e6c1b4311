/** NATS servers and SRC adapters as processes of their own. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePorts } from '../../infra/free-ports.ts'
import { type Program, start, temporaryFolder, until } from './processes.ts'

export type NatsServer = {
	readonly port: number
	program(): Program
	/** Starts it again on the same port. */
	revive(): Promise<void>
}

const main = resolve(import.meta.dirname, '../../src/main.ts')

/**
 * A server on a free port of the loopback address; `configuration` as in its own files. `within` runs
 * it, such as `ip netns exec NAME`.
 */
export async function startNats(
	configuration = '',
	within: readonly string[] = [],
): Promise<NatsServer> {
	const file = join(temporaryFolder('nats'), 'nats.conf')
	writeFileSync(file, configuration)
	const run = async (port: number) => {
		const listen = ['-c', file, '-a', '127.0.0.1', '-p', `${port}`]
		const [command, ...args] = [...within, 'nats-server', ...listen]
		const program = start(command!, args)
		const listening = await until('nats-server listens', 10_000, () => {
			if (!program.running()) throw new Error(program.output())
			const output = program.output()
			if (!output.includes('Server is ready')) return undefined
			return /connections on 127.0.0.1:(\d+)/.exec(output)?.[1]
		})
		return { program, port: Number(listening) }
	}
	const [port] = (await freePorts(1)) as [number]
	let current = await run(port)
	return {
		port,
		program: () => current.program,
		async revive() {
			current = await run(port)
		},
	}
}

/** Three servers that know each other, with JetStream; the first is `servers[0]`. */
export async function startNatsCluster(): Promise<readonly NatsServer[]> {
	const routes = await freePorts(3)
	const urls = routes.map(port => `nats-route://127.0.0.1:${port}`).join(', ')
	return await Promise.all(
		routes.map((port, i) =>
			startNats(`
				server_name: n${i + 1}
				jetstream { store_dir: "${temporaryFolder(`jetstream-${i + 1}`)}" }
				cluster { name: test, listen: "127.0.0.1:${port}", routes: [${urls}] }
			`),
		),
	)
}

export type Adapter = {
	readonly program: Program
	readonly rulesFile: string
	writeRules(rules: string): void
}

/** Starts `radledger src-adapter`; `wait: false` does not wait until it is ready. */
export async function startAdapter(
	port: number,
	rules: string,
	{ flags = [] as readonly string[], wait = true, within = [] as readonly string[] } = {},
): Promise<Adapter> {
	const rulesFile = join(temporaryFolder('rules'), 'src.rules')
	writeFileSync(rulesFile, rules)
	const nats = flags.includes('--nats') ? [] : ['--nats', `nats://127.0.0.1:${port}`]
	const adapter = [process.execPath, main, 'src-adapter', '--rules', rulesFile, ...nats, ...flags]
	const [command, ...args] = [...within, ...adapter]
	const program = start(command!, args)
	if (wait) {
		await until('the SRC adapter is ready', 10_000, () => {
			if (!program.running()) throw new Error(program.output())
			return program.output().includes('"id":"ready"')
		})
	}
	return { program, rulesFile, writeRules: text => writeFileSync(rulesFile, text) }
}

/** Rules that give everybody one pool. */
export function onlyPool(name: string): string {
	return `default\n  pool ${name}\n`
}
