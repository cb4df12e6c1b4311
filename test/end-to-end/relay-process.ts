/**
 * The relay as its operator runs it: a process of its own, a configuration file, a data folder.
 * Tests speak to it over UDP and through `exec`, and read its journal with SQL as an auditor would.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { freePorts } from '../../infra/free-ports.ts'
import { type Program, run, start, temporaryFolder, until } from './processes.ts'

/** Different on each side, so that nothing encrypted for one hop can pass on the other. */
export const wapSecret = 'secret-of-the-wap-hop'
export const upstreamSecret = 'secret-of-the-upstream-hop'

const main = resolve(import.meta.dirname, '../../src/main.ts')

type Server = {
	readonly address: string
	readonly authentication: number
	readonly accounting: number
}

export type RelayOptions = {
	readonly servers: readonly Server[]
	/** Commands below each `radius ... server`; one second of timeout unless told otherwise. */
	readonly upstream?: readonly string[]
	/** Commands below each `radius relay ... server`. */
	readonly relay?: readonly string[]
	/** Commands at the top. */
	readonly global?: readonly string[]
	/** Client network: address and mask. */
	readonly clients?: string
	/** Folder for the journal; one of its own unless told otherwise. */
	readonly data?: string
	/** Further flags of `serve`. */
	readonly flags?: readonly string[]
	/** A command that runs the relay, such as `nsenter` with its arguments. */
	readonly within?: readonly string[]
}

export type RecordedEvent = {
	readonly position: number
	readonly stream: string
	readonly type: string
	readonly data: Record<string, unknown>
}

export type RelayProcess = {
	/** The ports that WAPs talk to, on 127.0.0.1. */
	readonly authentication: number
	readonly accounting: number
	readonly data: string
	readonly config: string
	/** What it wrote to its log since it was last started. */
	log(): string
	program(): Program
	/** Runs a shell command; throws when it fails. */
	exec(command: string): Promise<string>
	/** The number in a row of `show radius relay SERVICE statistics`. */
	figure(service: 'authentication' | 'accounting', row: string): Promise<number>
	/** Waits until a row has that value; rows follow the journal, so they come a moment later. */
	expectFigure(service: 'authentication' | 'accounting', row: string, value: number): Promise<void>
	events(...types: string[]): RecordedEvent[]
	stop(): Promise<void>
	kill(): Promise<void>
	/** Starts it again with the same configuration file and data folder. */
	restart(): Promise<void>
}

function configurationText(
	options: RelayOptions,
	authentication: number,
	accounting: number,
): string {
	const ports = { authentication, accounting }
	const lines = ['hostname test', ...(options.global ?? [])]
	for (const service of ['authentication', 'accounting'] as const) {
		for (const server of options.servers) {
			lines.push(`radius ${service} server ${server.address}`, ` key ${upstreamSecret}`)
			lines.push(` udp-port ${server[service]}`)
			lines.push(...(options.upstream ?? ['timeout 1']).map(line => ` ${line}`), 'exit')
		}
		lines.push(`radius relay ${service} server`)
		lines.push(` key ${options.clients ?? '127.0.0.0 255.0.0.0'} ${wapSecret}`)
		lines.push(' listen-address 127.0.0.1', ` udp-port ${ports[service]}`)
		lines.push(...(options.relay ?? []).map(line => ` ${line}`), 'exit')
	}
	return `${lines.join('\n')}\n`
}

/** The number at the end of a statistics row. */
export function figureIn(output: string, row: string): number {
	const line = output.split('\n').find(text => text.trim().startsWith(row))
	const figure = line?.trim().match(/(\d+)$/)?.[1]
	if (figure === undefined) throw new Error(`No row "${row}" in:\n${output}`)
	return Number(figure)
}

/** Events of a journal, read with plain SQL through its view `event`. */
export function readEvents(data: string, types: readonly string[] = []): RecordedEvent[] {
	const journal = new DatabaseSync(join(data, 'journal.db'), { readOnly: true })
	try {
		const rows = journal
			.prepare('SELECT position, stream, type, data FROM event ORDER BY position')
			.all() as { position: number; stream: string; type: string; data: string }[]
		return rows
			.filter(row => types.length === 0 || types.includes(row.type))
			.map(row => ({ ...row, data: JSON.parse(row.data) }))
	} finally {
		journal.close()
	}
}

export async function startRelay(options: RelayOptions): Promise<RelayProcess> {
	const [authentication, accounting] = (await freePorts(2)) as [number, number]
	const folder = temporaryFolder('relay')
	const data = options.data ?? join(folder, 'data')
	const config = join(folder, 'radledger.conf')
	writeFileSync(config, configurationText(options, authentication, accounting))
	let program: Program
	async function launch(): Promise<void> {
		const flags = ['--config', config, '--data', data, ...(options.flags ?? [])]
		const serve = [process.execPath, main, 'serve', ...flags]
		const [command, ...args] = [...(options.within ?? []), ...serve] as [string, ...string[]]
		program = start(command, args)
		await until('the relay is ready', 15_000, () => {
			if (!program.running()) throw new Error(`The relay ended:\n${program.output()}`)
			return /"msg":"[^"]*ready/.test(program.output())
		})
	}
	async function exec(command: string): Promise<string> {
		const { code, output } = await run(process.execPath, [main, 'exec', '--data', data, command])
		if (code !== 0) throw new Error(`exec "${command}" ended with ${code}:\n${output}`)
		return output
	}
	const figure = async (service: string, row: string) =>
		figureIn(await exec(`show radius relay ${service} statistics`), row)
	await launch()
	return {
		authentication,
		accounting,
		data,
		config,
		log: () => program.output(),
		program: () => program,
		exec,
		figure,
		async expectFigure(service, row, value) {
			let seen: number | undefined
			await until(`${service} row "${row}" is ${value}`, 5000, async () => {
				seen = await figure(service, row)
				return seen === value
			}).catch(error => {
				throw new Error(`${error.message}; it is ${seen}`)
			})
		},
		events: (...types) => (existsSync(join(data, 'journal.db')) ? readEvents(data, types) : []),
		async stop() {
			await program.end('SIGTERM')
		},
		async kill() {
			await program.end('SIGKILL')
		},
		restart: launch,
	}
}
