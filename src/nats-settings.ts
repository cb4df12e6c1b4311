/** How the programs are told what they log in to NATS with: the same flags for all of them. */
import type { NatsSecurity } from '../adapters/nats/connection.ts'

export const natsFlags = [
	'nats-credentials',
	'nats-nkey',
	'nats-user',
	'nats-password-file',
	'nats-ca',
	'nats-certificate',
	'nats-key',
] as const
export type NatsFlag = (typeof natsFlags)[number]

export const natsFlagsUsage = `--nats-credentials FILE        a .creds file                                RADLEDGER_NATS_CREDENTIALS
  --nats-nkey FILE               a file with the seed of an NKEY              RADLEDGER_NATS_NKEY
  --nats-user NAME               whom NATS takes us for, with a password     RADLEDGER_NATS_USER
  --nats-password-file FILE      the password, in its first line             RADLEDGER_NATS_PASSWORD_FILE
  --nats-ca FILE                 who may sign the server's certificate        RADLEDGER_NATS_CA
  --nats-certificate FILE        our own certificate ...                      RADLEDGER_NATS_CERTIFICATE
  --nats-key FILE                ... and its key                              RADLEDGER_NATS_KEY`

/** What excludes each other, or lacks something, as the end of a sentence about a flag. */
export function natsFlagsFault(
	one: (name: NatsFlag) => string | undefined,
): { readonly flag: NatsFlag; readonly fault: string } | undefined {
	const [user, password] = [one('nats-user'), one('nats-password-file')]
	if (user !== undefined && password === undefined) {
		return { flag: 'nats-user', fault: 'needs --nats-password-file' }
	}
	if (user === undefined && password !== undefined) {
		return { flag: 'nats-password-file', fault: 'needs --nats-user' }
	}
	const given = natsLogins.filter(flag => one(flag) !== undefined)
	if (given.length < 2) return undefined
	return { flag: given[1]!, fault: `is another login than --${given[0]}; give one of them` }
}

const natsLogins = ['nats-credentials', 'nats-nkey', 'nats-user'] as const

/** What the flags say; `encrypted`: TLS even where no file asks for it. */
export function natsFlagsSecurity(
	one: (name: NatsFlag) => string | undefined,
	encrypted: boolean,
): NatsSecurity {
	return { ...natsLogin(one), ...natsTls(one, encrypted) }
}

function natsTls(one: (name: NatsFlag) => string | undefined, encrypted: boolean): NatsSecurity {
	const tls = given({
		caFile: one('nats-ca'),
		certificateFile: one('nats-certificate'),
		keyFile: one('nats-key'),
	})
	return encrypted || Object.keys(tls).length > 0 ? { tls } : {}
}

function natsLogin(one: (name: NatsFlag) => string | undefined): NatsSecurity {
	return given({
		credentialsFile: one('nats-credentials'),
		nkeySeedFile: one('nats-nkey'),
		user: one('nats-user'),
		passwordFile: one('nats-password-file'),
	})
}

export const usualNatsPort = 4222

export const natsUrlNeeded = 'must be a URL such as nats://127.0.0.1:4222'

export type NatsServers = { readonly servers: readonly string[]; readonly security: NatsSecurity }

/**
 * `nats://[USER:PASSWORD@ | TOKEN@]HOST[:PORT]` or `tls://...`; undefined where one is neither. A login
 * in the URL goes before that of the flags.
 */
export function natsServers(
	urls: readonly string[],
	one: (name: NatsFlag) => string | undefined,
): NatsServers | undefined {
	const parsed = urls.map(text => (URL.canParse(text) ? new URL(text) : undefined))
	const usable = parsed.filter(
		url => url !== undefined && ['nats:', 'tls:'].includes(url.protocol) && url.hostname !== '',
	) as URL[]
	const [first] = usable
	if (first === undefined || usable.length < urls.length) return undefined
	const password = decodeURIComponent(first.password)
	const user = decodeURIComponent(first.username)
	const login =
		password === '' ? (user === '' ? natsLogin(one) : { token: user }) : { user, password }
	const encrypted = usable.some(({ protocol }) => protocol === 'tls:')
	return {
		servers: usable.map(({ hostname, port }) => `${hostname}:${port || usualNatsPort}`),
		security: { ...login, ...natsTls(one, encrypted) },
	}
}

/** Without the fields that are undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
		[K in keyof T]?: Exclude<T[K], undefined>
	}
}
