/** Process settings: flags, then environment variables. All about the relay is in JunosE commands. */
import { parseArgs } from 'node:util'
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { isLoopback, type Listening, parseListening, readToken } from '../adapters/http/access.ts'
import type { NatsSecurity } from '../adapters/nats/connection.ts'
import { serverPort } from '../domain/dhcp/packet.ts'
import { watchdogSeconds, watchdogSecondsMinimum } from '../domain/upstream.ts'
import { type LogLevel, logLevels } from './log.ts'
import {
	type NatsServers,
	natsFlags,
	natsFlagsFault,
	natsFlagsSecurity,
	natsFlagsUsage,
	natsServers,
	natsUrlNeeded,
} from './nats-settings.ts'

/** What is wrong with how the program was called, as a sentence. */
export class UsageError extends Error {
	override readonly name = 'UsageError'
}

const text = new t.Type<string, string, unknown>(
	'text',
	t.string.is,
	(u, c) => (typeof u === 'string' && u !== '' ? t.success(u) : t.failure(u, c)),
	String,
)

const watchdog = new t.Type<number, string, unknown>(
	'seconds',
	t.number.is,
	(u, c) => {
		const seconds = Number(u)
		const possible =
			Number.isInteger(seconds) && seconds >= watchdogSecondsMinimum && seconds <= 3600
		return possible ? t.success(seconds) : t.failure(u, c)
	},
	String,
)

const port = new t.Type<number, string, unknown>(
	'UDP port',
	t.number.is,
	(u, c) => {
		const number = Number(u)
		const possible = Number.isInteger(number) && number >= 1 && number <= 65_535
		return possible ? t.success(number) : t.failure(u, c)
	},
	String,
)

const logLevel = new t.Type<LogLevel, string, unknown>(
	'log level',
	(u): u is LogLevel => logLevels.includes(u as LogLevel),
	(u, c) => (logLevels.includes(u as LogLevel) ? t.success(u as LogLevel) : t.failure(u, c)),
	String,
)

const transport = t.union([t.literal('auto'), t.literal('linux'), t.literal('dgram')])

export type ServeSettings = {
	readonly config: string
	readonly data: string
	readonly dictionaries: readonly string[]
	readonly watchdogSeconds: number
	readonly transport: t.TypeOf<typeof transport>
	/** Where the DHCP server listens. */
	readonly dhcpPort: number
	readonly logLevel: LogLevel
	/** The key that signs the seal's checkpoints; `seal.key` in the data folder unless told. */
	readonly sealKey: string | undefined
	/** Whether the history is sealed while the relay runs; what was left out is sealed later. */
	readonly seal: boolean
	/** What SRC's NATS servers are logged in to with; which they are, `sscc` commands say. */
	readonly natsSecurity: NatsSecurity
	/** Whether the read models (DIR/views.db) are kept up to date beside the relay. */
	readonly views: boolean
	/** Where the HTTP server listens, and the token that it demands; undefined: there is none. */
	readonly http: { readonly listening: Listening; readonly token: string | undefined } | undefined
	/** JetStream servers that the journal's events are fed to. */
	readonly feed?: NatsServers
	/** Connection string of the EventStoreDB database that mirrors the journal. */
	readonly eventStore?: string
}

