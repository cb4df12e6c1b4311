/** The relays that are measured, and the home server behind them: how each is configured and started. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePorts } from '../free-ports.ts'
import { start, udpPortIsBound, type Workplace, waitUntil } from './processes.ts'

export const relayNames = [
	'radledger',
	'radledger-unsealed',
	'radsecproxy',
	'radsecproxy-logging',
	'freeradius',
	'freeradius-detail',
] as const
export type RelayName = (typeof relayNames)[number]

/** How each relay is called in the tables. */
export const relayTitles: Readonly<Record<RelayName, string>> = {
	radledger: 'radledger, everything durable',
	'radledger-unsealed': 'radledger, to be sealed later',
	radsecproxy: 'radsecproxy, not logging',
	'radsecproxy-logging': 'radsecproxy, a log line each',
	freeradius: 'FreeRADIUS proxy',
	'freeradius-detail': 'FreeRADIUS, detail files',
}

export const kinds = ['eap', 'accounting'] as const
export type Kind = (typeof kinds)[number]

/** The UDP ports of 127.0.0.1 for each kind of request. */
export type Ports = Readonly<Record<Kind, number>>

export type Relay = {
	readonly name: RelayName
	readonly pid: number
	readonly ports: Ports
	/** Files that grow with every request and are emptied between rounds. */
	readonly logs: readonly string[]
}

/** A relay that could not be started, and the reason as a sentence. */
export type Skipped = { readonly name: RelayName; readonly reason: string }

const startLimitMs = 15_000

/** Starts the home servers: one for each kind, as Status-Server is answered by kind. */
export async function startSinks(
	workplace: Workplace,
	radload: string,
): Promise<Ports & { readonly pids: readonly number[] }> {
	const [eap, accounting] = (await freePorts(2)) as [number, number]
	const pids = [
		start(workplace, radload, ['--sink', `${eap}`]).pid,
		start(workplace, radload, ['--accounting-sink', `${accounting}`]).pid,
	]
	if (!(await waitUntil(() => udpPortIsBound(eap) && udpPortIsBound(accounting), startLimitMs))) {
		throw new Error('The home server of the bench (radload --sink) did not come up.')
	}
	return { eap, accounting, pids }
}

/** Starts the wanted relays. One that cannot run is left out, with the reason. */
export async function startRelays(
	workplace: Workplace,
	sinks: Ports,
	wanted: ReadonlySet<RelayName>,
): Promise<(Relay | Skipped)[]> {
	const started: (Relay | Skipped)[] = []
	for (const name of ['radledger', 'radledger-unsealed'] as const) {
		if (!wanted.has(name)) continue
		const flags = name === 'radledger' ? [] : ['--no-seal']
		started.push({ ...(await startRadledger(workplace, sinks, name, flags)), name })
	}
	if (wanted.has('radsecproxy')) started.push(await startRadsecproxy(workplace, sinks, false))
	if (wanted.has('radsecproxy-logging'))
		started.push(await startRadsecproxy(workplace, sinks, true))
	if (wanted.has('freeradius') || wanted.has('freeradius-detail')) {
		const both = await startFreeradius(workplace, sinks)
		started.push(...both.filter(relay => wanted.has(relay.name)))
	}
	return started
}

/** What the peers call themselves, for the table. */
export function peerVersions(): string[] {
	const versions = []
	const radsecproxy = /revision (\S+)/.exec(outputOf('radsecproxy', ['-v']))?.[1]
	if (radsecproxy !== undefined) versions.push(`radsecproxy ${radsecproxy}`)
	const freeradius = /FreeRADIUS Version ([\w.]+)/.exec(outputOf('freeradius', ['-v']))?.[1]
	if (freeradius !== undefined) versions.push(`FreeRADIUS ${freeradius}`)
	const kea = /^(\d[\w.]*)/.exec(outputOf('kea-dhcp4', ['-v']))?.[1]
	if (kea !== undefined) versions.push(`Kea ${kea}`)
	return versions
}

/** The relay with its journal in a folder of that name; `flags`: further ones of `serve`. */
export async function startRadledger(
	workplace: Workplace,
	sinks: Ports,
	folderName = 'radledger',
	flags: readonly string[] = [],
): Promise<Relay | Skipped> {
	const name = 'radledger'
	const main = join(import.meta.dirname, '../../src/main.ts')
	if (!existsSync(main)) return { name, reason: 'src/main.ts is not there.' }
	const folder = folderFor(workplace, folderName)
	const [eap, accounting] = (await freePorts(2)) as [number, number]
	const ports = { eap, accounting }
	const config = configure(folder, 'radledger.conf', sinks, ports)
	const args = [main, 'serve', '--config', config, '--data', join(folder, 'data'), ...flags]
	const child = start(workplace, process.execPath, args, 'pipe')
	let ready = false
	let ended = false
	let lastLine = ''
	createInterface({ input: child.stderr! }).on('line', line => {
		lastLine = line
		if (/"msg":"[^"]*ready/.test(line)) ready = true
	})
	child.once('exit', () => {
		ended = true
	})
	await waitUntil(() => ready || ended, startLimitMs)
	if (ready && !ended) return { name, pid: child.pid, ports, logs: [] }
	return { name, reason: `It did not get ready. Its last line: ${lastLine || '(none)'}` }
}

