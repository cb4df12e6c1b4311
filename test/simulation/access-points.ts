/** WAPs: they ask the relay, ask again, and can be asked to disconnect somebody. */
import { verifyAccountingRequest } from '../../domain/radius/authenticator.ts'
import {
	answerPacket,
	attributesOf,
	key,
	requestPacket,
	type TestAttribute,
	u32,
} from '../simulated-relay.ts'
import { links, places, secrets } from './configuration.ts'
import { type Datagram, send } from './network.ts'
import { wapOf } from './places.ts'
import { kicked, type Subscriber } from './subscribers.ts'
import { type Asked, remember } from './told.ts'
import { after, count, ip, type World } from './world.ts'

export type RouterName = 'default' | 'branch' | 'cable'

export type AccessPoint = {
	readonly address: number
	/** Called-Station-Id. */
	readonly station: string
	readonly router: RouterName
	/** Ports of the relay servers. */
	readonly ports: readonly [authentication: number, accounting: number]
	/** Where its subscribers' DHCP messages come from: an interface of the relay, or a relay agent. */
	readonly link: number
	readonly relayAgent: number
	nextIdentifier: number
	/** By own port and identifier. */
	readonly waiting: Map<string, Waiting>
}

type Waiting = {
	readonly asked: Asked
	readonly port: number
	readonly toPort: number
	transmissions: number
	readonly done: (answer: Uint8Array | undefined) => void
}

export const wapKey = key(secrets.wap)
const portKey = key(secrets.port)

export function createAccessPoints(): AccessPoint[] {
	const campus = { router: 'default', ports: [1812, 1813] } as const
	const cable = { router: 'cable', ports: [21812, 21813], link: links.cable } as const
	const near = { link: links.campus, relayAgent: 0 }
	const make = (address: string, n: number) => ({
		address: ip(address),
		station: `00-11-22-33-44-0${n}:campus`,
		nextIdentifier: 0,
		waiting: new Map(),
	})
	return [
		{ ...make('10.9.0.1', 1), ...campus, ...near },
		{ ...make('10.9.0.2', 2), ...campus, ...near },
		{ ...make('10.9.0.3', 3), ...campus, link: links.campus, relayAgent: ip(places.relayAgent) },
		{
			...make('10.9.1.1', 4),
			router: 'branch',
			ports: [11812, 11813],
			link: links.branch,
			relayAgent: 0,
		},
		{ ...make('10.9.2.1', 5), ...cable, relayAgent: 0 },
		{ ...make('10.9.2.2', 6), ...cable, relayAgent: ip(places.cableAgent) },
	]
}

const ownPorts = { authentication: 5000, accounting: 5001 } as const
const timeoutMs = 3000
const transmissionLimit = 3

/** It has few of them, and now and then takes one that it waits for an answer under. */
const identifiers = 4

function nextIdentifier({ chance }: World, wap: AccessPoint, port: number): number {
	let identifier = wap.nextIdentifier
	const isFree = () => !wap.waiting.has(`${port} ${identifier}`)
	for (let n = 0; n < identifiers && !isFree() && chance.happens(0.7); n++) {
		identifier = (identifier + 1) % identifiers
	}
	wap.nextIdentifier = (identifier + 1) % identifiers
	return identifier
}

/** Sends a request until it is answered or given up; `done` gets the answer, verified. */
export function askRelay(
	world: World,
	wap: AccessPoint,
	service: 'authentication' | 'accounting',
	attributes: readonly TestAttribute[],
	done: Waiting['done'],
): void {
	const { chance } = world
	const identifier = nextIdentifier(world, wap, ownPorts[service])
	const nasPort = ++world.requests
	const authenticator = new Uint8Array(16)
	chance.fill(authenticator)
	const bytes = requestPacket({
		code: service === 'authentication' ? 1 : 4,
		identifier,
		secret: secrets.wap,
		attributes: [...attributes, [30, wap.station], [4, u32(wap.address)], [5, u32(nasPort)]],
		...(service === 'authentication' ? { authenticator } : {}),
	})
	const about = attributes.find(([type, value]) => type === 44 && isUnit(value))
	const opened = about === undefined ? `port ${nasPort}` : `session ${about[1]}`
	const asked = { bytes, key: wapKey, opened }
	const port = ownPorts[service]
	remember(world, wap.address, port, asked)
	const toPort = wap.ports[service === 'authentication' ? 0 : 1]
	const waiting: Waiting = { asked, port, toPort, transmissions: 0, done }
	const place = `${port} ${identifier}`
	const before = wap.waiting.get(place)
	wap.waiting.set(place, waiting)
	before?.done(undefined)
	transmit(world, wap, waiting)
}

