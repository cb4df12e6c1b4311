/** Live events: in order, resumed where they were, and nobody who is slow holds anything up. */
import { EventEmitter } from 'node:events'
import { get, type IncomingMessage, type ServerResponse } from 'node:http'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openLiveEvents } from '../adapters/http/live-events.ts'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { type TestServer, testServer } from './http-server.ts'
import { macOf, numberedEvent, numberedEvents } from './journal-events.ts'

type Message = {
	readonly event: string
	readonly id: number
	readonly data: Record<string, unknown>
}

/** Server-Sent Events as the HTML standard has a browser read them. */
async function* messages(response: IncomingMessage): AsyncGenerator<Message> {
	let rest = ''
	let message: Record<string, string> = {}
	for await (const chunk of response) {
		rest += String(chunk)
		for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
			const line = rest.slice(0, end)
			rest = rest.slice(end + 1)
			if (line === '') {
				const { event = 'message', id, data } = message
				if (data !== undefined) yield { event, id: Number(id), data: JSON.parse(data) }
				message = {}
				continue
			}
			const colon = line.indexOf(':')
			message[line.slice(0, colon)] = line.slice(colon + 1).trimStart()
		}
	}
}

async function listening(options: Parameters<typeof testServer>[0] = {}) {
	const server: TestServer = testServer(options)
	await server.app.listen({ port: 0, host: '127.0.0.1' })
	const { port } = server.app.server.address() as { port: number }
	const open = (path: string, headers: Record<string, string> = {}) =>
		new Promise<IncomingMessage>((resolve, reject) => {
			get({ port, host: '127.0.0.1', path: `/api/v1/events/live${path}`, headers }, resolve).on(
				'error',
				reject,
			)
		})
	const close = async () => {
		server.events.close()
		await server.app.close()
	}
	return { ...server, open, close }
}

/** The first so many messages of that name. */
async function take(response: IncomingMessage, count: number, name = 'message') {
	const found: Message[] = []
	for await (const message of messages(response)) {
		if (message.event === name) found.push(message)
		if (found.length === count) break
	}
	return found
}

test('events come as they are recorded, from now on', async () => {
	const { journal, open, close } = await listening()
	journal.append(numberedEvents(0, 3))
	const response = await open('')
	assert.is(response.headers['content-type'], 'text/event-stream')
	assert.is(response.headers['cache-control'], 'no-store')
	const taken = take(response, 2)
	journal.append(numberedEvents(10, 2))
	const [first, second] = await taken
	assert.equal([first?.id, second?.id], [4, 5])
	assert.is(first?.data['position'], 4)
	assert.is(first?.data['type'], 'AccessRejected')
	assert.is(first?.data['at'], new Date(1_000_010).toISOString())
	await close()
})

test('a consumer goes on after the last event that it had', async () => {
	const { journal, open, close } = await listening()
	journal.append(numberedEvents(0, 1500))
	const first = await take(await open('?from=1'), 1300)
	assert.equal(
		first.map(({ id }) => id),
		Array.from({ length: 1300 }, (_, i) => i + 1),
	)
	const resumed = await open('?from=1', { 'last-event-id': String(first.at(-1)!.id) })
	const rest = await take(resumed, 200)
	assert.equal([rest[0]?.id, rest.at(-1)?.id], [1301, 1500])
	await close()
})

test('one stream, certain types, and how far was looked', async () => {
	const { journal, open, close } = await listening()
	for (let n = 0; n < 30; n++) journal.append([numberedEvent(n, macOf(n % 3))])
	const stream = await take(await open(`?from=1&stream=subscriber-default.${macOf(2)}`), 10)
	assert.equal(
		stream.map(({ id }) => id),
		[3, 6, 9, 12, 15, 18, 21, 24, 27, 30],
	)
	const [told] = await take(await open('?from=1&type=AccessAccepted'), 1, 'position')
	assert.equal(told?.data, { position: 30, last: 30 })
	assert.is(told?.id, 30, 'whoever comes back need not look through it again')
	await close()
})

test('a consumer that allows gaps goes on near the end, and is told what it missed', async () => {
	const { journal, open, close } = await listening()
	journal.append(numberedEvents(0, 6000))
	const response = await open('?from=1&gaps=true')
	const found: Message[] = []
	for await (const message of messages(response)) {
		found.push(message)
		if (message.id === 6000 && message.event === 'message') break
	}
	assert.equal(found[0], { event: 'gap', id: 5800, data: { from: 1, to: 5800 } })
	assert.is(found.filter(({ event }) => event === 'message').length, 200)
	await close()
})

test('positions that are none, and too many consumers, are refused', async () => {
	const { journal, open, close } = await listening({ consumersAtMost: 1 })
	journal.append(numberedEvents(0, 3))
	const status = async (path: string, headers = {}) => (await open(path, headers)).statusCode
	assert.is(await status('', { 'last-event-id': 'x' }), 400)
	assert.is(await status('', { 'last-event-id': '4' }), 400)
	assert.is(await status('?from=9'), 400)
	assert.is(await status('?from=x'), 400)
	assert.is(await status('?nothing=1'), 400)
	const one = await open('')
	assert.is(one.statusCode, 200)
	assert.is(await status(''), 503)
	one.destroy()
	for (let tries = 0, again = 503; again === 503; tries++) {
		assert.ok(tries < 200, 'the place never became free')
		again = (await status('')) ?? 503
	}
	await close()
})

test('a consumer that takes nothing is let go and counted; the journal waits for nobody', async () => {
	const journal = openMemoryJournal()
	journal.append(numberedEvents(0, 5000))
	let now = 0
	let written = 0
	const response = Object.assign(new EventEmitter(), {
		destroyed: false,
		write: (text: string) => {
			written += text.length
			return written < 1000
		},
		end() {},
		destroy() {
			this.destroyed = true
		},
	})
	const events = openLiveEvents({ journal, last: journal.last, clock: () => now })
	events.serve(
		{ after: 0, types: undefined, stream: undefined, gaps: false },
		response as unknown as ServerResponse,
	)
	const rounds = () => new Promise(resolve => setTimeout(resolve, 120))
	await rounds()
	const kept = written
	assert.ok(kept > 1000)
	await rounds()
	assert.is(written, kept, 'nothing is written to somebody who takes nothing')
	assert.equal([events.counts().consumers, events.counts().dropped], [1, 0])
	now = 10_001
	await rounds()
	assert.is(response.destroyed, true)
	assert.equal([events.counts().consumers, events.counts().dropped], [0, 1])
	events.close()
})

test.run()
