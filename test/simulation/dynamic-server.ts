/** RADIUS servers that have sessions ended and changed (RFC 5176). */
import { key, requestPacket, type TestAttribute, u32 } from '../simulated-relay.ts'
import { places, secrets } from './configuration.ts'
import type { DynamicAsk } from './disconnects.ts'
import { send } from './network.ts'
import type { Subscriber } from './subscribers.ts'
import { remember } from './told.ts'
import { after, count, ip, type World } from './world.ts'

const ownPort = 6000
const serverKey = key(secrets.server)
const transmissionLimit = 3

export function openDynamicServers(world: World): void {
	for (const server of places.servers) {
		world.network.hosts.set(ip(server), ({ bytes }) => {
			const accepted = bytes[0] === 41 || bytes[0] === 44
			count(world, accepted ? 'dynamic accepted' : 'dynamic refused')
		})
	}
}

/** About somebody who is online, or was, or never. */
export function askDynamically(world: World): void {
	const { chance, subscribers } = world
	const online = subscribers.filter(({ router, wap }) => router === 'default' && wap !== undefined)
	const isKnown = online.length > 0 && chance.happens(0.7)
	askAbout(world, chance.pick(isKnown ? online : subscribers))
}

/** A Disconnect- or CoA-Request about a subscriber, who may have moved on since the server has heard of it. */
export function askAbout(world: World, subscriber: Subscriber): void {
	const { chance } = world
	const { mac, user, wap, left } = subscriber
	// The session goes by its former name until the access point that it has moved to gives it one.
	const known = chance.happens(0.7) ? (left?.session ?? subscriber.session) : subscriber.session
	const where = () => {
		if (!chance.happens(0.4)) return undefined
		return chance.happens(0.25) ? (left?.wap ?? chance.pick(world.accessPoints)) : wap
	}
	const ask: DynamicAsk = {
		server: chance.pick(places.servers),
		request: chance.happens(0.6) ? 'disconnect' : 'change-of-authorization',
		session: known ?? `none-${world.requests}`,
		mac: chance.happens(0.6) ? mac : undefined,
		user: chance.happens(0.3) ? user : undefined,
		station: where(),
		nas: where(),
		// Something that the relay does not know how to change.
		unsupported: chance.happens(0.05),
	}
	const bytes = requestPacket({
		code: ask.request === 'disconnect' ? 40 : 43,
		identifier: ++world.requests & 255,
		secret: secrets.server,
		messageAuthenticator: 'none',
		attributes: [...attributesOf(world, ask), [33, u32(world.requests)]],
	})
	const opened = `dynamic ${ask.session}`
	remember(world, ip(ask.server), ownPort, { bytes, key: serverKey, opened, ask })
	transmit(world, ip(ask.server), bytes, 1)
}

function attributesOf({ chance, clock }: World, ask: DynamicAsk): TestAttribute[] {
	const { session, mac, user, station, nas, unsupported } = ask
	const attributes: TestAttribute[] = [[44, session]]
	if (mac !== undefined) attributes.push([31, mac])
	if (user !== undefined) attributes.push([1, user])
	if (station !== undefined) attributes.push([30, station.station])
	if (nas !== undefined) attributes.push([4, u32(nas.address)])
	if (chance.happens(0.2)) attributes.push([55, u32(Math.floor(clock.elsewhere() / 1000))])
	if (unsupported) attributes.push([11, 'filter'])
	return attributes
}

function transmit(world: World, from: number, bytes: Uint8Array, transmission: number): void {
	const to = ip(places.relay)
	send(world, { from, fromPort: ownPort, to, toPort: 1700, bytes, link: 0 })
	if (transmission === transmissionLimit) return
	after(world, 4000, 'RADIUS server waits', () => transmit(world, from, bytes, transmission + 1))
}
