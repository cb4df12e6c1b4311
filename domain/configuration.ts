/**
 * What an operator has configured, as plain data. Commands change it (`domain/junose`), the
 * configuration file is its text, and the engine is handed the whole of it whenever it changes.
 * A value here is immutable: a change makes a new one.
 */
import { retryTimer, type ServerRole } from './sae/servers.ts'

/** The two services of RADIUS, each with its own port: RFC 2865 and RFC 2866. */
export type Service = 'authentication' | 'accounting'
export const services: readonly Service[] = ['authentication', 'accounting']

/** `key ADDRESS MASK SECRET` below `radius relay ... server`: WAPs that may send requests. */
export type ClientNetwork = {
	/** Network address as dotted text, host bits zero. */
	readonly address: string
	/** Mask as dotted text. */
	readonly mask: string
	readonly secret: string
}

/**
 * When an Access-Request must carry Message-Authenticator (RFC 3579 §3.2, CVE-2024-3596):
 * always, from the first valid one of a single-host client on, or only where EAP demands it.
 */
export type MessageAuthenticatorPolicy = 'require' | 'auto' | 'optional'

/** `radius relay {authentication | accounting} server`: what WAPs talk to. */
export type RelayServer = {
	readonly clients: readonly ClientNetwork[]
	readonly udpPort: number
	/** `listen-address`; `0.0.0.0` listens on every address. */
	readonly listenAddress: string
	readonly messageAuthenticator: MessageAuthenticatorPolicy
}

/** `radius {authentication | accounting} server A`: a home server that requests are relayed to. */
export type UpstreamServer = {
	/** IPv4 address as dotted text, or a host name that is resolved anew while the relay runs. */
	readonly address: string
	/** Without a key the server is not used. */
	readonly key?: string
	readonly udpPort: number
	readonly timeoutSeconds: number
	/** Transmissions beyond the original one, for each server that is tried. */
	readonly retransmit: number
	/** Minutes that a server which stopped answering is left out; 0: the watchdog alone decides. */
	readonly deadtimeMinutes: number
	/** Requests that may await an answer from this server at once. */
	readonly maxSessions: number
}

export type Algorithm = 'direct' | 'round-robin'

/** `radius dynamic-request server A`: who may end sessions from outside (RFC 5176). */
export type DynamicRequestServer = {
	readonly address: string
	/** Without a key its requests are dropped. */
	readonly key?: string
	/** The relay's own port, on which this server's requests are expected. */
	readonly udpPort: number
	readonly subscriberDisconnect: boolean
	readonly authorizationChange: boolean
}

/** `radius relay disconnect-client A`: a WAP that takes Disconnect-Requests itself. */
export type DisconnectClient = {
	readonly address: string
	readonly key: string
	readonly udpPort: number
}

/** `ip dhcp-local pool NAME` and what stands below it. */
export type DhcpPool = {
	readonly name: string
	/** Network address and mask; without them the pool has no addresses. */
	readonly network?: { readonly address: string; readonly mask: string }
	readonly defaultRouters: readonly string[]
	readonly dnsServers: readonly string[]
	readonly domainName?: string
	readonly netbiosNameServers: readonly string[]
	readonly netbiosNodeType: 'b-node' | 'p-node' | 'm-node' | 'h-node'
	/** 0: infinite. */
	readonly leaseSeconds: number
	/** The pool that addresses are taken from when this one has none left. */
	readonly link?: string
	readonly reservations: readonly { readonly address: string; readonly mac: string }[]
	/** Per cent in use at which a warning is given, and at which it is taken back. */
	readonly warningHigh: number
	readonly warningAbated: number
	/** An address whose lease expired is held back this long. */
	readonly gracePeriodSeconds: number
}

export type DhcpLocal = {
	/** Undefined: `service dhcp-local` is not configured, and nobody is served. */
	readonly service?: 'equal-access' | 'standalone' | 'standalone authenticate'
	readonly pools: readonly DhcpPool[]
	/** `ip dhcp-local excluded-address A [B]`. */
	readonly excluded: readonly { readonly from: string; readonly to: string }[]
	/** `ip dhcp-local limit N`: clients on one interface; undefined: no limit. */
	readonly limitPerInterface?: number
	/** `ip dhcp-local ping`: an address not seen lately is tried before it is offered. */
	readonly ping: boolean
	/** `ip dhcp-local interface NAME`: interfaces served; none named: every one. */
	readonly interfaces: readonly string[]
}

