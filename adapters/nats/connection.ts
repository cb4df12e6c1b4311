/** How a NATS server is reached and whom it takes us for. */
import { readFileSync } from 'node:fs'
import {
	type Authenticator,
	type ConnectionOptions,
	credsAuthenticator,
	nkeyAuthenticator,
	type TlsOptions,
} from 'nats'

/** At most one of credentials, NKEY, user and token. Files are read anew with every connection. */
export type NatsSecurity = {
	/** A `.creds` file: a JWT and the seed of its NKEY. */
	readonly credentialsFile?: string
	/** A file with the seed of an NKEY. */
	readonly nkeySeedFile?: string
	readonly user?: string
	readonly password?: string
	/** A file with the password in its first line, in place of `password`. */
	readonly passwordFile?: string
	readonly token?: string
	/** Its being there demands TLS. */
	readonly tls?: {
		readonly caFile?: string
		readonly certificateFile?: string
		readonly keyFile?: string
		/** TLS before anything else, as the server's `handshake_first` demands. */
		readonly handshakeFirst?: boolean
	}
}

/** Seconds between two signs of life: a host that vanished is noticed after three of them. */
const pingSeconds = 10

export function connectionOptions(name: string, security: NatsSecurity): ConnectionOptions {
	const { user, password, passwordFile, token, tls } = security
	const authenticator = authenticatorOf(security)
	return {
		name,
		pingInterval: pingSeconds * 1000,
		maxPingOut: 2,
		// The servers are those that were configured, in their order.
		ignoreClusterUpdates: true,
		noRandomize: true,
		...(authenticator === undefined ? {} : { authenticator }),
		...(user === undefined || passwordFile !== undefined ? {} : { user }),
		...(password === undefined ? {} : { pass: password }),
		...(token === undefined ? {} : { token }),
		...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
	}
}

function authenticatorOf(security: NatsSecurity): Authenticator | undefined {
	const { credentialsFile, nkeySeedFile, user, passwordFile } = security
	if (user !== undefined && passwordFile !== undefined) {
		return () => ({ user, pass: readFileSync(passwordFile, 'utf8').split(/\r?\n/, 1)[0]! })
	}
	if (credentialsFile !== undefined) {
		return nonce => credsAuthenticator(readFileSync(credentialsFile))(nonce)
	}
	if (nkeySeedFile === undefined) return undefined
	return nonce => {
		const seed = readFileSync(nkeySeedFile, 'utf8').trim()
		return nkeyAuthenticator(new TextEncoder().encode(seed))(nonce)
	}
}

function tlsOptions(tls: NonNullable<NatsSecurity['tls']>): TlsOptions {
	const { caFile, certificateFile, keyFile, handshakeFirst } = tls
	return {
		...(caFile === undefined ? {} : { caFile }),
		...(certificateFile === undefined ? {} : { certFile: certificateFile }),
		...(keyFile === undefined ? {} : { keyFile }),
		...(handshakeFirst === undefined ? {} : { handshakeFirst }),
	}
}