/** Acct-Session-Id of an Accounting-On or -Off: of the access point itself. */
function isUnit(value: TestAttribute[1]): boolean {
	return typeof value === 'string' && value.startsWith('unit-')
}

function transmit(world: World, wap: AccessPoint, waiting: Waiting): void {
	const { asked, port, toPort } = waiting
	waiting.transmissions++
	const to = ip(places.relay)
	let { bytes } = asked
	if (!world.quiet && world.chance.happens(0.01)) bytes = spoilt(world, bytes)
	send(world, { from: wap.address, fromPort: port, to, toPort, bytes, link: 0 })
	const place = `${port} ${asked.bytes[1]}`
	after(world, timeoutMs, 'access point waits', () => {
		if (wap.waiting.get(place) !== waiting) return
		if (waiting.transmissions < transmissionLimit) {
			transmit(world, wap, waiting)
			return
		}
		wap.waiting.delete(place)
		waiting.done(undefined)
	})
}

/** A datagram with an octet that is another, or without its end. */
function spoilt({ chance }: World, bytes: Uint8Array): Uint8Array {
	if (chance.happens(0.5)) return bytes.slice(0, chance.between(0, bytes.length - 1))
	const changed = bytes.slice()
	changed[chance.between(0, bytes.length - 1)]! ^= 1 << chance.between(0, 7)
	return changed
}

/** What an access point hears. Answers are judged as they leave the relay, and believed here. */
export function wapHears(world: World, wap: AccessPoint, datagram: Datagram): void {
	const { toPort, bytes } = datagram
	if (toPort === 3799) {
		disconnectAsked(world, wap, datagram)
		return
	}
	const place = `${toPort} ${bytes[1]}`
	const waiting = wap.waiting.get(place)
	if (waiting === undefined) return
	wap.waiting.delete(place)
	waiting.done(bytes)
}

/** RFC 5176: an access point with a port for it ends its subscriber's session, or does not; some take their time. */
function disconnectAsked(world: World, wap: AccessPoint, datagram: Datagram): void {
	const { chance } = world
	const { bytes } = datagram
	if (!verifyAccountingRequest(bytes.slice(), bytes.length, portKey)) return
	if (chance.happens(0.15)) return
	const ms = chance.happens(0.5) ? 0 : chance.within(10, 3000)
	after(world, ms, 'access point decides', () => decideDisconnect(world, wap, datagram))
}

function decideDisconnect(world: World, wap: AccessPoint, datagram: Datagram): void {
	const { chance } = world
	const { bytes, from, fromPort } = datagram
	const named = (wanted: number) => {
		const value = attributesOf(bytes).find(([type]) => type === wanted)?.[1]
		return value && new TextDecoder().decode(value)
	}
	const mac = named(31) ?? ''
	const session = named(44)
	const subscriber = world.subscribers.find(one => one.mac === mac && one.wap === wap)
	const isOther = session !== undefined && session !== subscriber?.session
	// Who has just gone to another one is let go by this one, too.
	const isLate = world.subscribers.some(one => one.mac === mac && one.left?.wap === wap)
	const knows = isLate ? chance.happens(0.7) : subscriber !== undefined && !isOther
	const refuses = !knows || chance.happens(0.15)
	count(world, refuses ? 'access point refuses' : 'access point disconnects')
	if (!refuses) {
		const { agreed } = world.disconnects
		agreed.set(mac, (agreed.get(mac) ?? new Set()).add(wapOf(wap)))
	}
	const answer = answerPacket(bytes, {
		code: refuses ? 42 : 41,
		secret: secrets.port,
		messageAuthenticator: 'none',
	})
	const to = { from: wap.address, fromPort: 3799, to: from, toPort: fromPort }
	send(world, { ...to, bytes: answer, link: 0 })
	if (!refuses && subscriber !== undefined) kicked(world, subscriber)
}

/** It restarts: Accounting-Off, perhaps, and Accounting-On. */
export function restartAccessPoint(world: World, wap: AccessPoint, gone: Subscriber[]): void {
	const statuses = world.chance.happens(0.5) ? [8, 7] : [7]
	wap.waiting.clear()
	// Its identifiers begin anew, though the relay may have some of them pending.
	wap.nextIdentifier = 0
	for (const subscriber of gone) kicked(world, subscriber, 'silently')
	for (const status of statuses) {
		const attributes: TestAttribute[] = [
			[40, u32(status)],
			[44, `unit-${++world.requests}`],
		]
		askRelay(world, wap, 'accounting', attributes, () => undefined)
	}
}

export function openAccessPoints(world: World): void {
	for (const wap of world.accessPoints) {
		world.network.hosts.set(wap.address, datagram => wapHears(world, wap, datagram))
	}
}
