/** The event feed on a real JetStream: order, no gap, no double, servers that go and come. */
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, DiscardPolicy, type JetStreamManager } from 'nats'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Feed, type FeedSettings, openFeed } from '../../adapters/nats/feed.ts'
import type { Fed } from '../../adapters/nats/feed-checkpoint.ts'
import { subjectToken } from '../../domain/sae/protocol.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'
import { operatorMode, selfSigned } from './credentials.ts'
import { type NatsServer, startNats, startNatsCluster } from './nats.ts'
import { canRun, endAll, temporaryFolder, until } from './processes.ts'
import { startRelay } from './relay-process.ts'

type Message = { readonly subject: string; readonly id: string; readonly event: PlacedEvent }

/** A journal in memory, of which the feed sees what is durable. */
function journal(id = 'journal-1') {
	const events: PlacedEvent[] = []
	return {
		add(count: number, router = 'default') {
			for (let i = 0; i < count; i++) {
				const position = events.length + 1
				const stream = `relay-${router}`
				const data = { scope: 'radius relay' }
				events.push({ position, stream, type: 'BaselineSet', v: 1, at: position, data })
			}
		},
		source: {
			journal: id,
			durable: () => events.length,
			read: (from: number, limit: number) => events.slice(from - 1, from - 1 + limit),
		},
		last: () => events.length,
	}
}

/** A checkpoint that outlives a feed, as the file does. */
function memory() {
	let kept: Fed | undefined
	return {
		load: () => kept,
		save: (fed: Fed) => {
			kept = structuredClone(fed)
		},
	}
}

const feeds: Feed[] = []

function open(
	servers: readonly NatsServer[],
	{ source }: ReturnType<typeof journal>,
	settings: Partial<FeedSettings> = {},
): Feed {
	const feed = openFeed({
		source,
		servers: servers.map(({ port }) => `127.0.0.1:${port}`),
		security: {},
		checkpoint: memory(),
		limits: { patienceMs: 2000, firstPauseMs: 50, longestPauseMs: 200 },
		...settings,
	})
	feeds.push(feed)
	return feed
}

function follows(feed: Feed, position: number, limitMs = 20_000): Promise<unknown> {
	return until(`the feed is at ${position}`, limitMs, () => {
		const { state, reason } = feed.state()
		if (state === 'stopped') throw new Error(reason)
		return state === 'following' && feed.state().position === position
	})
}

async function managed<T>(
	server: NatsServer,
	work: (manager: JetStreamManager) => Promise<T>,
): Promise<T> {
	const connection = await connect({ servers: `127.0.0.1:${server.port}` })
	try {
		return await work(await connection.jetstreamManager())
	} finally {
		await connection.close()
	}
}

/** Everything in a virtual router's stream. */
function messages(server: NatsServer, router = 'default'): Promise<Message[]> {
	const name = `radledger-event-${router}`
	return managed(server, async manager => {
		const { state } = await manager.streams.info(name)
		const found: Message[] = []
		for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
			const message = await manager.streams.getMessage(name, { seq })
			found.push({
				subject: message.subject,
				id: message.header.get('Nats-Msg-Id'),
				event: message.json(),
			})
		}
		return found
	})
}

function positions(found: readonly Message[]): number[] {
	return found.map(({ event }) => event.position)
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1)

