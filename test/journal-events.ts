/** Events for the journal's tests. */
import { type NewEvent, subscriberStream } from '../domain/event.ts'

/** A small event that can be told from others by `number`. */
export function numberedEvent(number: number, mac = '02-00-00-00-00-01'): NewEvent {
	return {
		stream: subscriberStream('default', mac),
		type: 'AccessRejected',
		v: 1,
		at: 1_000_000 + number,
		data: { exchange: number, client: '192.0.2.1', server: '192.0.2.2:1812', roundTripUs: 1 },
	}
}

export function numberedEvents(from: number, count: number): NewEvent[] {
	return Array.from({ length: count }, (_, index) => numberedEvent(from + index))
}

export function macOf(number: number): string {
	return `02-00-00-00-00-${number.toString(16).toUpperCase().padStart(2, '0')}`
}
