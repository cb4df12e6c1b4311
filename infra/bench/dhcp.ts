/**
 * 4-way DHCP exchanges (DISCOVER, OFFER, REQUEST, ACK) by ISC's perfdhcp, which begins them at a rate,
 * and by a generator of our own, whose clients begin another as soon as they have their address; both
 * are relay agents to the server. radledger with its journal on, sealed meanwhile or later, and Kea with
 * its memfile backend, by turns. Each server has a network namespace of its own, joined to the load's by a virtual cable.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildGenerator, rest } from './load.ts'
import { openWorkplace, run, start, type Workplace, waitUntil } from './processes.ts'
import { processorUsBetween, readProcessorTime } from './processor-time.ts'

export const dhcpServers = ['radledger', 'radledger-unsealed', 'kea'] as const
export type DhcpServer = (typeof dhcpServers)[number]

export type DhcpSample = {
	readonly server: DhcpServer
	readonly round: number
	/** Exchanges a second that perfdhcp begins; 0: so many clients at once, of our own generator. */
	readonly offered: number
	readonly exchangesPerSecond: number
	/** Of the whole server process, what it put off until after the load included. */
	readonly cpuUsPerExchange: number
	/** Exchanges that were begun and not ended. */
	readonly lost: number
}

type Running = {
	readonly name: DhcpServer
	readonly pid: number
	readonly address: string
	readonly agent: string
}

/** The loads, one after the other; at the best of them stands the server's rate. */
export const offeredRates: readonly number[] = [0, 4000, 8000, 16_000, 20_000, 28_000]
export const clientsAtOnce = 64
const clients = 200_000
const warmUpSeconds = 6
const startLimitMs = 15_000
const main = join(import.meta.dirname, '../../src/main.ts')
const programs = ['ip', 'perfdhcp', 'kea-dhcp4', 'cc']

/** Measures in namespaces of this process, in a folder below `parent`. A sentence where that is not possible. */
export async function measureDhcp(
	parent: string,
	rounds: number,
	seconds: number,
	note: (text: string) => void,
): Promise<DhcpSample[] | string> {
	const obstacle = obstacleTo()
	if (obstacle !== undefined) return obstacle
	const prefix = `radledger-bench-${process.pid}`
	const close = () => {
		for (const name of ['load', ...dhcpServers]) ip('netns', 'delete', `${prefix}-${name}`)
	}
	process.once('exit', close)
	const workplace = openWorkplace(parent)
	try {
		const generator = await buildGenerator(parent, 'dhcpload')
		const bench = { within: ['netns', 'exec', `${prefix}-load`], generator }
		const servers = await startServers(workplace, prefix)
		const samples: DhcpSample[] = []
		// Once for nothing: just-in-time compilers finish, and Kea's memory is there.
		for (const server of servers) await measure(bench, server, -1, 0, warmUpSeconds)
		for (let round = 0; round < rounds; round++) {
			note(`DHCP, round ${round + 1} of ${rounds}`)
			const turns = round % 2 === 0 ? servers : servers.toReversed()
			for (const offered of offeredRates) {
				for (const server of turns) {
					samples.push(await measure(bench, server, round, offered, seconds))
				}
			}
		}
		return samples
	} finally {
		process.removeListener('exit', close)
		await workplace.close()
		close()
	}
}

function obstacleTo(): string | undefined {
	if (process.platform !== 'linux') return 'It needs network namespaces, which only Linux has.'
	if (process.getuid?.() !== 0) return 'Only root may make network namespaces and bind port 67.'
	const missing = programs.filter(name => spawnSync('which', [name]).status !== 0)
	if (missing.length > 0) return `Not installed: ${missing.join(', ')}.`
	return undefined
}

function ip(...args: readonly string[]): string {
	const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
	return status === 0 ? '' : `ip ${args.join(' ')}: ${stderr}`
}