/** Runs as a daemon: in the foreground it would write its log to standard error instead. */
async function startRadsecproxy(
	workplace: Workplace,
	sinks: Ports,
	logging: boolean,
): Promise<Relay | Skipped> {
	const name = logging ? 'radsecproxy-logging' : 'radsecproxy'
	const folder = folderFor(workplace, name)
	const [port] = (await freePorts(1)) as [number]
	const ports = { eap: port, accounting: port }
	const level = logging ? '4' : '1'
	const config = configure(folder, 'radsecproxy.conf', sinks, ports, { LOG_LEVEL: level })
	const pidFile = join(folder, 'pid')
	const log = join(folder, 'radsecproxy.log')
	const begun = spawnSync('radsecproxy', ['-c', config, '-i', pidFile], { timeout: startLimitMs })
	if (begun.error !== undefined) return { name, reason: `${begun.error.message}. Is it installed?` }
	const pidIsWritten = () => existsSync(pidFile) && readFileSync(pidFile, 'latin1').endsWith('\n')
	if (!(await waitUntil(pidIsWritten, startLimitMs))) return { name, reason: failureIn(log) }
	const pid = Number(readFileSync(pidFile, 'latin1'))
	workplace.watch(pid)
	if (!(await waitUntil(() => udpPortIsBound(port), startLimitMs))) {
		return { name, reason: failureIn(log) }
	}
	return { name, pid, ports, logs: [log] }
}

/** One process that is two relays: each virtual server has ports of its own. */
async function startFreeradius(workplace: Workplace, sinks: Ports): Promise<(Relay | Skipped)[]> {
	const folder = folderFor(workplace, 'freeradius')
	const detail = join(folder, 'detail', 'all')
	const [eap, accounting, eap2, accounting2] = (await freePorts(4)) as [
		number,
		number,
		number,
		number,
	]
	const plain = { eap, accounting }
	const recording = { eap: eap2, accounting: accounting2 }
	configure(folder, 'freeradius.conf', sinks, plain, {
		DETAIL_AUTHENTICATION: `${recording.eap}`,
		DETAIL_ACCOUNTING: `${recording.accounting}`,
	})
	const skip = (reason: string): Skipped[] => [
		{ name: 'freeradius', reason },
		{ name: 'freeradius-detail', reason },
	]
	if (outputOf('freeradius', ['-v']) === '') return skip('The command freeradius is not there.')
	const child = start(workplace, 'freeradius', ['-f', '-d', folder, '-n', 'freeradius'])
	const all = [...Object.values(plain), ...Object.values(recording)]
	if (!(await waitUntil(() => all.every(udpPortIsBound), startLimitMs))) {
		return skip(failureIn(join(folder, 'radius.log')))
	}
	return [
		{ name: 'freeradius', pid: child.pid, ports: plain, logs: [] },
		{ name: 'freeradius-detail', pid: child.pid, ports: recording, logs: [detail] },
	]
}

/** Bytes that the relay's growing files hold. */
export function logBytes(relay: Relay): number {
	return relay.logs.reduce((sum, log) => sum + (existsSync(log) ? statSync(log).size : 0), 0)
}

/** Both peers append to their open files: emptying them in place is safe. */
export function emptyLogs(relay: Relay): void {
	for (const log of relay.logs) if (existsSync(log)) truncateSync(log)
}

function folderFor(workplace: Workplace, name: string): string {
	const folder = join(workplace.folder, name)
	mkdirSync(folder)
	return folder
}

/** Fills a configuration of this folder in and returns where the result is. */
function configure(
	folder: string,
	file: string,
	sinks: Ports,
	ports: Ports,
	more: Readonly<Record<string, string>> = {},
): string {
	const values: Readonly<Record<string, string>> = {
		FOLDER: folder,
		AUTHENTICATION_SINK: `${sinks.eap}`,
		ACCOUNTING_SINK: `${sinks.accounting}`,
		AUTHENTICATION: `${ports.eap}`,
		ACCOUNTING: `${ports.accounting}`,
		...more,
	}
	const text = readFileSync(join(import.meta.dirname, file), 'utf8')
	const target = join(folder, file)
	writeFileSync(
		target,
		text.replace(/@([A-Z_]+)@/g, (whole, name: string) => values[name] ?? whole),
	)
	return target
}

function failureIn(log: string): string {
	if (!existsSync(log)) return 'It did not start, and left no log.'
	const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
	return `It did not start. Its last line: ${lines.at(-1)}`
}

function outputOf(command: string, args: readonly string[]): string {
	const { stdout, stderr } = spawnSync(command, args, { timeout: 5000, encoding: 'utf8' })
	return `${stdout ?? ''}${stderr ?? ''}`
}
