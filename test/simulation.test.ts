/**
 * The whole relay in a simulated world: fixed seeds, then fresh ones for as long as there is time. What
 * is checked stands in `test/simulation/`. A failure prints the command that replays it.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { type EventOf, subscriberStream } from '../domain/event.ts'
import { leaseEnded } from './simulation/holders.ts'
import { fresh, verdict } from './simulation/main.ts'
import { simulate, simulateOnSqlite } from './simulation/simulate.ts'
import { createWorld } from './simulation/world.ts'

/** Seeds that have found something once, or reach what others seldom do. */
const fixedSeeds = [3, 4, 9, 17, 27, 31]
const steps = 4000
const counts: Record<string, number> = {}
/** Fresh seeds are tried for so long; `SIMULATION_SECONDS` says another time. */
const seconds = Number(process.env['SIMULATION_SECONDS'] ?? 60)

for (const seed of fixedSeeds) {
	test(`seed ${seed}: every rule holds`, async () => {
		const outcome = await simulate({ seed, steps })
		assert.is(outcome.broken, undefined, verdict(outcome, steps))
		for (const [what, often] of Object.entries(outcome.counts)) {
			counts[what] = (counts[what] ?? 0) + often
		}
	})
}

test('these runs meet what they are there for', () => {
	const wanted = [
		...['told 2', 'told 3', 'told 5', 'told 11', 'told 41', 'told 42', 'told nak'],
		...['told DHCPOFFER', 'told DHCPACK', 'bound', 'releases', 'roams', 'ClockStepped'],
		...['LeaseExpired', 'LeaseDeclined', 'LeaseRefused', 'SubscriberTerminated', 'UpstreamChanged'],
		...['crash between datagrams', 'orderly stops', 'snapshot', 'suspension', 'commands'],
		...['AccessUnanswered', 'AccountingUnanswered', 'AccountingTurnedOn', 'AnswersRepeated'],
		...[
			'told an external DHCPACK',
			'seen in passing',
			'dhcp server repeats',
			'dhcp server forgets',
			'told address',
			'told deletion User-Request',
			'told deletion Idle-Timeout',
			'told deletion Admin-Reset',
			'told 42 501',
			'told 42 503',
			'access point asked',
			'not permitted',
			'SrcSessionOpened',
			'SrcSessionClosed',
			'SrcServerChanged',
		],
	]
	assert.equal(
		wanted.filter(what => counts[what] === undefined),
		[],
	)
})

test('the same seed gives the same run, bit for bit, and another one another', async () => {
	const runs = [await simulate({ seed: 1, steps: 1500 }), await simulate({ seed: 1, steps: 1500 })]
	assert.is(runs[0]!.broken, undefined)
	assert.equal(runs[0], runs[1])
	const other = await simulate({ seed: 2, steps: 1500 })
	assert.is.not(other.hash, runs[0]!.hash)
})

test("a lease's end is judged by its own holder's promise, not by that of one before it", () => {
	const bob = '02-00-00-00-00-0B'
	const carol = '02-00-00-00-00-0C'
	const address = parseIpv4('10.0.0.4')!
	const event: EventOf<'LeaseExpired'> & { readonly position: number } = {
		position: 9,
		stream: subscriberStream('default', bob),
		type: 'LeaseExpired',
		v: 1,
		at: 0,
		data: { mac: bob, client: 'hw:0102', pool: 'near', address: '10.0.0.4', heldUntil: 0 },
	}
	for (const [who, revoked, isRight] of [
		[carol, true, true],
		[bob, false, false],
	] as const) {
		const world = createWorld(1)
		world.holders.set(address, { who, until: world.clock.truth() + 1000, revoked })
		leaseEnded(world, event)
		assert.is(world.broken === undefined, isRight, world.broken)
	}
})

test('the real journal: what a crash leaves of its files has all that was told', async () => {
	for (const seed of [fresh(), 5, 6, 7]) {
		const outcome = await simulateOnSqlite({ seed, steps: 2500 })
		assert.is(outcome.broken, undefined, verdict(outcome, 2500, true))
	}
})

test('fresh seeds: every rule holds', async () => {
	const until = performance.now() + seconds * 1000
	let runs = 0
	for (let seed = fresh(); performance.now() < until; seed++) {
		const outcome = await simulate({ seed, steps })
		assert.is(outcome.broken, undefined, verdict(outcome, steps))
		if (runs++ === 0) console.log(`fresh seeds from ${seed} on`)
	}
	console.log(`${runs} fresh seeds of ${steps} steps`)
})

test.run()