function mustIp(...args: readonly string[]): void {
	const failure = ip(...args)
	if (failure !== '') throw new Error(failure)
}

async function startServers(workplace: Workplace, prefix: string): Promise<Running[]> {
	addNamespace(`${prefix}-load`)
	const running: Running[] = []
	for (const [n, name] of dhcpServers.entries()) {
		const namespace = `${prefix}-${name}`
		// Networks of 2^20 addresses each: 10.16.0.0/12, 10.32.0.0/12, 10.48.0.0/12.
		const network = `10.${16 * (n + 1)}`
		addNamespace(namespace)
		const peer = ['peer', 'name', `c${n}`, 'netns', `${prefix}-load`]
		mustIp('-n', namespace, 'link', 'add', 's0', 'type', 'veth', ...peer)
		mustIp('-n', namespace, 'address', 'add', `${network}.0.1/12`, 'dev', 's0')
		mustIp('-n', `${prefix}-load`, 'address', 'add', `${network}.0.2/12`, 'dev', `c${n}`)
		mustIp('-n', namespace, 'link', 'set', 's0', 'up')
		mustIp('-n', `${prefix}-load`, 'link', 'set', `c${n}`, 'up')
		const folder = join(workplace.folder, name)
		mkdirSync(folder)
		const begin = starts[name]
		const pid = begin(workplace, namespace, folder, network)
		await untilBound(name, namespace, pid)
		running.push({ name, pid, address: `${network}.0.1`, agent: `${network}.0.2` })
	}
	return running
}

function addNamespace(name: string): void {
	mustIp('netns', 'add', name)
	mustIp('-n', name, 'link', 'set', 'lo', 'up')
}

async function untilBound(name: string, namespace: string, pid: number): Promise<void> {
	const isBound = () => {
		const args = ['netns', 'exec', namespace, 'cat', '/proc/net/udp']
		return / [0-9A-F]{8}:0043 /.test(spawnSync('ip', args, { encoding: 'utf8' }).stdout)
	}
	if (await waitUntil(isBound, startLimitMs)) return
	throw new Error(`${name} (process ${pid}) does not listen on port 67.`)
}

type Start = (workplace: Workplace, namespace: string, folder: string, network: string) => number

const starts: Readonly<Record<DhcpServer, Start>> = {
	radledger: (...at) => startRadledger(...at, []),
	'radledger-unsealed': (...at) => startRadledger(...at, ['--no-seal']),
	kea: startKea,
}

function startRadledger(
	workplace: Workplace,
	namespace: string,
	folder: string,
	network: string,
	flags: readonly string[],
): number {
	const config = join(folder, 'radledger.conf')
	const lines = [
		'service dhcp-local standalone',
		'ip dhcp-local pool bench',
		` network ${network}.0.0 255.240.0.0`,
		` default-router ${network}.0.1`,
		' lease 1',
		'exit',
		`ip dhcp-local excluded-address ${network}.0.0 ${network}.0.255`,
	]
	writeFileSync(config, `${lines.join('\n')}\n`)
	const serve = [main, 'serve', '--config', config, '--data', join(folder, 'data'), ...flags]
	return start(workplace, 'ip', ['netns', 'exec', namespace, process.execPath, ...serve]).pid
}

