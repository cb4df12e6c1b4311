/**
 * Connects to NATS, where that is wanted from a certain address of this machine. The package's own
 * `connect` has no option for that; its transport for Node opens the socket in a function of its own,
 * which is replaced here. The transport is handed the connection's options, so that each connection
 * keeps its own address: nothing depends on who connects when.
 */
import { createConnection, createServer, isIP, type Socket } from 'node:net'
import type { ConnectionOptions, NatsConnection, TlsOptions } from 'nats'
import { NatsConnectionImpl, setTransportFactory } from 'nats/lib/nats-base-client/internal_mod.js'
import { NodeTransport, nodeResolveHost } from 'nats/lib/src/node_transport.js'

export type Connecting = ConnectionOptions & {
	/** An IPv4 address of this machine; undefined: as the system's routes say. */
	readonly localAddress?: string
}

/** Rejects as the package does, and with the system's error where the address is not this machine's. */
export function connect(options: Connecting): Promise<NatsConnection> {
	// Set before each connection, because the package's own `connect` would set another one.
	setTransportFactory({ factory: createTransport, dnsResolveFn: nodeResolveHost })
	const { localAddress, tls } = options
	if (localAddress === undefined) return NatsConnectionImpl.connect(options)
	return NatsConnectionImpl.connect({
		...options,
		// A name may have IPv6 addresses, which an IPv4 one does not lead to.
		resolve: false,
		// TLS before anything else opens its own socket, with these options.
		...(tls ? { tls: { ...tls, ...local(localAddress) } } : {}),
	})
}

function local(localAddress: string) {
	return { localAddress, family: 4 }
}

function createTransport(): NodeTransport {
	const transport = new NodeTransport()
	transport.dial = place => {
		const { localAddress } = transport.options as Connecting
		verifyFor(transport, place.hostname)
		return dial({
			port: place.port,
			host: place.hostname,
			...(localAddress === undefined ? {} : local(localAddress)),
		})
	}
	return transport
}

/**
 * Whom the certificate must be for. The package only knows that of a name that it has resolved, and
 * else takes one for `localhost`.
 */
function verifyFor(transport: NodeTransport, host: string): void {
	const { options } = transport
	if (transport.tlsName !== '') return
	// A name is asked for in the handshake as well (RFC 6066 §3); an address cannot be.
	if (isIP(host) === 0) transport.tlsName = host
	else transport.options = { ...options, tls: { ...options.tls, host } as TlsOptions }
}

function dial(place: { readonly port: number; readonly host: string }): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = createConnection(place)
		socket.setNoDelay(true)
		socket.once('error', reject)
		socket.once('connect', () => {
			socket.off('error', reject)
			resolve(socket)
		})
	})
}

/** Why no connection can come from an address, as a sentence; undefined: it can. */
export function whyNotFrom(address: string): Promise<string | undefined> {
	return new Promise(resolve => {
		const server = createServer()
		server.once('error', (error: NodeJS.ErrnoException) => {
			const absent = error.code === 'EADDRNOTAVAIL'
			resolve(absent ? 'this machine does not have that address.' : `${error.message}.`)
		})
		// Whoever may listen at an address may connect from it.
		server.listen({ host: address, port: 0, exclusive: true }, () => {
			server.close(() => resolve(undefined))
		})
	})
}
