/** The routes that give no rows: live events, setting a baseline, and what machines ask for. */
import * as t from 'io-ts'
import type { EventType } from '../../domain/event.ts'
import type { BaselineScope } from '../../domain/junose/operator.ts'
import { streamParameter, typeParameter } from './event-routes.ts'
import type { Subscription } from './live-events.ts'
import type { OtherRoute } from './openapi.ts'
import { refuse } from './problem.ts'
import { checkedValues } from './request.ts'
import { optional, otherwise } from './route.ts'
import { flag, position } from './value.ts'

const liveParameters = {
	from: optional(position, 'Position of the first event; from now on where it is left out'),
	stream: streamParameter,
	type: typeParameter,
	gaps: otherwise(
		flag,
		false,
		'Whether events may be left out when more are recorded than can be shown: a message `gap` says which',
	),
}
const liveHeaders = {
	'last-event-id': optional(position, 'Goes on after the event of this position, before `from`'),
}

const scopes = [
	'radius relay',
	'radius',
	'radius dynamic-request',
	'ip dhcp-local',
] as const satisfies readonly BaselineScope[]
const virtualRouterMaximum = 64

export const otherRoutes: readonly OtherRoute[] = [
	{
		operation: 'followEvents',
		method: 'get',
		path: '/api/v1/events/live',
		tag: 'Events',
		summary: 'Events as they are recorded, by Server-Sent Events',
		description:
			'Messages without a name are events as `/api/v1/events` gives them, and their id is the position. `position` says every few seconds how far the journal was looked through, and `gap` which positions were left out. A consumer that takes nothing for ten seconds is let go; it goes on where it was with `Last-Event-ID`.',
		parameters: liveParameters,
		headers: liveHeaders,
		status: 200,
		mediaType: 'text/event-stream',
		problems: ['invalid-parameter', 'unknown-parameter', 'unauthorized', 'too-many-requests'],
	},
	{
		operation: 'setBaseline',
		method: 'post',
		path: '/api/v1/baselines',
		tag: 'Statistics',
		summary: 'Sets a baseline, as the shell’s `baseline` does: from here on `delta` counts',
		body: {
			type: 'object',
			required: ['scope'],
			properties: {
				virtualRouter: {
					type: 'string',
					minLength: 1,
					maxLength: virtualRouterMaximum,
					default: 'default',
				},
				scope: { type: 'string', enum: scopes },
			},
			additionalProperties: false,
		},
		status: 204,
		problems: [
			...['invalid-request', 'unauthorized', 'foreign-origin', 'refused'],
			...['too-large', 'unsupported-media-type', 'not-available'],
		] as OtherRoute['problems'],
	},
	{
		operation: 'getMetrics',
		method: 'get',
		path: '/metrics',
		tag: 'Operation',
		summary: 'Metrics for Prometheus',
		status: 200,
		mediaType: 'text/plain; version=0.0.4; charset=utf-8',
		problems: ['unauthorized'],
	},
	{
		operation: 'getHealth',
		method: 'get',
		path: '/healthz',
		tag: 'Operation',
		summary: 'Whether this server answers at all',
		status: 200,
		mediaType: 'text/plain',
		problems: [],
		open: true,
	},
	{
		operation: 'getReadiness',
		method: 'get',
		path: '/readyz',
		tag: 'Operation',
		summary: 'Whether the relay does its work, and what keeps it from that; 503 where it does not',
		status: 200,
		mediaType: 'application/json',
		schema: {
			type: 'object',
			required: ['ready', 'reasons'],
			properties: {
				ready: { type: 'boolean' },
				reasons: { type: 'array', items: { type: 'string' } },
			},
			additionalProperties: false,
		},
		problems: [],
		open: true,
	},
	{
		operation: 'getOpenApi',
		method: 'get',
		path: '/openapi.json',
		tag: 'Operation',
		summary: 'This document',
		status: 200,
		mediaType: 'application/json',
		schema: { type: 'object' },
		problems: ['unauthorized'],
	},
]

/** What a consumer of live events wants. `last`: position of the newest event. */
export function subscriptionOf(
	query: Readonly<Record<string, unknown>>,
	lastEventId: string | string[] | undefined,
	last: number,
): Subscription {
	const values = checkedValues(liveParameters, {}, query)
	// EventSource sends an empty one when it comes back before it has had any event.
	const resumed = checkedHeader(lastEventId === '' ? undefined : lastEventId)
	const from = values['from'] as number | undefined
	const after = resumed ?? (from === undefined ? last : Math.max(from - 1, 0))
	if (after > last) {
		refuse(
			'invalid-parameter',
			`There is no event ${after} yet: the newest one has position ${last}. Is this position from another journal?`,
			resumed === undefined ? 'from' : 'last-event-id',
		)
	}
	return {
		after,
		types: values['type'] as readonly EventType[] | undefined,
		stream: values['stream'] as string | undefined,
		gaps: values['gaps'] as boolean,
	}
}

function checkedHeader(given: string | string[] | undefined): number | undefined {
	if (given === undefined) return undefined
	const parameters = { 'last-event-id': optional(position, '') }
	return checkedValues(parameters, {}, { 'last-event-id': given })['last-event-id'] as number
}

const baseline = t.intersection([
	t.type({
		scope: t.union([
			t.literal(scopes[0]),
			t.literal(scopes[1]),
			t.literal(scopes[2]),
			t.literal(scopes[3]),
		]),
	}),
	t.partial({ virtualRouter: t.string }),
])

export function baselineOf(body: unknown): { virtualRouter: string; scope: BaselineScope } {
	const known =
		baseline.is(body) &&
		Object.keys(body).every(key => key === 'scope' || key === 'virtualRouter') &&
		(body.virtualRouter?.length ?? 1) >= 1 &&
		(body.virtualRouter?.length ?? 1) <= virtualRouterMaximum
	if (known) return { virtualRouter: body.virtualRouter ?? 'default', scope: body.scope }
	return refuse(
		'invalid-request',
		`Send a JSON object such as {"scope": "radius relay", "virtualRouter": "default"}; scope is one of ${scopes.join(', ')}.`,
	)
}
