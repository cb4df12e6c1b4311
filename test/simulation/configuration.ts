/** The configurations that a simulated operator switches between: one text, and what varies in it. */
import type { Chance } from './chance.ts'

export type Variant = {
	readonly secondServer: boolean
	readonly roundRobin: boolean
	readonly disconnectClients: boolean
	readonly dynamicRequests: boolean
	/** What the first RADIUS server may ask for; the second one may ask for the other thing. */
	readonly subscriberDisconnect: boolean
	readonly authorizationChange: boolean
	readonly ping: boolean
	readonly excluded: boolean
	readonly shortLeases: boolean
	readonly gracePeriod: boolean
	readonly link: boolean
	readonly branch: boolean
	readonly branchDhcp: boolean
	readonly limit: boolean
	readonly standaloneAuthenticate: boolean
	readonly src: boolean
	readonly cable: boolean
	readonly cableExternal: boolean
	readonly cableSecond: boolean
	readonly cableSrc: boolean
}

const firstVariant: Variant = {
	secondServer: true,
	roundRobin: false,
	disconnectClients: true,
	dynamicRequests: true,
	subscriberDisconnect: true,
	authorizationChange: true,
	ping: false,
	excluded: false,
	shortLeases: true,
	gracePeriod: true,
	link: true,
	branch: true,
	branchDhcp: true,
	limit: false,
	standaloneAuthenticate: false,
	src: true,
	cable: true,
	cableExternal: true,
	cableSecond: true,
	cableSrc: true,
}

/** What a relay is first started with. */
export function startingVariant(chance: Chance): Variant {
	return {
		...firstVariant,
		subscriberDisconnect: chance.happens(0.7),
		authorizationChange: chance.happens(0.5),
		shortLeases: chance.happens(0.7),
	}
}

/** The same but for one thing. */
export function variedVariant(variant: Variant, chance: Chance): Variant {
	const name = chance.pick(Object.keys(variant) as (keyof Variant)[])
	return { ...variant, [name]: !variant[name] }
}

export const secrets = {
	wap: 'wap-secret',
	home: 'home-secret',
	server: 'server-secret',
	port: 'port-secret',
} as const
export const places = {
	homes: ['192.0.2.1', '192.0.2.2'],
	/** Of RADIUS servers that ask for disconnects and changes of authorization. */
	servers: ['192.0.2.9', '192.0.2.10'],
	/** Access points that take Disconnect-Requests. */
	disconnectClients: ['10.9.0.1', '10.9.0.2'],
	relay: '10.0.0.1',
	relayOnBranch: '10.1.0.1',
	relayOnCable: '10.4.0.1',
	relayAgent: '10.2.0.1',
	cableAgent: '10.5.0.1',
	branchHome: '192.0.2.3',
	cableHome: '192.0.2.4',
	/** DHCP servers that are not the relay's own. */
	dhcpServers: ['192.0.2.67', '192.0.2.68'],
} as const
/** Interfaces of the relay's machine, by index. */
export const links = { campus: 2, branch: 3, cable: 4 } as const
/** The relay's address on each of them. */
export const ownAddresses: Readonly<Record<number, string>> = {
	[links.campus]: places.relay,
	[links.branch]: places.relayOnBranch,
	[links.cable]: places.relayOnCable,
}
export const idleTimeoutSeconds = 300

export function configurationText(variant: Variant): string {
	const more = [variant.branch ? branch(variant) : '', variant.cable ? cable(variant) : '']
	return [campus(variant), ...more].join('\n')
}

function servers(service: string, addresses: readonly string[]): string {
	return addresses
		.map(
			address =>
				`radius ${service} server ${address}\n key ${secrets.home}\n timeout 2\n retransmit 1\nexit`,
		)
		.join('\n')
}

function relayServers(network: string, ports: readonly [number, number]): string {
	return ['authentication', 'accounting']
		.map(
			(service, i) =>
				`radius relay ${service} server\n key ${network} ${secrets.wap}\n udp-port ${ports[i]}\nexit`,
		)
		.join('\n')
}

