/**
 * One relay's read side away from the relay: a copy of its journal, its read models and, where it is
 * wanted, its HTTP server. Nothing here can write to the history but what came out of it.
 */
import type { Follows, PeerStatus, RelayStatus } from '../adapters/http/live.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import type { NewEvent } from '../domain/event.ts'
import { type PlacedEvent, upcast } from '../domain/upcast.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { follow, tellTogether } from '../projections/follow.ts'
import { standing } from '../projections/standing.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'
import type { EngineLog } from './engine/engine.ts'
import { moveHorizon, newHorizon } from './horizon.ts'
import { type Http, openHttp } from './http.ts'
import { openCounts, relayAsTold } from './relay-as-told.ts'
import { statisticsOf } from './relay-status.ts'
import { release } from './release.ts'
import type { ServeSettings } from './settings.ts'
import { openViewReading, openViews } from './views.ts'

export type Replica = {
	readonly journal: string
	/** Host name and virtual routers, as the history has them. */
	name(): string
	/** Position of the newest event that is on disk here. */
	last(): number
	/** Takes an event, in any order; `flush` has it on disk when nothing before it is missing. */
	take(event: PlacedEvent): void
	flush(): void
	/** Events that wait for one before them. */
	waiting(): number
	/** Where its HTTP server listens. */
	readonly port: number | undefined
	close(): Promise<void>
}

export type ReplicaSettings = {
	readonly folder: string
	readonly journal: string
	readonly http: ServeSettings['http']
	readonly log: EngineLog
	/** What EventStoreDB is called, a sentence where it is away, and who else is followed. */
	readonly source: () => Follows
}

export async function openReplica(settings: ReplicaSettings): Promise<Replica> {
	const { folder, log } = settings
	const onWarning = (sentence: string) => log.warn('data-folder', { folder }, sentence)
	const journal = openJournal({ folder, newId: settings.journal, reserveLog: false, onWarning })
	const following = { reader: journal, snapshots: journal, onWarning }
	const views = {
		relayStatistics: follow({ ...following, projection: relayStatistics }),
		upstreamStatistics: follow({ ...following, projection: upstreamStatistics }),
		dhcpStatistics: follow({ ...following, projection: dhcpStatistics }),
		dynamicRequestStatistics: follow({ ...following, projection: dynamicRequestStatistics }),
		standing: follow({ ...following, projection: standing }),
	}
	const all = Object.values(views)
	for (const view of all) view.catchUp()
	const tellAll = tellTogether(all)
	const horizon = newHorizon(journal.last())
	const readModels = openViews(folder, horizon, onWarning)
	const reading = openViewReading(folder)
	const counts = openCounts(reading.reader, () => performance.now())
	const early = new Map<number, PlacedEvent>()
	const startedAt = Date.now()
	const http = await listen().catch(async error => {
		await readModels.close()
		reading.close()
		journal.close()
		throw error
	})

	return {
		journal: journal.id,
		name() {
			const { hostname, virtualRouters } = told()
			return `${hostname}: ${virtualRouters.map(({ name }) => name).join(', ')}`
		},
		last: journal.last,
		take(event) {
			if (event.position > journal.last()) early.set(event.position, event)
		},
		flush,
		waiting: () => early.size,
		port: http?.port,
		async close() {
			await http?.close()
			await readModels.close()
			reading.close()
			for (const view of all) view.save()
			journal.close()
		},
	}

	function flush(): void {
		const events: PlacedEvent[] = []
		for (let next = journal.last() + 1; ; next++) {
			const event = early.get(next)
			if (event === undefined) break
			events.push(event)
			early.delete(next)
		}
		if (events.length === 0) return
		// First of all: what this release cannot read must not get into the journal, where it would stay.
		const recorded = events.map(event => upcast(event, event.position))
		// As they were written; what is folded is what today's version makes of them.
		const first = journal.append(events as unknown as NewEvent[])
		tellAll(first, recorded)
		moveHorizon(horizon, journal.last())
	}

	async function listen(): Promise<Http | undefined> {
		if (settings.http === undefined) return undefined
		return openHttp({
			folder,
			release,
			...settings.http,
			horizon,
			live: {
				status: async () => status(),
				statistics: async query => statisticsOf(views, query),
				setBaseline: async () =>
					'Baselines are set at the relay itself: this is a copy of its history.',
			},
			onTrouble: error => log.warn('http', { error }, 'The HTTP server has trouble.'),
		})
	}

	function told() {
		return relayAsTold(views.standing.state(), counts())
	}

	function status(): RelayStatus {
		const source = settings.source()
		const { name, trouble } = source
		const { peers, ...others } = told()
		const eventstore: PeerStatus = {
			...{ kind: 'eventstore', virtualRouter: null, name, position: null },
			...{ state: trouble === null ? 'following' : 'waiting', trouble },
			figures: { waiting: early.size },
		}
		return {
			...others,
			...{ release, follows: source, startedAt, journal: journal.id, position: journal.last() },
			...{ failure: null, transport: 'none', peers: [...peers, eventstore], queues: {} },
			commits: { bounds: [], counts: [], count: 0, sumSeconds: 0, events: 0 },
		}
	}
}
