/** Settings of `radledger src-adapter`: flags, then environment variables. */
import { type LogLevel, logLevels } from './log.ts'
import {
	type NatsServers,
	natsFlags,
	natsFlagsFault,
	natsFlagsUsage,
	natsServers,
	natsUrlNeeded,
	usualNatsPort,
} from './nats-settings.ts'
import { readFlags, UsageError } from './settings.ts'

export type SrcAdapterSettings = {
	readonly rules: string
	readonly nats: NatsServers
	/** Empty: all. */
	readonly virtualRouters: readonly string[]
	readonly accounting?: {
		readonly host: string
		readonly port: number
		readonly secretFile: string
		readonly nasIdentifier: string
	}
	readonly logLevel: LogLevel
}

const usualAccountingPort = 1813

export const srcAdapterUsage = `radledger src-adapter --rules FILE --nats URL
  --rules FILE                   classification rules                         RADLEDGER_RULES
  --nats URL                     nats://HOST[:${usualNatsPort}] or tls://...; may be repeated   RADLEDGER_NATS
  ${natsFlagsUsage}
  --virtual-router NAME          only this one's questions; may be repeated   RADLEDGER_VIRTUAL_ROUTER
  --radius-accounting HOST:PORT  write sessions as RADIUS accounting          RADLEDGER_RADIUS_ACCOUNTING
  --radius-secret-file FILE      the secret of that server                    RADLEDGER_RADIUS_SECRET_FILE
  --nas-identifier TEXT          who that server is told we are (radledger-src) RADLEDGER_NAS_IDENTIFIER
  --log-level LEVEL              ${logLevels.join(', ')}              RADLEDGER_LOG_LEVEL`

type Environment = Readonly<Record<string, string | undefined>>

const single = [
	'rules',
	...natsFlags,
	'radius-accounting',
	'radius-secret-file',
	'nas-identifier',
	'log-level',
] as const
const multiple = ['nats', 'virtual-router'] as const

export function srcAdapterSettings(
	args: readonly string[],
	environment: Environment,
): SrcAdapterSettings {
	const flags = readFlags(args, {
		...Object.fromEntries(single.map(name => [name, { type: 'string' as const }])),
		...Object.fromEntries(
			multiple.map(name => [name, { type: 'string' as const, multiple: true }]),
		),
	})
	const one = (name: (typeof single)[number]): string | undefined => {
		const value = (flags[name] ?? environment[variableOf(name)]) as string | undefined
		if (value === '') wrong(name, 'cannot be empty')
		return value
	}
	const many = (name: (typeof multiple)[number]): string[] => {
		const value = flags[name] as string[] | undefined
		return value ?? environment[variableOf(name)]?.split(',').filter(part => part !== '') ?? []
	}
	const logLevel = logLevels.find(level => level === (one('log-level') ?? 'info'))
	if (logLevel === undefined) wrong('log-level', `must be ${logLevels.join(', ')}`)
	const accounting = accountingOf(one)
	return {
		rules: one('rules') ?? missing('rules'),
		nats: natsOf(many('nats'), one),
		virtualRouters: many('virtual-router'),
		...(accounting === undefined ? {} : { accounting }),
		logLevel,
	}
}

function variableOf(name: string): string {
	return `RADLEDGER_${name.toUpperCase().replaceAll('-', '_')}`
}

function wrong(name: string, what: string): never {
	throw new UsageError(`--${name} (or ${variableOf(name)}) ${what}.\n${srcAdapterUsage}`)
}

function missing(name: string): never {
	wrong(name, 'is missing')
}

type One = (name: (typeof single)[number]) => string | undefined

function natsOf(urls: readonly string[], one: One): SrcAdapterSettings['nats'] {
	if (urls.length === 0) missing('nats')
	const fault = natsFlagsFault(one)
	if (fault !== undefined) wrong(fault.flag, fault.fault)
	const servers = natsServers(urls, one)
	// The text may hold a password: it is not repeated.
	return servers ?? wrong('nats', natsUrlNeeded)
}

function accountingOf(one: One): SrcAdapterSettings['accounting'] {
	const server = one('radius-accounting')
	if (server === undefined) return undefined
	const [host = '', portText = String(usualAccountingPort), ...rest] = server.split(':')
	const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0
	if (host === '' || port < 1 || port > 65_535 || rest.length > 0) {
		wrong('radius-accounting', 'must be HOST:PORT, such as 10.0.0.1:1813')
	}
	const secretFile = one('radius-secret-file') ?? missing('radius-secret-file')
	return { host, port, secretFile, nasIdentifier: one('nas-identifier') ?? 'radledger-src' }
}