/** `service dhcp-external`: clients get their addresses from other servers, which the relay watches. */
export type DhcpExternal = {
	readonly enabled: boolean
	/** `ip dhcp-external server-address A`: each is sent every request. */
	readonly servers: readonly string[]
	/** `ip dhcp-external interface NAME`: interfaces with clients; none named: every one. */
	readonly interfaces: readonly string[]
	/** `ip dhcp-external trust-all`: option 82 may come from equipment that is no relay agent. */
	readonly trustAll: boolean
}

/** `sscc ...`: the policy system that selects pools and is told of addresses. */
export type SrcSettings = {
	readonly enabled: boolean
	/** `sscc {primary | secondary | tertiary} address A port P`: NATS servers. */
	readonly servers: Readonly<
		Partial<Record<ServerRole, { readonly address: string; readonly port: number }>>
	>
	readonly retrySeconds: number
	/** `sscc sourceAddress A`, `sscc transportRouter VR`: where connections come from (`sae/source.ts`). */
	readonly sourceAddress?: string
	readonly transportRouter?: string
	/** `sscc local rules FILE`: its rules answer in this process, and no server is asked. */
	readonly localRules?: string
}

/** Events are kept by class: how long, `retention.ts` says. */
export const retentionClasses = ['authentication', 'accounting', 'lease'] as const
export type RetentionClass = (typeof retentionClasses)[number]
export type RetentionDays = Readonly<Partial<Record<RetentionClass, number>>>

export type VirtualRouter = {
	readonly name: string
	readonly relay: Readonly<Partial<Record<Service, RelayServer>>>
	readonly upstream: Readonly<Record<Service, readonly UpstreamServer[]>>
	readonly algorithm: Algorithm
	/** `radius update-source-addr A`: what upstream servers see requests come from. */
	readonly updateSourceAddress?: string
	/** `radius relay idle-timeout SECONDS`: a session without accounting for longer than this ends. */
	readonly idleTimeoutSeconds: number
	readonly dynamicRequest: readonly DynamicRequestServer[]
	readonly disconnectClients: readonly DisconnectClient[]
	readonly dhcpLocal: DhcpLocal
	readonly dhcpExternal: DhcpExternal
	readonly src: SrcSettings
	/** `retention CLASS days N`: a class that is left out is kept for ever. */
	readonly retentionDays?: RetentionDays
}

export type Configuration = {
	readonly hostname: string
	/** In the order in which they were made; `default` is always there and first. */
	readonly virtualRouters: readonly VirtualRouter[]
}

/** Values that hold until a command changes them; JunosE's own where it has the parameter. */
export const relayServerDefaults: Readonly<Record<Service, RelayServer>> = {
	authentication: {
		clients: [],
		udpPort: 1812,
		listenAddress: '0.0.0.0',
		messageAuthenticator: 'auto',
	},
	accounting: {
		clients: [],
		udpPort: 1813,
		listenAddress: '0.0.0.0',
		messageAuthenticator: 'auto',
	},
}

export const upstreamServerDefaults: Readonly<Record<Service, Omit<UpstreamServer, 'address'>>> = {
	authentication: {
		udpPort: 1812,
		timeoutSeconds: 3,
		retransmit: 3,
		deadtimeMinutes: 0,
		maxSessions: 255,
	},
	accounting: {
		udpPort: 1813,
		timeoutSeconds: 3,
		retransmit: 3,
		deadtimeMinutes: 0,
		maxSessions: 255,
	},
}

/** 24 hours, as the RADIUS relay of JunosE has it. */
export const idleTimeoutSecondsDefault = 24 * 3600

export const dynamicRequestServerDefaults = {
	udpPort: 1700,
	subscriberDisconnect: false,
	authorizationChange: false,
} as const satisfies Omit<DynamicRequestServer, 'address'>

export const disconnectClientPort = 3799

export function newDhcpPool(name: string): DhcpPool {
	return {
		name,
		defaultRouters: [],
		dnsServers: [],
		netbiosNameServers: [],
		netbiosNodeType: 'h-node',
		leaseSeconds: 24 * 3600,
		reservations: [],
		warningHigh: 85,
		warningAbated: 75,
		gracePeriodSeconds: 0,
	}
}

export function newVirtualRouter(name: string): VirtualRouter {
	return {
		name,
		relay: {},
		upstream: { authentication: [], accounting: [] },
		algorithm: 'direct',
		idleTimeoutSeconds: idleTimeoutSecondsDefault,
		dynamicRequest: [],
		disconnectClients: [],
		dhcpLocal: { pools: [], excluded: [], ping: false, interfaces: [] },
		dhcpExternal: { enabled: false, servers: [], interfaces: [], trustAll: false },
		src: { enabled: false, servers: {}, retrySeconds: retryTimer.usual },
	}
}

export function initialConfiguration(): Configuration {
	return { hostname: 'radledger', virtualRouters: [newVirtualRouter('default')] }
}