export const serveUsage = `radledger serve --config FILE --data DIR
  --config FILE            the relay's configuration, in JunosE commands   RADLEDGER_CONFIG
  --data DIR               the folder that its journal is kept in          RADLEDGER_DATA
  --dictionary FILE        a FreeRADIUS dictionary more (may be repeated)  RADLEDGER_DICTIONARY
  --watchdog-seconds N     RFC 3539's Tw, ${watchdogSecondsMinimum} to 3600 (${watchdogSeconds})                 RADLEDGER_WATCHDOG_SECONDS
  --transport NAME         auto, linux (batched system calls) or dgram     RADLEDGER_TRANSPORT
  --seal-key FILE          the key that signs the seal (DIR/seal.key)       RADLEDGER_SEAL_KEY
  --no-seal                seal the history another time: until then a
                           change of it would not be found out              RADLEDGER_NO_SEAL
  --views                  keep DIR/views.db up to date, for SQL and for
                           commands about the past; --http does so too     RADLEDGER_VIEWS
  --http ADDRESS:PORT      web page and HTTP API, such as 127.0.0.1:8080   RADLEDGER_HTTP
  --http-token-file FILE   whoever asks must have the token in its first
                           line; needed unless ADDRESS is a loopback one   RADLEDGER_HTTP_TOKEN_FILE
  --dhcp-port N            where the DHCP server listens (67)              RADLEDGER_DHCP_PORT
  --eventstore URL         mirror to EventStoreDB, e.g. esdb://HOST:2113   RADLEDGER_EVENTSTORE
  --nats URL               feed events to JetStream, nats://HOST:4222;
                           may be repeated for a cluster                   RADLEDGER_NATS
  --log-level LEVEL        ${logLevels.join(', ')}           RADLEDGER_LOG_LEVEL
  and, for --nats and the SRC servers of "sscc" commands:
  --nats-tls               TLS, with the system's certificate authorities   RADLEDGER_NATS_TLS
  ${natsFlagsUsage}`

export function serveSettings(
	args: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
): ServeSettings {
	const flags = readFlags(args, {
		config: { type: 'string' },
		data: { type: 'string' },
		dictionary: { type: 'string', multiple: true },
		'watchdog-seconds': { type: 'string' },
		transport: { type: 'string' },
		'dhcp-port': { type: 'string' },
		'log-level': { type: 'string' },
		'seal-key': { type: 'string' },
		'no-seal': { type: 'boolean' },
		views: { type: 'boolean' },
		http: { type: 'string' },
		'http-token-file': { type: 'string' },
		eventstore: { type: 'string' },
		nats: { type: 'string', multiple: true },
		'nats-tls': { type: 'boolean' },
		...Object.fromEntries(natsFlags.map(name => [name, { type: 'string' as const }])),
	})
	const one = <A>(name: string, codec: t.Type<A, unknown, unknown>, other: string | undefined) => {
		const variable = `RADLEDGER_${name.toUpperCase().replaceAll('-', '_')}`
		const value = flags[name] ?? environment[variable] ?? other
		const checked = codec.decode(value)
		if (!isLeft(checked)) return checked.right
		const what = value === undefined ? 'is missing' : `cannot be ${JSON.stringify(value)}`
		throw new UsageError(`--${name} (or ${variable}) ${what}.\n${serveUsage}`)
	}
	const dictionary = environment['RADLEDGER_DICTIONARY']
	const dictionaries = flags['dictionary'] ?? (dictionary === undefined ? [] : [dictionary])
	const natsFlag = (name: (typeof natsFlags)[number]) => {
		const variable = `RADLEDGER_${name.toUpperCase().replaceAll('-', '_')}`
		const given = flags[name] ?? environment[variable]
		return given === undefined ? undefined : one(name, text, undefined)
	}
	const fault = natsFlagsFault(natsFlag)
	if (fault !== undefined) {
		throw new UsageError(`--${fault.flag} ${fault.fault}.\n${serveUsage}`)
	}
	const natsTls = (flags['nats-tls'] ?? environment['RADLEDGER_NATS_TLS']) !== undefined
	const natsUrls = (flags['nats'] as string[] | undefined) ?? listOf(environment['RADLEDGER_NATS'])
	const http = httpSettings(
		(flags['http'] as string | undefined) ?? environment['RADLEDGER_HTTP'],
		(flags['http-token-file'] as string | undefined) ?? environment['RADLEDGER_HTTP_TOKEN_FILE'],
	)
	const views = (flags['views'] ?? environment['RADLEDGER_VIEWS']) !== undefined
	const eventStore = flags['eventstore'] ?? environment['RADLEDGER_EVENTSTORE']
	return {
		config: one('config', text, undefined),
		data: one('data', text, undefined),
		dictionaries: dictionaries as string[],
		watchdogSeconds: one('watchdog-seconds', watchdog, String(watchdogSeconds)),
		transport: one('transport', transport, 'auto'),
		dhcpPort: one('dhcp-port', port, String(serverPort)),
		logLevel: one('log-level', logLevel, 'info'),
		seal: (flags['no-seal'] ?? environment['RADLEDGER_NO_SEAL']) === undefined,
		sealKey: one('seal-key', t.union([text, t.undefined]), undefined),
		natsSecurity: natsFlagsSecurity(natsFlag, natsTls),
		...feedSettings(natsUrls, natsFlag, natsTls),
		// The HTTP API answers from the read models.
		views: views || http !== undefined,
		http,
		...(eventStore === undefined ? {} : { eventStore: one('eventstore', text, undefined) }),
	}
}

