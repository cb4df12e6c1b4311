/** The RADIUS server that has sessions ended and changed (RFC 5176). */
import { key, requestPacket, type TestAttribute, u32 } from '../simulated-relay.ts'
import { places, secrets } from './configuration.ts'
import { send } from './network.ts'
import { remember } from './told.ts'
import { after, count, ip, type World } from './world.ts'

const ownPort = 6000
const serverKey = key(secrets.server)
const transmissionLimit = 3

export function openDynamicServer(world: World): void {
	world.network.hosts.set(ip(places.server), ({ bytes }) => {
		const accepted = bytes[0] === 41 || bytes[0] === 44
		count(world, accepted ? 'dynamic accepted' : 'dynamic refused')
	})
}

/** A Disconnect- or CoA-Request about somebody who is online, or was, or never. */
export function askDynamically(world: World): void {
	const { chance, clock } = world
	const subscriber = chance.pick(world.subscribers)
	const session = subscriber.session ?? `none-${subscriber.number}`
	const disconnect = chance.happens(0.8)
	const attributes: TestAttribute[] = [[44, session]]
	if (chance.happens(0.7)) attributes.push([31, subscriber.mac])
	if (chance.happens(0.3)) attributes.push([1, subscriber.user])
	if (chance.happens(0.5)) attributes.push([55, u32(Math.floor(clock.elsewhere() / 1000))])
	// Something that the relay does not know how to change.
	if (chance.happens(0.1)) attributes.push([11, 'filter'])
	const bytes = requestPacket({
		code: disconnect ? 40 : 43,
		identifier: ++world.requests & 255,
		secret: secrets.server,
		messageAuthenticator: 'none',
		attributes: [...attributes, [33, u32(world.requests)]],
	})
	const opened = `dynamic ${session}`
	remember(world, ip(places.server), ownPort, { bytes, key: serverKey, opened })
	transmit(world, bytes, 1)
}

function transmit(world: World, bytes: Uint8Array, transmission: number): void {
	const to = ip(places.relay)
	send(world, { from: ip(places.server), fromPort: ownPort, to, toPort: 1700, bytes, link: 0 })
	if (transmission === transmissionLimit) return
	after(world, 4000, 'RADIUS server waits', () => transmit(world, bytes, transmission + 1))
}