if (canRun('the event feed', 'nats-server')) {
	let server: NatsServer
	let routers = 0
	/** A virtual router for each test: its stream is new. */
	const newRouter = () => `vr${++routers}`

	test.before(async () => {
		server = await startNats(`jetstream { store_dir: "${temporaryFolder('jetstream')}" }`)
	})
	test.after.each(async () => {
		for (const feed of feeds.splice(0)) await feed.close()
	})
	test.after(endAll)

	test('every event is on its subject once, in order, with an id of journal and position', async () => {
		const events = journal()
		events.add(300, 'default')
		events.add(2, 'Campus West')
		events.add(1, 'default')
		const feed = open([server], events)
		await follows(feed, 303)
		const found = await messages(server)
		assert.equal(positions(found), [...upTo(300), 303])
		assert.is(found[0]!.subject, 'radledger.event.default.BaselineSet')
		assert.is(found[0]!.id, 'journal-1:1')
		assert.equal(found[0]!.event, events.source.read(1, 1)[0])
		const west = await messages(server, 'Campus%20West')
		assert.equal(positions(west), [301, 302])
		assert.is(west[0]!.subject, 'radledger.event.Campus%20West.BaselineSet')
	})

	test('a feed without its checkpoint passes over what is there', async () => {
		const router = newRouter()
		const events = journal()
		events.add(50, router)
		const first = open([server], events)
		await follows(first, 50)
		await first.close()
		events.add(10, router)
		const second = open([server], events)
		await follows(second, 60)
		assert.is(second.state().events, 10)
		assert.equal(positions(await messages(server, router)), upTo(60))
	})

	test('a server that is away and comes back gets all of it, once', async () => {
		const router = newRouter()
		const events = journal()
		events.add(100, router)
		const feed = open([server], events)
		await follows(feed, 100)
		await server.program().end('SIGKILL')
		events.add(5000, router)
		await until('the feed waits', 10_000, () => feed.state().state === 'waiting')
		await server.revive()
		await follows(feed, 5100)
		assert.ok(feed.state().retries > 0)
		const found = await messages(server, router)
		assert.equal(positions(found), upTo(5100))
	})

	test('killed in the middle of a burst, it leaves no gap and no double', async () => {
		const router = newRouter()
		const events = journal()
		events.add(20_000, router)
		const feed = open([server], events)
		await until('some are there', 10_000, () => feed.state().position > 3000)
		await server.program().end('SIGKILL')
		await server.revive()
		await follows(feed, 20_000, 40_000)
		const { state } = await managed(server, m => m.streams.info(`radledger-event-${router}`))
		assert.is(state.messages, 20_000)
		const last = await managed(server, m =>
			m.streams.getMessage(`radledger-event-${router}`, { seq: 20_000 }),
		)
		assert.is(last.header.get('Nats-Msg-Id'), 'journal-1:20000')
	})

	test('a second relay with the same virtual router is found out, and stops', async () => {
		const router = newRouter()
		const ours = journal()
		ours.add(5, router)
		const feed = open([server], ours)
		await follows(feed, 5)
		const theirs = journal('journal-2')
		theirs.add(5, router)
		const intruder = open([server], theirs)
		await until('it stops', 10_000, () => intruder.state().state === 'stopped')
		assert.match(intruder.state().reason, /two relays have the virtual router vr\d+/)
		assert.equal(positions(await messages(server, router)), upTo(5))
	})

	test('a stream that was removed gets everything again; one that was purged goes on', async () => {
		const router = newRouter()
		const name = `radledger-event-${router}`
		const events = journal()
		events.add(20, router)
		const checkpoint = memory()
		const warnings: string[] = []
		const settings = { checkpoint, warn: (sentence: string) => void warnings.push(sentence) }
		const first = open([server], events, settings)
		await follows(first, 20)
		await first.close()
		await managed(server, manager => manager.streams.purge(name))
		events.add(5, router)
		const second = open([server], events, settings)
		await follows(second, 25)
		await second.close()
		assert.equal(positions(await messages(server, router)), [21, 22, 23, 24, 25])
		await managed(server, manager => manager.streams.delete(name))
		const third = open([server], events, settings)
		await follows(third, 25)
		assert.equal(positions(await messages(server, router)), upTo(25))
		assert.match(warnings.join(), /is not the one that was fed before/)
	})

	test('messages that the server loses after it had acknowledged them are sent again', async () => {
		const store = temporaryFolder('jetstream')
		const own = await startNats(`jetstream { store_dir: "${store}" }`)
		const events = journal()
		events.add(20)
		const checkpoint = memory()
		const first = open([own], events, { checkpoint })
		await follows(first, 20)
		await own.program().end()
		const kept = temporaryFolder('kept')
		cpSync(store, kept, { recursive: true })
		await own.revive()
		events.add(10)
		await follows(first, 30)
		await first.close()
		await own.program().end()
		rmSync(store, { recursive: true })
		cpSync(kept, store, { recursive: true })
		await own.revive()
		const second = open([own], events, { checkpoint })
		await follows(second, 30)
		assert.equal(positions(await messages(own)), upTo(30))
	})

	test('purged, and without a checkpoint, what is sent again is stored once', async () => {
		const router = newRouter()
		const events = journal()
		events.add(30, router)
		const first = open([server], events)
		await follows(first, 30)
		await first.close()
		await managed(server, m => m.streams.purge(`radledger-event-${router}`))
		events.add(3, router)
		const second = open([server], events)
		await follows(second, 33)
		// The server remembers the ids of the last two minutes.
		assert.equal(positions(await messages(server, router)), [31, 32, 33])
	})

	test('a virtual router may be called anything: its subject and its stream stay its own', async () => {
		const events = journal()
		const names = ['a.b', 'a b', '*', '>', 'a/b', 'a%2Eb', 'Zürich']
		for (const name of names) events.add(2, name)
		await follows(open([server], events), events.last())
		const seen = new Set<string>()
		for (const [index, name] of names.entries()) {
			const [one, two] = await messages(server, subjectToken(name))
			assert.equal([one!.event.position, two!.event.position], [2 * index + 1, 2 * index + 2])
			const { subject } = one!
			assert.is(subject.split('.').length, 4, subject)
			assert.not.match(subject, /[*> /]/)
			seen.add(subject)
		}
		assert.is(seen.size, names.length)
	})

	test('a stream that is full says so, and the feed goes on when it has room', async () => {
		const router = newRouter()
		const name = `radledger-event-${router}`
		const subjects = [`radledger.event.${router}.>`]
		await managed(server, manager =>
			manager.streams.add({ name, subjects, max_msgs: 10, discard: DiscardPolicy.New }),
		)
		const events = journal()
		events.add(25, router)
		const feed = open([server], events)
		await until('it waits', 10_000, () => /maximum messages exceeded/.test(feed.state().reason))
		assert.is(feed.state().state, 'waiting')
		assert.equal(positions(await messages(server, router)), upTo(10))
		await managed(server, manager => manager.streams.update(name, { max_msgs: 100 }))
		await follows(feed, 25)
		assert.equal(positions(await messages(server, router)), upTo(25))
	})

	test('a message that is larger than the server takes says so, and what to do', async () => {
		const small = await startNats(
			`max_payload: 4096\njetstream { store_dir: "${temporaryFolder('jetstream')}" }`,
		)
		const events = journal()
		events.add(3)
		const whole = events.source.read(1, 9)
		const large = { ...whole[1]!, data: { scope: 'x'.repeat(5000) } }
		const read = (from: number) => [whole[0]!, large, whole[2]!].slice(from - 1)
		const feed = open([small], { ...events, source: { ...events.source, read } })
		await until('it waits', 10_000, () =>
			/event 2 is a BaselineSet of 5\d{3} octets.*4096.*max_payload/.test(feed.state().reason),
		)
		assert.is(feed.state().state, 'waiting')
		assert.equal(positions(await messages(small)), [1])
		await small.program().end()
	})

	test('credentials, TLS, and a user whom the server does not know', async () => {
		if (!canRun('TLS to NATS', 'openssl')) return
		const { certificate, keyFile } = await selfSigned()
		const { configuration, credentials, stranger } = operatorMode()
		const guarded = await startNats(`
			${configuration}
			tls { cert_file: "${certificate}", key_file: "${keyFile}" }
			jetstream { store_dir: "${temporaryFolder('jetstream')}" }
		`)
		const folder = temporaryFolder('creds')
		const file = join(folder, 'relay.creds')
		writeFileSync(file, stranger)
		const relay = await startRelay({
			servers: [],
			flags: [
				...['--nats', `tls://127.0.0.1:${guarded.port}`],
				...['--nats-credentials', file, '--nats-ca', certificate],
			],
		})
		const shown = () => relay.exec('show radius relay mirrors')
		await until('it is refused', 10_000, async () => /Authorization Violation/.test(await shown()))
		// The file is read anew with every connection.
		writeFileSync(file, credentials)
		await until('the feed follows', 20_000, async () =>
			/State +following[\s\S]*Lag +0 events/.test(await shown()),
		)
		const told = relay.log() + JSON.stringify(relay.events()) + (await shown())
		assert.not.match(told, /SU[A-Z2-7]{20}|eyJ/, 'neither a seed nor a JWT')
		await relay.stop()
		await guarded.program().end()
	})

	test('what is not durable yet is not shown', async () => {
		const router = newRouter()
		const events = journal()
		events.add(10, router)
		const source = { ...events.source, durable: () => 4 }
		const feed = open([server], { ...events, source })
		await follows(feed, 4)
		assert.equal(positions(await messages(server, router)), upTo(4))
	})

	test('a relay feeds what it records, and says so; killed, it goes on where it was', async () => {
		const own = await startNats(`jetstream { store_dir: "${temporaryFolder('jetstream')}" }`)
		const relay = await startRelay({
			servers: [],
			clients: '127.0.0.0 255.0.0.0',
			flags: ['--nats', `nats://127.0.0.1:${own.port}`],
		})
		const isThere = async () => {
			const shown = await relay.exec('show radius relay mirrors')
			return (
				/^NATS JetStream 127/m.test(shown) && /State +following[\s\S]*Lag +0 events/.test(shown)
			)
		}
		await until('the feed follows', 10_000, isThere)
		await relay.kill()
		await relay.restart()
		await relay.exec('baseline radius relay')
		await until('the feed follows again', 10_000, isThere)
		const found = await messages(own)
		assert.equal(
			found.map(({ event }) => [event.position, event.type]),
			relay.events().map(({ position, type }) => [position, type]),
		)
		assert.is(found.at(-1)!.event.type, 'BaselineSet')
		assert.equal(Object.keys(found[0]!.event).sort(), [
			...['at', 'data', 'position', 'stream', 'type', 'v'],
		])
	})

	test('in a cluster of three, the death of the leader costs nothing', async () => {
		const cluster = await startNatsCluster()
		const events = journal()
		events.add(500)
		const feed = open(cluster, events)
		await follows(feed, 500, 40_000)
		const { cluster: led, config } = await managed(cluster[0]!, manager =>
			manager.streams.info('radledger-event-default'),
		)
		assert.is(config.num_replicas, 3)
		const leader = Number(led!.leader!.slice(1)) - 1
		events.add(10_000)
		await until('the burst has begun', 10_000, () => feed.state().position > 600)
		await cluster[leader]!.program().end('SIGKILL')
		await follows(feed, 10_500, 60_000)
		const alive = cluster[(leader + 1) % 3]!
		const { state } = await managed(alive, manager =>
			manager.streams.info('radledger-event-default'),
		)
		assert.is(state.messages, 10_500)
		assert.is(state.last_seq, 10_500)
		const first = await managed(alive, manager =>
			manager.streams.getMessage('radledger-event-default', { seq: 7777 }),
		)
		assert.is(first.header.get('Nats-Msg-Id'), 'journal-1:7777')
	})
}

test.run()