function listOf(variable: string | undefined): string[] {
	return variable?.split(',').filter(part => part !== '') ?? []
}

function feedSettings(
	urls: readonly string[],
	natsFlag: Parameters<typeof natsServers>[1],
	tls: boolean,
): { feed?: NatsServers } {
	if (urls.length === 0) return {}
	const feed = natsServers(urls, natsFlag)
	// The text may hold a password: it is not repeated.
	if (feed === undefined) throw new UsageError(`--nats (or RADLEDGER_NATS) ${natsUrlNeeded}.`)
	return { feed: tls ? { ...feed, security: { tls: {}, ...feed.security } } : feed }
}

/** Beyond loopback the HTTP server demands a token, and does not start without one. */
export function httpSettings(
	address: string | undefined,
	tokenFile: string | undefined,
): ServeSettings['http'] {
	if (address === undefined) {
		if (tokenFile === undefined) return undefined
		throw new UsageError('--http-token-file is for --http, which is missing.')
	}
	const listening = parseListening(address)
	if (listening === undefined) {
		throw new UsageError(
			`--http (or RADLEDGER_HTTP) cannot be ${JSON.stringify(address)}: it must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080.`,
		)
	}
	if (tokenFile === undefined) {
		if (isLoopback(listening.host)) return { listening, token: undefined }
		throw new UsageError(
			`--http ${address} can be reached from other machines, so it needs --http-token-file FILE with a token in its first line. Make one: (umask 077; openssl rand -hex 32 > FILE). Or listen on 127.0.0.1.`,
		)
	}
	const read = readToken(tokenFile)
	if ('refused' in read) throw new UsageError(read.refused)
	return { listening, token: read.token }
}

type Flags = NonNullable<Parameters<typeof parseArgs>[0]>['options']

export function readFlags(
	args: readonly string[],
	options: NonNullable<Flags>,
): Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>> {
	return readArguments(args, options, false).values
}

/** Flags, and what stands beside them where `allowPositionals`. Throws UsageError. */
export function readArguments(
	args: readonly string[],
	options: NonNullable<Flags>,
	allowPositionals: boolean,
): { values: ReturnType<typeof readFlags>; positionals: readonly string[] } {
	try {
		return parseArgs({ args: [...args], options, allowPositionals })
	} catch (error) {
		// Node's advice on arguments that begin with "-" would lead away from a mistyped flag.
		const what = (error as Error).message.split('. To specify ')[0]!.replace(/\.$/, '')
		throw new UsageError(`${what}. With --help the command lists its options.`)
	}
}

/** The data folder of a running relay: `--data`, else RADLEDGER_DATA. */
export function dataFolder(
	flag: unknown,
	environment: Readonly<Record<string, string | undefined>>,
): string {
	const folder = text.decode(flag ?? environment['RADLEDGER_DATA'])
	if (!isLeft(folder)) return folder.right
	throw new UsageError('--data DIR (or RADLEDGER_DATA) must name the data folder of the relay.')
}
