/**
 * Classification rules: which pool a subscriber gets, or that it gets none. The first rule whose
 * criteria all hold decides; `default`, the last one, has none. `rules-text.ts` reads them.
 */
import { parseIpv4 } from '../address.ts'
import { relayAgent, relayAgentText } from './dhcp-options.ts'
import { hash32 } from './hash.ts'
import type { Pattern } from './pattern.ts'
import type { Decision, DiscoverRequest } from './protocol.ts'
import { isOpen, type TimeWindow, type WeekClock } from './week-time.ts'

export const textFields = [
	'user',
	'realm',
	'class',
	'service-bundle',
	'wap',
	'ssid',
	'interface',
	'if-alias',
	'if-desc',
	'nas-port-id',
	'circuit-id',
	'remote-id',
	'virtual-router',
] as const
export type TextField = (typeof textFields)[number]

/** Holds where one of its alternatives does; a value that is not there matches none of them. */
export type Condition =
	| { readonly kind: 'text'; readonly field: TextField; readonly patterns: readonly Pattern[] }
	/** Upper-case hexadecimal digits without separators. */
	| { readonly kind: 'mac-prefix'; readonly prefixes: readonly string[] }
	| {
			readonly kind: 'giaddr'
			readonly networks: readonly { readonly network: number; readonly mask: number }[]
	  }
	| { readonly kind: 'time'; readonly windows: readonly TimeWindow[]; readonly clock: WeekClock }

/** `negated`: `match not ...`. */
export type Criterion = { readonly negated: boolean; readonly condition: Condition }

export type WeightedPool = { readonly name: string; readonly weight: number }

/** What a rule puts into the decision beside the pool, as it stands there. */
export type DecisionValues = Omit<Partial<Decision>, 'accept' | 'poolName' | 'reason'>

export type RuleOutcome =
	| { readonly kind: 'reject'; readonly reason?: string }
	| {
			readonly kind: 'accept'
			/** Empty where the choice of a pool is left to the relay. */
			readonly pools: readonly WeightedPool[]
			readonly values: DecisionValues
	  }

export type Rule = {
	/** `default` has this name too. */
	readonly name: string
	readonly criteria: readonly Criterion[]
	readonly outcome: RuleOutcome
}

export type Rules = {
	/** The default is the last. */
	readonly rules: readonly Rule[]
	/** Class of each service that is defined; undefined where it has none. */
	readonly services: ReadonlyMap<string, string | undefined>
}

/** The decision on a subscriber. Several copies with the same rules decide alike. */
export function decide(rules: Rules, request: DiscoverRequest, nowMs: number): Decision {
	const rule = rules.rules.find(({ criteria }) =>
		criteria.every(({ negated, condition }) => holds(condition, request, nowMs) !== negated),
	)!
	const { outcome } = rule
	if (outcome.kind === 'reject') {
		return { accept: false, reason: outcome.reason ?? describeRule(rule) }
	}
	const pool = choosePool(outcome.pools, request.macAddress)
	const decision: Decision = { accept: true, ...outcome.values, reason: describeRule(rule) }
	if (pool !== undefined) decision.poolName = pool
	const { serviceBundle } = outcome.values
	const serviceClass = serviceBundle === undefined ? undefined : rules.services.get(serviceBundle)
	if (decision.radiusClass === undefined && serviceClass !== undefined) {
		decision.radiusClass = serviceClass
	}
	return decision
}

function describeRule({ name }: Rule): string {
	return name === 'default' ? 'default' : `rule ${name}`
}

function holds(condition: Condition, request: DiscoverRequest, nowMs: number): boolean {
	switch (condition.kind) {
		case 'text': {
			const value = textOf(condition.field, request)
			return value !== undefined && condition.patterns.some(matches => matches(value))
		}
		case 'mac-prefix': {
			const digits = request.macAddress.replaceAll('-', '')
			return condition.prefixes.some(prefix => digits.startsWith(prefix))
		}
		case 'giaddr': {
			const giaddr = request.giaddr === undefined ? undefined : parseIpv4(request.giaddr)
			if (giaddr === undefined) return false
			return condition.networks.some(({ network, mask }) => (giaddr & mask) >>> 0 === network)
		}
		case 'time': {
			const time = condition.clock(nowMs)
			return condition.windows.some(window => isOpen(window, time))
		}
		default:
			return condition satisfies never
	}
}

function textOf(field: TextField, request: DiscoverRequest): string | undefined {
	switch (field) {
		case 'user':
			return request.userName
		case 'realm':
			return realmOf(request.userName)
		case 'class':
			return request.radiusClass
		case 'service-bundle':
			return request.serviceBundle
		case 'wap':
			return request.wap
		case 'ssid':
			return request.ssid
		case 'interface':
			return request.interfaceName
		case 'if-alias':
			return request.ifAlias
		case 'if-desc':
			return request.ifDesc
		case 'nas-port-id':
			return request.nasPortId
		case 'circuit-id':
			return relayAgentText(request.dhcpOptions, relayAgent.circuitId)
		case 'remote-id':
			return relayAgentText(request.dhcpOptions, relayAgent.remoteId)
		case 'virtual-router':
			return request.virtualRouterName
		default:
			return field satisfies never
	}
}

/** What follows the last `@` (RFC 7542 §2.2), or in Windows' form what precedes the `\`. */
export function realmOf(userName: string | undefined): string | undefined {
	if (userName === undefined) return undefined
	const at = userName.lastIndexOf('@')
	if (at >= 0) return userName.slice(at + 1)
	const backslash = userName.indexOf('\\')
	return backslash > 0 ? userName.slice(0, backslash) : undefined
}

/**
 * Weighted rendezvous hashing: each pool draws a number from the MAC address, and the best draw
 * wins. A pool that is added or taken away moves only the subscribers that it wins or had won.
 */
export function choosePool(pools: readonly WeightedPool[], mac: string): string | undefined {
	let best: string | undefined
	let bestDraw = Number.POSITIVE_INFINITY
	for (const { name, weight } of pools) {
		const uniform = (hash32(`${mac} ${name}`) + 0.5) / 2 ** 32
		const draw = -Math.log(uniform) / weight
		if (draw < bestDraw) {
			best = name
			bestDraw = draw
		}
	}
	return best
}
