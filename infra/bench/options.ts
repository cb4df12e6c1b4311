/** What the command line of `npm run bench` says. */
import { parseArgs } from 'node:util'
import { type RelayName, relayNames } from './relays.ts'
import {
	type Case,
	type PartName,
	pageEvents,
	partNames,
	scaleSubscribers,
	steadyCases,
	windowCases,
} from './results.ts'
import { viewEvents } from './views.ts'

export type Options = {
	/** Measured seconds of one run at a window, and at the steady rate. */
	readonly seconds: number
	readonly steadySeconds: number
	readonly rounds: number
	readonly relays: ReadonlySet<RelayName>
	readonly cases: readonly Case[]
	readonly parts: ReadonlySet<PartName>
	readonly subscribers: number
	readonly viewEvents: number
	readonly pageEvents: number
	readonly writeReadme: boolean
}

const allCases = [...windowCases, ...steadyCases]

export const help = `Measures radledger, radsecproxy and FreeRADIUS side by side; as a DHCP server beside Kea; what a
question to SRC costs, what a million sessions take, what analysts cost; and the journal, its read
models, its seal, the EventStoreDB mirror, the event feed and the web page by themselves. One after the other.

  --seconds N         measured seconds of each run at a window (0.8)
  --steady-seconds N  measured seconds of each run at the steady rate (6)
  --rounds N          rounds at the windows, of which medians are taken (5)
  --only NAME         only this relay, load or part; may be given several times
  --subscribers N     live sessions of the part scale (${scaleSubscribers})
  --view-events N     events of the part views (${viewEvents})
  --page-events N     events of the part page (${pageEvents})
  --write-readme      puts the tables into README.md; what is not measured stays there as it is

Relays: ${relayNames.join(', ')}
Loads:  ${allCases.map(({ name }) => name).join(', ')}
Parts:  ${partNames.join(', ')}
`

/** Throws with a sentence where something cannot be. */
export function readOptions(args: readonly string[]): Options | 'help' {
	const { values } = parseArgs({
		args: [...args],
		options: {
			seconds: { type: 'string', default: '0.8' },
			'steady-seconds': { type: 'string', default: '6' },
			rounds: { type: 'string', default: '5' },
			only: { type: 'string', multiple: true, default: [] },
			subscribers: { type: 'string', default: `${scaleSubscribers}` },
			'view-events': { type: 'string', default: `${viewEvents}` },
			'page-events': { type: 'string', default: `${pageEvents}` },
			'write-readme': { type: 'boolean', default: false },
			help: { type: 'boolean', default: false },
		},
	})
	if (values.help) return 'help'
	const options = {
		...chosen(values.only),
		seconds: readNumber('--seconds', values.seconds, 0.1, 60),
		steadySeconds: readNumber('--steady-seconds', values['steady-seconds'], 0.1, 60),
		rounds: Math.round(readNumber('--rounds', values.rounds, 1, 20)),
		subscribers: Math.round(readNumber('--subscribers', values.subscribers, 1, 1_048_573)),
		viewEvents: Math.round(readNumber('--view-events', values['view-events'], 1_000, 100_000_000)),
		pageEvents: Math.round(readNumber('--page-events', values['page-events'], 1_000, 10_000_000)),
		writeReadme: values['write-readme'],
	}
	if (options.writeReadme) checkWhole(options)
	return options
}

/** Names of relays only: all loads. Names of loads only: all relays. Names of parts only: neither. */
function chosen(only: readonly string[]): Pick<Options, 'relays' | 'cases' | 'parts'> {
	const known: string[] = [...relayNames, ...allCases.map(({ name }) => name), ...partNames]
	const unknown = only.find(name => !known.includes(name))
	if (unknown !== undefined) {
		throw new Error(`--only ${unknown}: there is no such relay or part. Known: ${known.join(', ')}`)
	}
	const relays = relayNames.filter(name => only.includes(name))
	const cases = allCases.filter(({ name }) => only.includes(name))
	const parts = partNames.filter(name => only.includes(name))
	const relaysToo = only.length === 0 || relays.length > 0
	return {
		relays: new Set(relays.length > 0 ? relays : relayNames),
		cases: cases.length === 0 && relaysToo ? allCases : cases,
		parts: new Set(only.length === 0 ? partNames : parts),
	}
}

/** The README tells of nothing that was smaller than what the targets are about. */
function checkWhole(options: Options): void {
	if (options.cases.length > 0 && options.relays.size < relayNames.length) {
		throw new Error('--write-readme needs all relays of a load: leave out --only RELAY.')
	}
	if (options.parts.has('scale') && options.subscribers !== scaleSubscribers) {
		throw new Error(`--write-readme needs --subscribers ${scaleSubscribers}.`)
	}
	if (options.parts.has('page') && options.pageEvents !== pageEvents) {
		throw new Error(`--write-readme needs --page-events ${pageEvents}.`)
	}
	if (options.parts.has('views') && options.viewEvents !== viewEvents) {
		throw new Error(`--write-readme needs --view-events ${viewEvents}.`)
	}
}

function readNumber(option: string, text: string, least: number, most: number): number {
	const value = Number(text)
	if (value >= least && value <= most) return value
	throw new Error(`${option} ${text}: must be a number from ${least} to ${most}.`)
}
