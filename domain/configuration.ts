/**
 * What an operator has configured, as plain data. Commands change it (`domain/junose`), the
 * configuration file is its text, and the engine is handed the whole of it whenever it changes.
 * A value here is immutable: a change makes a new one.
 */

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

export type VirtualRouter = {
	readonly name: string
	readonly relay: Readonly<Partial<Record<Service, RelayServer>>>
	readonly upstream: Readonly<Record<Service, readonly UpstreamServer[]>>
	readonly algorithm: Algorithm
	/** `radius update-source-addr A`: what upstream servers see requests come from. */
	readonly updateSourceAddress?: string
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

export function newVirtualRouter(name: string): VirtualRouter {
	return { name, relay: {}, upstream: { authentication: [], accounting: [] }, algorithm: 'direct' }
}

export function initialConfiguration(): Configuration {
	return { hostname: 'radledger', virtualRouters: [newVirtualRouter('default')] }
}
