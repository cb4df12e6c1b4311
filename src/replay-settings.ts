/** Settings of `radledger replay`. */
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { macAddress } from '../domain/junose/parameter.ts'
import { parsePointInTime, pointInTimeForms } from '../domain/point-in-time.ts'
import { type Question, type QuestionKind, questionKinds } from '../projections/history/question.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

export type ReplaySettings = {
	readonly question: Question
	/** The instant whose state is asked for. */
	readonly at: number | undefined
	/** Whether the time line is wanted: with --at alone it is not. */
	readonly wantsEvents: boolean
	readonly json: boolean
	readonly limit: number
} & ({ readonly data: string } | { readonly export: string } | { readonly eventStore: string })

export const limitDefault = 10_000
const limitMax = 1_000_000

export const replayUsage = `radledger replay WHOM [WHEN] [--data DIR | --export FILE | --eventstore URL]
  --subscriber MAC       the history of a subscriber
  --user NAME            ... of a user, on whatever device, in any case
  --address IP           ... of an address: who held it
  --wap W                ... of an access point (its MAC address): who was there
  --from T, --to T       only what happened between these times
  --at T                 how things stood at that time; without --from and --to no time line;
                         where the clock was set back and showed it twice, the second time
  --virtual-router NAME  only there
  --limit N              events at most (${limitDefault})
  --json                 for programs
  --data DIR             the data folder of a relay, or a copy of one         RADLEDGER_DATA
  --export FILE          instead: what "radledger export --format ndjson" wrote
  --eventstore URL       instead: the EventStoreDB that mirrors it, read as a whole
  T is ${pointInTimeForms}.`

const options = {
	subscriber: { type: 'string' },
	user: { type: 'string' },
	address: { type: 'string' },
	wap: { type: 'string' },
	from: { type: 'string' },
	to: { type: 'string' },
	at: { type: 'string' },
	'virtual-router': { type: 'string' },
	limit: { type: 'string' },
	json: { type: 'boolean' },
	data: { type: 'string' },
	export: { type: 'string' },
	eventstore: { type: 'string' },
} as const

export function replaySettings(
	args: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
	now: number,
): ReplaySettings {
	const flags = readFlags(withSigns(args), options)
	const named = questionKinds.filter(kind => flags[kind] !== undefined)
	const [kind] = named
	if (kind === undefined || named.length > 1) {
		throw new UsageError(`Name one of --subscriber, --user, --address and --wap.\n${replayUsage}`)
	}
	const time = (name: 'from' | 'to' | 'at') => readTime(name, flags[name], now)
	const [from, to, at] = [time('from'), time('to'), time('at')]
	if (from !== undefined && to !== undefined && from > to) {
		throw new UsageError('--from is later than --to: exchange them.')
	}
	const virtualRouter = flags['virtual-router'] as string | undefined
	return {
		question: {
			kind,
			value: readValue(kind, String(flags[kind])),
			virtualRouter,
			from: from ?? Number.MIN_SAFE_INTEGER,
			to: to ?? Number.MAX_SAFE_INTEGER,
		},
		at,
		wantsEvents: at === undefined || from !== undefined || to !== undefined,
		json: flags['json'] === true,
		limit: readLimit(flags['limit']),
		...readPlace(flags, environment),
	}
}

function readPlace(
	flags: Readonly<Record<string, unknown>>,
	environment: Readonly<Record<string, string | undefined>>,
) {
	const named = ['data', 'export', 'eventstore'].filter(name => flags[name] !== undefined)
	if (named.length > 1) {
		throw new UsageError(`Name one of --data, --export and --eventstore.\n${replayUsage}`)
	}
	if (flags['export'] !== undefined) return { export: String(flags['export']) }
	if (flags['eventstore'] !== undefined) return { eventStore: String(flags['eventstore']) }
	return { data: dataFolder(flags['data'], environment) }
}

/** A value such as `-2h` would else be taken for an option. */
export function withSigns(args: readonly string[]): string[] {
	const joined: string[] = []
	for (const arg of args) {
		const before = joined.at(-1)
		if (/^-\d/.test(arg) && before !== undefined && /^--[a-z-]+$/.test(before)) {
			joined[joined.length - 1] = `${before}=${arg}`
		} else {
			joined.push(arg)
		}
	}
	return joined
}

function readTime(name: string, value: unknown, now: number): number | undefined {
	if (value === undefined) return undefined
	const time = parsePointInTime(String(value), now)
	if (time !== undefined) return time
	throw new UsageError(`--${name} cannot be ${JSON.stringify(value)}: write ${pointInTimeForms}.`)
}

function readValue(kind: QuestionKind, text: string): string {
	if (kind === 'user') {
		if (text !== '') return text
		throw new UsageError('--user needs a name, as it is in User-Name.')
	}
	if (kind === 'address') {
		const address = parseIpv4(text)
		if (address !== undefined) return formatIpv4(address)
		throw new UsageError(`--address cannot be ${JSON.stringify(text)}: write an IPv4 address.`)
	}
	const mac = macAddress.read(text)
	if ('value' in mac) return mac.value
	// An access point without a MAC address is known by the text that it sends.
	if (kind === 'wap' && text !== '') return text
	throw new UsageError(`--${kind} cannot be ${JSON.stringify(text)}. ${mac.why}`)
}

function readLimit(value: unknown): number {
	if (value === undefined) return limitDefault
	const limit = Number(value)
	if (Number.isInteger(limit) && limit >= 1 && limit <= limitMax) return limit
	throw new UsageError(`--limit must be a number from 1 to ${limitMax}.`)
}
