/**
 * Events as they are recorded, by Server-Sent Events. EventSource cannot send a token, and does not
 * say why it was refused, so that the stream is read here.
 */
import { ApiError, ask } from './api.ts'
import type { RecordedEvent } from './model.ts'

export type Followed = {
	event(event: RecordedEvent): void
	/** So many events were left out because there were more than can be shown. */
	gap(events: number): void
	/** Whether the stream runs; where it does not, a sentence says why. It is tried again. */
	state(trouble: string | undefined): void
}

const againMs = 2000
/** The relay says every five seconds where it stands: whoever hears nothing for longer is cut off. */
const silentMs = 15_000

/** Until `signal`; comes back by itself, after the last event that was seen. */
export async function followEvents(
	path: string,
	followed: Followed,
	signal: AbortSignal,
): Promise<void> {
	let last = ''
	while (!signal.aborted) {
		try {
			const headers = { accept: 'text/event-stream', ...(last && { 'last-event-id': last }) }
			const silent = new AbortController()
			const response = await ask(path, {
				headers,
				signal: AbortSignal.any([signal, silent.signal]),
			})
			followed.state(undefined)
			await read(response.body!, silent, message => {
				if (message.id !== '') last = message.id
				give(message, followed)
			})
		} catch (error) {
			if (signal.aborted) return
			// Its position is not that of this journal, which may be another one by now.
			if (error instanceof ApiError && error.kind === 'invalid-parameter') last = ''
			followed.state(
				error instanceof ApiError ? error.message : 'Not connected. This page tries again.',
			)
		}
		await new Promise(resolve => setTimeout(resolve, againMs))
	}
}

type Message = { readonly name: string; readonly id: string; readonly data: string }

function give({ name, data }: Message, followed: Followed): void {
	if (name === 'message') followed.event(JSON.parse(data) as RecordedEvent)
	if (name !== 'gap') return
	const { from, to } = JSON.parse(data) as { from: number; to: number }
	followed.gap(to - from + 1)
}

async function read(
	body: ReadableStream<Uint8Array<ArrayBuffer>>,
	silent: AbortController,
	take: (message: Message) => void,
): Promise<void> {
	let text = ''
	const reader = body.pipeThrough(new TextDecoderStream()).getReader()
	for (;;) {
		const alarm = setTimeout(() => silent.abort(), silentMs)
		const { done, value } = await reader.read().finally(() => clearTimeout(alarm))
		if (done) return
		const messages = (text + value).split('\n\n')
		text = messages.pop()!
		for (const message of messages) {
			const parsed = parseMessage(message)
			if (parsed !== undefined) take(parsed)
		}
	}
}

/** The lines of a message; undefined where it has no data (HTML §9.2.6). */
export function parseMessage(text: string): Message | undefined {
	const fields = { event: 'message', id: '', data: '' }
	for (const line of text.split('\n')) {
		const [, name, value] = /^(event|id|data): ?(.*)$/.exec(line) ?? []
		if (name !== undefined) fields[name as keyof typeof fields] = value!
	}
	return fields.data === '' ? undefined : { name: fields.event, id: fields.id, data: fields.data }
}
