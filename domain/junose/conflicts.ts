/**
 * Two relay servers cannot listen on the same address and port, nor two DHCP servers on the same
 * interface. A server without a key answers nobody and does not listen, so that its address can be
 * set before its first key. Dynamic-request servers with the same port share a socket, where their
 * addresses tell them apart. And what a virtual router takes from another one must be there.
 */
import { type Configuration, type Service, services } from '../configuration.ts'
import { srcSourceConflict } from '../sae/source.ts'

type Listener = { readonly name: string; readonly address: string; readonly port: number }

/** A sentence about what in a configuration excludes each other; undefined: nothing does. */
export function configurationConflict(configuration: Configuration): string | undefined {
	return (
		dynamicRequestConflict(configuration) ??
		dhcpConflict(configuration) ??
		listenerConflict(configuration) ??
		srcSourceConflict(configuration)
	)
}

function listenerConflict(configuration: Configuration): string | undefined {
	const byPort = new Map<number, Listener[]>()
	for (const listener of listeners(configuration)) {
		const others = byPort.get(listener.port) ?? []
		const rival = others.find(other => overlap(other.address, listener.address))
		if (rival !== undefined) return conflictSentence(rival, listener)
		byPort.set(listener.port, [...others, listener])
	}
	return undefined
}

function listeners(configuration: Configuration): readonly Listener[] {
	const relays = configuration.virtualRouters.flatMap(router =>
		services.flatMap(service => {
			const server = router.relay[service]
			if (server === undefined || server.clients.length === 0) return []
			const name = serverName(service, router.name)
			return [{ name, address: server.listenAddress, port: server.udpPort }]
		}),
	)
	const dynamic = dynamicRequestPorts(configuration).map(port => {
		return { name: 'the dynamic-request listener', address: '0.0.0.0', port }
	})
	return [...relays, ...dynamic]
}

/** The ports on which dynamic requests are expected: each is one socket. */
export function dynamicRequestPorts(configuration: Configuration): readonly number[] {
	const keyed = configuration.virtualRouters
		.flatMap(router => router.dynamicRequest)
		.filter(({ key }) => key !== undefined)
	return [...new Set(keyed.map(({ udpPort }) => udpPort))]
}

/** A server that two virtual routers expect on one port would speak for neither. */
function dynamicRequestConflict(configuration: Configuration): string | undefined {
	const owners = new Map<string, string>()
	for (const { name, dynamicRequest } of configuration.virtualRouters) {
		for (const { address, udpPort, key } of dynamicRequest) {
			if (key === undefined) continue
			const owner = owners.get(`${address} ${udpPort}`)
			owners.set(`${address} ${udpPort}`, name)
			if (owner === undefined || owner === name) continue
			return `Virtual router ${owner} expects dynamic requests from ${address} on UDP port ${udpPort} already; give the server another udp-port in virtual router ${name} first.`
		}
	}
	return undefined
}

/**
 * A client's broadcast says nothing of virtual routers: its interface tells which one it is for. One
 * of them may name none, and then has those that no other names.
 */
function dhcpConflict(configuration: Configuration): string | undefined {
	const owners = new Map<string, string>()
	for (const { name, dhcpLocal, dhcpExternal } of configuration.virtualRouters) {
		const external = dhcpExternal.enabled
		if (dhcpLocal.service === undefined && !external) continue
		const everyOther = ''
		const { interfaces } = external ? dhcpExternal : dhcpLocal
		const words = external ? 'ip dhcp-external' : 'ip dhcp-local'
		const served = interfaces.length === 0 ? [everyOther] : interfaces
		for (const one of served) {
			const owner = owners.get(one)
			owners.set(one, name)
			if (owner === undefined) continue
			if (one === everyOther) {
				return `Virtual routers ${owner} and ${name} would both serve the DHCP clients of every interface; name those of one of them with "${words} interface" first.`
			}
			return `Virtual router ${owner} serves the DHCP clients of interface ${one}, and so would virtual router ${name}; take it out of one of them with "no ${words} interface ${one}" first.`
		}
	}
	return undefined
}

function serverName(service: Service, virtualRouter: string): string {
	return `the ${service} server of virtual router ${virtualRouter}`
}

function overlap(a: string, b: string): boolean {
	return a === b || a === '0.0.0.0' || b === '0.0.0.0'
}

function conflictSentence(first: Listener, second: Listener): string {
	const place = (l: Listener) =>
		l.address === '0.0.0.0'
			? `every address, UDP port ${l.port}`
			: `${l.address}, UDP port ${l.port}`
	return `${second.name.replace('the', 'The')} would listen on ${place(second)}, where ${first.name} listens (${place(first)}); give one of them another listen-address or udp-port first.`
}
