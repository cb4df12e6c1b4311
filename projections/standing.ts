/**
 * How a relay stands as far as its history tells: its configuration (without secrets), the state of
 * its RADIUS servers and which SRC server it asks. For whoever has the history and not the relay.
 */
import { type Configuration, initialConfiguration, type Service } from '../domain/configuration.ts'
import type { EventData, RecordedEvent } from '../domain/event.ts'
import { configurationLines, parseConfiguration } from '../domain/junose/configuration-text.ts'
import { quoteWord } from '../domain/junose/quotation.ts'
import type { UpstreamState } from '../domain/upstream.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export type Standing = {
	/** When the relay was started last, in milliseconds; 0: never. */
	startedAt: number
	/** When it was stopped after that; null: it was not. */
	stoppedAt: number | null
	/** Commands that make the configuration, in order; secrets are `<secret>`. */
	lines: string[]
	/** Changes among the lines since these were written down anew. */
	changes: number
	/** RADIUS servers whose state has changed since the start: the others are okay. */
	upstreams: { virtualRouter: string; service: Service; server: string; state: UpstreamState }[]
	/** Whom each virtual router asks; nobody where it is left out. */
	src: { virtualRouter: string; server: string }[]
}

export const standing: Projection<Standing> = {
	name: 'standing',
	version: 1,
	initial: () => begun(0, []),
	types: [
		'RelayStarted',
		'RelayStopped',
		'ConfigurationChanged',
		'UpstreamChanged',
		'SrcServerChanged',
	],
	fold: foldStanding,
}

/** So many changes make the text longer before it is written down anew. */
const changesMax = 256
const virtualRouterOf = createVirtualRouterReader()

function begun(startedAt: number, lines: readonly string[]): Standing {
	return { startedAt, stoppedAt: null, lines: [...lines], changes: 0, upstreams: [], src: [] }
}

function foldStanding(state: Standing, event: RecordedEvent): Standing {
	switch (event.type) {
		case 'RelayStarted':
			return started(state, event.at, event.data.configuration)
		case 'RelayStopped':
			return { ...state, stoppedAt: event.at }
		case 'ConfigurationChanged':
			return changed(state, virtualRouterOf(event.stream), event.data)
		case 'UpstreamChanged': {
			const virtualRouter = virtualRouterOf(event.stream)
			const { service, server, to } = event.data
			const others = state.upstreams.filter(
				one =>
					one.server !== server || one.service !== service || one.virtualRouter !== virtualRouter,
			)
			return { ...state, upstreams: [...others, { virtualRouter, service, server, state: to }] }
		}
		case 'SrcServerChanged': {
			const virtualRouter = virtualRouterOf(event.stream)
			const others = state.src.filter(one => one.virtualRouter !== virtualRouter)
			const { to } = event.data
			return { ...state, src: to === '' ? others : [...others, { virtualRouter, server: to }] }
		}
		default:
			return state
	}
}

/** One start is recorded once for each virtual router, all at the same time. */
function started(state: Standing, at: number, lines: readonly string[]): Standing {
	if (at !== state.startedAt || state.stoppedAt !== null) return begun(at, lines)
	return { ...state, lines: [...state.lines, ...lines] }
}

function changed(
	state: Standing,
	virtualRouter: string,
	{ context, command }: EventData<'ConfigurationChanged'>,
): Standing {
	const lines = [...state.lines, `virtual-router ${quoteWord(virtualRouter)}`, context, command]
	if (state.changes < changesMax) return { ...state, lines, changes: state.changes + 1 }
	return { ...state, lines: [...configurationLines(configurationOf(lines), 'hidden')], changes: 0 }
}

/** Each pass finds at least one more line that has to go; a newer release's commands are few. */
const passesMax = 20

/** The configuration that the commands make; those that this release does not know are left out. */
export function configurationOf(lines: readonly string[]): Configuration {
	let known = lines
	for (let pass = 0; pass < passesMax; pass++) {
		const parsed = parseConfiguration(known.join('\n'), 'history')
		if ('configuration' in parsed) return parsed.configuration
		const wrong = new Set(parsed.errors.map(({ line }) => line))
		known = known.filter((_, index) => !wrong.has(index + 1))
	}
	return initialConfiguration()
}
