/** Networks of their own for DHCP: namespaces joined by veth pairs, gone when the test file ends. */
import { spawnSync } from 'node:child_process'

export type Namespace = {
	readonly name: string
	/** What runs a program in it, to be put in front of its command. */
	readonly within: readonly string[]
}

const made: string[] = []
process.on('exit', () => {
	for (const name of made) spawnSync('ip', ['netns', 'delete', name])
})

function ip(...args: readonly string[]): void {
	const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' })
	if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
}

export function addNamespace(suffix: string): Namespace {
	const name = `radledger-${process.pid}-${suffix}`
	ip('netns', 'add', name)
	made.push(name)
	ip('-n', name, 'link', 'set', 'lo', 'up')
	return { name, within: ['ip', 'netns', 'exec', name] }
}

export type End = {
	readonly namespace: Namespace
	readonly device: string
	/** Address and prefix length; without one the interface is only up. */
	readonly address?: string
}

/** A cable between two namespaces. */
export function join(a: End, b: End): void {
	const peer = ['peer', 'name', b.device, 'netns', b.namespace.name]
	ip('-n', a.namespace.name, 'link', 'add', a.device, 'type', 'veth', ...peer)
	for (const { namespace, device, address } of [a, b]) {
		if (address !== undefined) addAddress(namespace, device, address)
		ip('-n', namespace.name, 'link', 'set', device, 'up')
	}
}

export function addAddress(namespace: Namespace, device: string, address: string): void {
	ip('-n', namespace.name, 'address', 'add', address, 'dev', device)
}

export function route(namespace: Namespace, network: string, via: string): void {
	ip('-n', namespace.name, 'route', 'add', network, 'via', via)
}

export function setMac(namespace: Namespace, device: string, mac: string): void {
	ip('-n', namespace.name, 'link', 'set', device, 'address', mac)
}

/** Lets a namespace route between its interfaces. */
export function forwardIn(namespace: Namespace): void {
	const [command, ...args] = [...namespace.within, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']
	spawnSync(command!, args)
}

/** Why namespaces cannot be made here; undefined when they can. */
export function networkObstacle(): string | undefined {
	if (process.platform !== 'linux') return 'this is not Linux'
	if (process.getuid?.() !== 0) return 'only root may make network namespaces'
	const trial = `radledger-${process.pid}-trial`
	const { status, stderr } = spawnSync('ip', ['netns', 'add', trial], { encoding: 'utf8' })
	if (status !== 0) return `no network namespace can be made: ${stderr?.trim()}`
	spawnSync('ip', ['netns', 'delete', trial])
	return undefined
}
