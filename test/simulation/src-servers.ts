/** SRC servers behind the relay's client: they decide, stay silent, are late, refuse, and take turns. */
import { noStatistics, type SrcClient, type SrcOutcome } from '../../domain/sae/client.ts'
import type { Answers, Questions } from '../../domain/sae/protocol.ts'
import { routerState } from '../../domain/state.ts'
import type { OpenSrc } from '../../src/engine/src-link.ts'
import { readJournal } from './history.ts'
import type { Running } from './relay.ts'
import { judgeDeletion, judgeReport, type Login } from './src-ledger.ts'
import { after, breaks, count, type World } from './world.ts'

export type SrcMode = 'answers' | 'silent' | 'late' | 'refuses' | 'breaks'
const modes: readonly SrcMode[] = ['answers', 'answers', 'silent', 'late', 'refuses', 'breaks']
const servers = ['10.10.2.2:4222', '10.10.2.3:4222'] as const
/** How long the client waits for an answer. */
const limitMs = 1000

export function changeSrc(world: World): void {
	world.srcMode = world.chance.pick(modes)
	count(world, `src ${world.srcMode}`)
	after(world, world.chance.within(1000, 60_000), 'src recovers', () => {
		world.srcMode = 'answers'
	})
}

/** The client of a process: what becomes of its questions, a dead process never hears. */
export function openSrcFor(world: World, running: Running): OpenSrc {
	return async (router, _settings, _source, onChange) => {
		const statistics = noStatistics()
		let open = true
		let role: 'primary' | 'secondary' = 'primary'
		const server = () => servers[role === 'primary' ? 0 : 1]
		const ask = <A>(decide: () => A, heard: () => void): Promise<SrcOutcome<A>> => {
			const mode = world.quiet ? 'answers' : world.srcMode
			const outcome = Promise.withResolvers<SrcOutcome<A>>()
			if (!open) return Promise.resolve({ failure: 'closed', why: 'It is closed.' })
			const ms = mode === 'silent' || mode === 'late' ? limitMs : world.chance.within(0.2, 300)
			after(world, ms, `src ${mode}`, () => {
				// What an SRC server has heard it knows, whether it can say so or not.
				if (open && mode !== 'silent') heard()
				if (world.running !== running || !running.alive) return
				count(world, `src ${mode} a question`)
				if (mode === 'breaks') outcome.reject(new Error('broken'))
				else if (!open) outcome.resolve({ failure: 'closed', why: 'It is closed.' })
				else if (mode === 'refuses') outcome.resolve({ failure: 'refused', why: 'No.' })
				else if (mode === 'answers') outcome.resolve({ answer: decide(), server: server() })
				else {
					outcome.resolve({ failure: 'timeout', why: 'Nobody answered.' })
					if (mode === 'late') statistics.lateAnswers++
				}
				// The next server is asked from now on.
				if (mode !== 'silent' && mode !== 'late') return
				role = role === 'primary' ? 'secondary' : 'primary'
				onChange({ state: 'connected', server: server(), role })
			})
			return outcome.promise
		}
		const client: SrcClient = {
			discover: () =>
				ask(
					() => decision(world),
					() => undefined,
				),
			address: body => {
				const login = toldAddress(world, router, body)
				return ask(
					() => ({ sessionId: `${body.macAddress} ${body.at}`, service: 'internet' }),
					() => {
						if (login !== undefined) login.reported = true
					},
				)
			},
			delete: body => {
				const login = toldDeletion(world, router, body)
				return ask(
					() => ({
						sessionId: `${body.macAddress} ${body.since}`,
						sessionSeconds: Math.max(0, Math.floor((body.at - body.since) / 1000)),
					}),
					() => {
						if (login !== undefined) login.deleted = true
					},
				)
			},
			info: () => ({ state: 'connected', server: server(), role }),
			statistics: () => ({ ...statistics }),
			restart() {},
			async close() {
				open = false
			},
		}
		return client
	}
}

function decision({ chance }: World): Answers['discover'] {
	const what = chance.random()
	if (what < 0.1) return { accept: false, reason: 'not today' }
	if (what < 0.2) return { accept: true, ipAddress: `10.0.0.${chance.between(1, 14)}` }
	if (what < 0.7) {
		return { accept: true, poolName: chance.pick(['near', 'overflow', 'far', 'elsewhere']) }
	}
	return { accept: true, leaseTime: chance.between(20, 120) }
}

function toldAddress(world: World, router: string, body: Questions['address']): Login | undefined {
	readJournal(world)
	count(world, 'told address')
	const { src } = routerState(world.history.durable, router)
	const known = src.subscribers.get(body.macAddress)?.logins ?? []
	const login = known.find(({ address }) => address === body.ipAddress)
	if (login !== undefined && body.interfaceName !== (login.interface ?? 'unknown')) {
		breaks(world, `SRC was told of ${body.macAddress} on ${body.interfaceName}.`)
	}
	return judgeReport(world, router, body)
}

function toldDeletion(world: World, router: string, body: Questions['delete']): Login | undefined {
	readJournal(world)
	count(world, `told deletion ${body.cause}`)
	return judgeDeletion(world, router, body)
}
