/** The network between everybody: datagrams are lost, doubled, late, and overtake each other. */
import { formatIpv4 } from '../../domain/address.ts'
import type { World } from './world.ts'

export type Datagram = {
	readonly from: number
	readonly fromPort: number
	readonly to: number
	readonly toPort: number
	readonly bytes: Uint8Array
	/** The link that it is sent on, by its interface at the relay; 0: wherever routing leads. */
	readonly link: number
}

export type Network = {
	/** Who hears what is sent to an address. Broadcasts are heard by everybody on the link. */
	readonly hosts: Map<number, (datagram: Datagram) => void>
	readonly links: Map<number, (datagram: Datagram) => void>
	/** Once it is calm nothing is lost or late any more. */
	calm: boolean
	inFlight: number
}

export const broadcast = 0xffff_ffff
/** Nothing arrives later than this. RFC 2131 has no remedy for a message that outlives its purpose. */
export const longestDelayMs = 2000

export function createNetwork(): Network {
	return { hosts: new Map(), links: new Map(), calm: false, inFlight: 0 }
}

export function send(world: World, datagram: Datagram): void {
	const { chance, network } = world
	if (network.calm) {
		deliverAfter(world, datagram, 0.3)
		return
	}
	if (chance.happens(0.04)) return
	deliverAfter(world, datagram, delay(world))
	// A doubled datagram is mostly a repeat, and those come late.
	if (chance.happens(0.04)) deliverAfter(world, datagram, delay(world, 0.3))
}

function delay({ chance }: World, late = 0.03): number {
	if (chance.happens(late)) return chance.within(20, longestDelayMs)
	return chance.within(0.05, 5)
}

function deliverAfter(world: World, datagram: Datagram, ms: number): void {
	const { agenda, clock, network } = world
	const { to, toPort, link } = datagram
	network.inFlight++
	agenda.add(clock.truth() + ms, `datagram to ${formatIpv4(to)}:${toPort}`, () => {
		network.inFlight--
		const hears = to === broadcast ? network.links.get(link) : network.hosts.get(to)
		world.trace.note('arrives', datagram.bytes)
		hears?.(datagram)
	})
}
