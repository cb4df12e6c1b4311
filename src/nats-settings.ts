/** How the programs are told what they log in to NATS with: the same flags for all of them. */
import type { NatsSecurity } from '../adapters/nats/connection.ts'

export const natsFileFlags = [
	'nats-credentials',
	'nats-nkey',
	'nats-ca',
	'nats-certificate',
	'nats-key',
] as const
type NatsFileFlag = (typeof natsFileFlags)[number]

export const natsFilesUsage = `--nats-credentials FILE        a .creds file                                RADLEDGER_NATS_CREDENTIALS
  --nats-nkey FILE               a file with the seed of an NKEY              RADLEDGER_NATS_NKEY
  --nats-ca FILE                 who may sign the server's certificate        RADLEDGER_NATS_CA
  --nats-certificate FILE        our own certificate ...                      RADLEDGER_NATS_CERTIFICATE
  --nats-key FILE                ... and its key                              RADLEDGER_NATS_KEY`

/** What the files say; `encrypted`: TLS even where no file asks for it. */
export function natsFiles(
	one: (name: NatsFileFlag) => string | undefined,
	encrypted: boolean,
): NatsSecurity {
	const tls = given({
		caFile: one('nats-ca'),
		certificateFile: one('nats-certificate'),
		keyFile: one('nats-key'),
	})
	return {
		...given({ credentialsFile: one('nats-credentials'), nkeySeedFile: one('nats-nkey') }),
		...(encrypted || Object.keys(tls).length > 0 ? { tls } : {}),
	}
}

export const usualNatsPort = 4222

export const natsUrlNeeded = 'must be a URL such as nats://127.0.0.1:4222'

export type NatsServers = { readonly servers: readonly string[]; readonly security: NatsSecurity }

/** `nats://[USER:PASSWORD@ | TOKEN@]HOST[:PORT]` or `tls://...`; undefined where one is neither. */
export function natsServers(
	urls: readonly string[],
	one: (name: NatsFileFlag) => string | undefined,
): NatsServers | undefined {
	const parsed = urls.map(text => (URL.canParse(text) ? new URL(text) : undefined))
	const usable = parsed.filter(
		url => url !== undefined && ['nats:', 'tls:'].includes(url.protocol) && url.hostname !== '',
	) as URL[]
	const [first] = usable
	if (first === undefined || usable.length < urls.length) return undefined
	const password = decodeURIComponent(first.password)
	const user = decodeURIComponent(first.username)
	const login = password === '' ? (user === '' ? {} : { token: user }) : { user, password }
	const encrypted = usable.some(({ protocol }) => protocol === 'tls:')
	return {
		servers: usable.map(({ hostname, port }) => `${hostname}:${port || usualNatsPort}`),
		security: { ...login, ...natsFiles(one, encrypted) },
	}
}

/** Without the fields that are undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
		[K in keyof T]?: Exclude<T[K], undefined>
	}
}