function startKea(
	workplace: Workplace,
	namespace: string,
	folder: string,
	network: string,
): number {
	const config = join(folder, 'kea.json')
	const [first, second] = network.split('.').map(Number) as [number, number]
	const pool = `${network}.1.0-${first}.${second + 15}.255.254`
	const dhcp4 = {
		'interfaces-config': { interfaces: ['s0'], 'dhcp-socket-type': 'udp' },
		'lease-database': {
			...{ type: 'memfile', persist: true, 'lfc-interval': 0 },
			name: join(folder, 'leases.csv'),
		},
		'valid-lifetime': 86_400,
		subnet4: [
			{
				...{ subnet: `${network}.0.0/12`, pools: [{ pool }] },
				'option-data': [{ name: 'routers', data: `${network}.0.1` }],
			},
		],
		loggers: [{ name: 'kea-dhcp4', severity: 'ERROR', output_options: [{ output: 'stderr' }] }],
	}
	writeFileSync(config, JSON.stringify({ Dhcp4: dhcp4 }))
	// Its pid and lock files would otherwise be the system's.
	const own = [`KEA_PIDFILE_DIR=${folder}`, `KEA_LOCKFILE_DIR=${folder}`]
	const command = ['env', ...own, 'kea-dhcp4', '-c', config]
	return start(workplace, 'ip', ['netns', 'exec', namespace, ...command]).pid
}

type Bench = { readonly within: readonly string[]; readonly generator: string }

async function measure(
	bench: Bench,
	server: Running,
	round: number,
	offered: number,
	seconds: number,
): Promise<DhcpSample> {
	const { name, pid } = server
	const before = readProcessorTime(pid)
	const { begun, acknowledged } =
		offered === 0
			? await generate(bench, server, round, seconds)
			: await perfdhcp(bench, server, round, offered, seconds)
	await rest(pid)
	const cpuUs = processorUsBetween(before, readProcessorTime(pid))
	return {
		server: name,
		round,
		offered,
		exchangesPerSecond: acknowledged / seconds,
		cpuUsPerExchange: cpuUs / acknowledged,
		lost: begun - acknowledged,
	}
}

type Counts = { readonly begun: number; readonly acknowledged: number }

async function generate(
	{ within, generator }: Bench,
	{ address, agent }: Running,
	round: number,
	seconds: number,
): Promise<Counts> {
	const load = ['--window', `${clientsAtOnce}`, '--seconds', `${seconds}`]
	// Other clients in every round, as perfdhcp has.
	const own = ['--server', address, '--agent', agent, '--first', `${(round + 1) * 2 ** 24}`]
	const { code, stdout, stderr } = await run(
		'ip',
		[...within, generator, ...own, ...load],
		(seconds + 20) * 1000,
	)
	if (code !== 0) throw new Error(`dhcpload said: ${stderr}`.slice(0, 500))
	const { exchanges, lost, naks } = JSON.parse(stdout) as Record<string, number>
	return { begun: exchanges! + lost! + naks!, acknowledged: exchanges! }
}

async function perfdhcp(
	{ within }: Bench,
	{ address, agent }: Running,
	round: number,
	offered: number,
	seconds: number,
): Promise<Counts> {
	const load = ['-4', '-l', agent, '-r', `${offered}`, '-R', `${clients}`, '-p', `${seconds}`]
	// With a thread for receiving beside the one that sends, as it has unless told, perfdhcp takes most
	// of two processors and measures what it leaves to the server: both servers did worse by a third or more.
	const own = ['-g', 'single', '-s', `${round + 2}`, '-W', '200000']
	const args = [...load, ...own, address]
	const limitMs = (seconds + 20) * 1000
	const { stdout, stderr } = await run('ip', [...within, 'perfdhcp', ...args], limitMs)
	const counts = countsOf(stdout)
	if (counts === undefined) throw new Error(`perfdhcp said: ${stderr || stdout}`.slice(0, 500))
	return counts
}

/** What perfdhcp prints at its end: a block for DISCOVER-OFFER and one for REQUEST-ACK. */
export function countsOf(output: string): Counts | undefined {
	const begun = /DISCOVER-OFFER\*\*\*\s+sent packets: (\d+)/.exec(output)?.[1]
	const acknowledged = /REQUEST-ACK\*\*\*\s+sent packets: \d+\s+received packets: (\d+)/.exec(
		output,
	)?.[1]
	if (begun === undefined || acknowledged === undefined) return undefined
	return { begun: Number(begun), acknowledged: Number(acknowledged) }
}
