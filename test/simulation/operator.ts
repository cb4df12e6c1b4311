/** The operator at the shell: clears subscribers and leases, changes the configuration, looks. */

import { formatIpv4 } from '../../domain/address.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { BaselineScope, Show } from '../../domain/junose/operator.ts'
import { everyLease } from '../../domain/lease-state.ts'
import { routerState } from '../../domain/state.ts'
import { configurationOf } from '../simulated-relay.ts'
import { configurationText, variedVariant } from './configuration.ts'
import { isPresent } from './disconnects.ts'
import { readJournal } from './history.ts'
import { placeKey } from './places.ts'
import { type Running, settle } from './relay.ts'
import type { Subscriber } from './subscribers.ts'
import { breaks, count, type World } from './world.ts'

const scopes: readonly BaselineScope[] = [
	'radius relay',
	'radius',
	'radius dynamic-request',
	'ip dhcp-local',
]
const shows: readonly Show[] = [
	{ kind: 'subscribers' },
	{ kind: 'dhcp-bindings', server: 'local' },
	{ kind: 'dhcp-bindings', server: 'external' },
	{ kind: 'dhcp-pools' },
	{ kind: 'radius-servers' },
	{ kind: 'relay-statistics', delta: true },
	{ kind: 'radius-statistics', delta: false },
	{ kind: 'dhcp-statistics', server: 'local', delta: true },
	{ kind: 'dhcp-statistics', server: 'external', delta: false },
	{ kind: 'dynamic-request-statistics', delta: false },
]

export function operate(world: World): void {
	const { running, chance } = world
	if (running === undefined || running.stopping) return
	settle(world, command(world, running, chance.random()))
}

async function command(world: World, running: Running, what: number): Promise<void> {
	const { chance, disk } = world
	const { operator } = running
	if (what < 0.2) {
		await clear(world, running, chance.pick(world.subscribers))
	} else if (what < 0.35) {
		const [router, server] = chance.pick([
			['default', 'local'],
			['cable', 'external'],
		] as const)
		const table = routerState(running.relay.state, router).leases
		const addresses = [...everyLease(table)].map(({ address }) => address)
		const all = addresses.length === 0 || chance.happens(0.1)
		const address = all ? undefined : formatIpv4(chance.pick(addresses))
		// Without any lease there is nothing to be cleared, and nothing to be recorded.
		const type = all ? undefined : 'LeaseReleased'
		await told(world, running, type, () => operator.clearBindings(router, server, address))
	} else if (what < 0.45) {
		const scope = chance.pick(scopes)
		await told(world, running, 'BaselineSet', () => operator.baseline('default', scope))
	} else if (what < 0.75) {
		const variant = variedVariant(disk.proposed, chance)
		disk.proposed = variant
		const next = configurationOf(configurationText(variant))
		const change = { virtualRouter: 'default', context: '', command: 'varied' }
		await told(world, running, 'ConfigurationChanged', () => operator.configure(next, change))
	} else {
		const lines = await operator.show('default', chance.pick(shows))
		if (lines.length === 0) breaks(world, 'A show command printed nothing.')
	}
}

/** Whoever has a session has none any more, and of nobody else is that said. */
async function clear(world: World, running: Running, { mac, router }: Subscriber): Promise<void> {
	const { operator, alive } = running
	world.disconnects.cleared = placeKey(router, mac)
	await told(world, running, 'SubscriberTerminated', async () => {
		const refused = await operator.clearSubscriber(router, mac)
		readJournal(world)
		if (alive && running.relay.failures.length === 0 && isPresent(world, router, mac)) {
			breaks(world, `${mac} was cleared (${refused ?? 'done'}), and is there.`)
		}
		return refused
	})
}

/** A command that is done has its event on disk by then. */
async function told(
	world: World,
	running: Running,
	type: RecordedEvent['type'] | undefined,
	work: () => Promise<string | undefined>,
): Promise<void> {
	readJournal(world)
	const before = world.counts[type ?? ''] ?? 0
	const refused = await work()
	count(world, refused === undefined ? 'commands' : 'commands refused')
	if (refused !== undefined || type === undefined || !running.alive) return
	readJournal(world)
	if ((world.counts[type] ?? 0) > before) return
	breaks(world, `A command was done, but there is no ${type} on disk.`)
}