function campus(variant: Variant): string {
	const homes = variant.secondServer ? places.homes : places.homes.slice(0, 1)
	// Some leases outlast an idle session, others do not.
	const leases = ['lease 0 0 1', 'lease 0 0 10']
	const [lease, farLease] = variant.shortLeases ? leases : leases.toReversed()
	const lines = [
		servers('authentication', homes),
		servers('accounting', homes),
		`radius algorithm ${variant.roundRobin ? 'round-robin' : 'direct'}`,
		relayServers('10.9.0.0 255.255.255.0', [1812, 1813]),
		`radius relay idle-timeout ${idleTimeoutSeconds}`,
		...(variant.disconnectClients
			? places.disconnectClients.map(
					address => `radius relay disconnect-client ${address} key ${secrets.port}`,
				)
			: []),
		...(variant.dynamicRequests
			? places.servers.map(server => dynamicServer(variant, server))
			: []),
		`service dhcp-local ${variant.standaloneAuthenticate ? 'standalone authenticate' : 'equal-access'}`,
		'ip dhcp-local interface eth0',
		...(variant.ping ? ['ip dhcp-local ping'] : []),
		...(variant.excluded ? ['ip dhcp-local excluded-address 10.0.0.4 10.0.0.6'] : []),
		...(variant.src ? ['sscc primary address 10.10.2.2', 'sscc secondary address 10.10.2.3'] : []),
		...(variant.src ? ['sscc enable'] : []),
		...(variant.limit ? ['ip dhcp-local limit 5'] : []),
		'ip dhcp-local pool near',
		' network 10.0.0.0 255.255.255.240',
		` ${lease}`,
		' reserve 10.0.0.9 02-00-00-00-00-02',
		...(variant.gracePeriod ? [' grace-period 20'] : []),
		...(variant.link ? [' link overflow'] : []),
		'exit',
		'ip dhcp-local pool overflow',
		' network 10.3.0.0 255.255.255.248',
		` ${lease}`,
		'exit',
		'ip dhcp-local pool far',
		' network 10.2.0.0 255.255.255.248',
		' default-router 10.2.0.1',
		` ${farLease}`,
		'exit',
	]
	return lines.join('\n')
}

export type Permission = 'disconnect' | 'change-of-authorization'

/** Whether a RADIUS server may ask for that: what the one may, the other may not. */
export function permits(variant: Variant, server: string, permission: Permission): boolean {
	const { subscriberDisconnect, authorizationChange } = variant
	const first = permission === 'disconnect' ? subscriberDisconnect : authorizationChange
	return (server === places.servers[0]) === first
}

function dynamicServer(variant: Variant, server: string): string {
	const lines = [
		`radius dynamic-request server ${server}`,
		` key ${secrets.server}`,
		...(permits(variant, server, 'disconnect') ? [' subscriber disconnect'] : []),
		...(permits(variant, server, 'change-of-authorization') ? [' authorization change'] : []),
		'exit',
	]
	return lines.join('\n')
}

function branch(variant: Variant): string {
	const lines = [
		'virtual-router branch',
		servers('authentication', [places.branchHome]),
		servers('accounting', [places.branchHome]),
		relayServers('10.9.1.0 255.255.255.0', [11812, 11813]),
		`radius relay idle-timeout ${idleTimeoutSeconds}`,
		...(variant.branchDhcp ? ['service dhcp-local standalone'] : []),
		'ip dhcp-local interface eth1',
		...(variant.ping ? ['ip dhcp-local ping'] : []),
		'ip dhcp-local pool branch',
		' network 10.1.0.0 255.255.255.248',
		variant.shortLeases ? ' lease 0 0 0 45' : ' lease 0 0 5',
		...(variant.gracePeriod ? [' grace-period 30'] : []),
		'exit',
	]
	return lines.join('\n')
}

/** A virtual router whose DHCP server is elsewhere. */
function cable(variant: Variant): string {
	const dhcpServers = variant.cableSecond ? places.dhcpServers : places.dhcpServers.slice(0, 1)
	const lines = [
		'virtual-router cable',
		servers('authentication', [places.cableHome]),
		servers('accounting', [places.cableHome]),
		relayServers('10.9.2.0 255.255.255.0', [21812, 21813]),
		`radius relay idle-timeout ${idleTimeoutSeconds}`,
		...dhcpServers.map(address => `ip dhcp-external server-address ${address}`),
		'ip dhcp-external interface eth2',
		...(variant.cableExternal ? ['service dhcp-external'] : []),
		...(variant.cableSrc ? ['sscc primary address 10.10.2.2', 'sscc enable'] : []),
	]
	return lines.join('\n')
}
