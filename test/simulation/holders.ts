/**
 * Who has an address, as the clients know it: from the DHCPACK until the lease that it names is over,
 * by a clock that never jumps. The relay may take an address back earlier only by saying so in the
 * journal, and never gives it to somebody else before that.
 */
import { formatIpv4, parseIpv4 } from '../../domain/address.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { virtualRouterOf } from '../../domain/event.ts'
import { shadowPool } from '../../domain/lease-state.ts'
import { breaks, type World } from './world.ts'

type Holder = {
	/** MAC, and the client identifier where the server goes by it. */
	readonly who: string
	/** Truth at which the lease is over. */
	readonly until: number
	/** The relay took it back, and the client does not know. */
	revoked: boolean
}

/** By address: whom a DHCPACK has promised it last. */
export type Holders = Map<number, Holder>

export function createHolders(): Holders {
	return new Map()
}

const forEver = Number.POSITIVE_INFINITY

/** A DHCPACK leaves. */
export function promised(
	world: World,
	who: string,
	address: number,
	leaseSeconds: number,
	revoked: boolean,
): void {
	judgePromise(world, who, address, 'was promised')
	const until = leaseSeconds === 0 ? forEver : world.clock.truth() + leaseSeconds * 1000
	world.holders.set(address, { who, until, revoked })
}

function judgePromise(world: World, who: string, address: number, what: string): void {
	const there = world.holders.get(address)
	const now = world.clock.truth()
	if (there === undefined || there.who === who || there.revoked || there.until <= now) return
	const leftMs = there.until - now
	breaks(
		world,
		`${formatIpv4(address)} ${what} to ${who}; ${there.who} has it for ${leftMs} ms more.`,
	)
}

/** As `promised` has it: the branch goes by MAC and client identifier. */
export function whoIs(router: string, mac: string, client: string): string {
	return router === 'branch' ? `${mac} ${client.slice(3)}` : mac
}

type Granted = Extract<RecordedEvent, { type: 'LeaseGranted' | 'LeaseRenewed' }>

export function leaseGranted(world: World, _router: string, { stream, data }: Granted): void {
	const who = whoIs(virtualRouterOf(stream), data.mac, data.client)
	judgePromise(world, who, parseIpv4(data.address)!, 'was granted')
}

type Ended = Extract<RecordedEvent, { type: 'LeaseReleased' | 'LeaseExpired' | 'LeaseDeclined' }>

export function leaseEnded(world: World, event: Ended): void {
	const { data } = event
	const address = parseIpv4(data.address)!
	const holder = world.holders.get(address)
	// Where a crash kept the DHCPACK back, the last promise is that of a holder before this one.
	const isHolders = holder?.who === whoIs(virtualRouterOf(event.stream), data.mac, data.client)
	const leftMs = holder !== undefined && isHolders ? holder.until - world.clock.truth() : 0
	if (event.type === 'LeaseExpired' && leftMs > 0) {
		breaks(world, `The lease of ${data.address} expired ${leftMs} ms too early for ${data.mac}.`)
	}
	judgeMoved(world, event)
	const taken = event.type === 'LeaseReleased' && ['session', 'operator'].includes(event.data.cause)
	if (!taken) {
		world.holders.delete(address)
		return
	}
	// Nobody tells the client: what it goes on to use was taken from it.
	if (holder !== undefined) holder.revoked = true
	for (const host of world.hosts) {
		if (host.mac === data.mac && host.holding?.address === address) host.holding.revoked = true
	}
}

/** Who has moved to another address has asked for that: it does not use this one any more. */
function judgeMoved(world: World, { type, data }: Ended): void {
	const { clock, hosts } = world
	if (type !== 'LeaseReleased' || data.cause !== 'moved' || data.pool === shadowPool) return
	const address = parseIpv4(data.address)!
	const user = hosts.find(({ mac, phase, holding }) => {
		const uses = phase === 'bound' && holding?.address === address && !holding.revoked
		return mac === data.mac && uses && holding.until > clock.truth()
	})
	if (user === undefined) return
	breaks(world, `${data.address} was taken from ${user.name}, who has not asked for another one.`)
}

/** Whether an address was taken back before its client had even heard that it had it. */
export function isRevoked(world: World, mac: string, address: number): boolean {
	const holder = world.holders.get(address)
	return holder?.revoked === true && holder.who.startsWith(mac)
}

/** No two clients use the same address, as each of them sees it. */
export function judgeUse(world: World): void {
	const users = new Map<number, string>()
	const now = world.clock.truth()
	for (const { name, holding } of world.hosts) {
		if (holding === undefined || holding.revoked || holding.until <= now) continue
		// Servers that are not the relay's forget what they have given.
		if (world.external.servers.some(({ address }) => address === holding.server)) continue
		const other = users.get(holding.address)
		if (other !== undefined) {
			breaks(world, `${other} and ${name} both use ${formatIpv4(holding.address)}.`)
		}
		users.set(holding.address, name)
	}
}
