/**
 * What must come of Disconnect- and CoA-Requests (RFC 5176), worked out beside the relay: by where the
 * subscriber was when a request was recorded, and by what its server was permitted at that time.
 */
import type { SentDatagram } from '../../adapters/radius/transport-simulated.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { type EventData, type RecordedEvent, virtualRouterOf } from '../../domain/event.ts'
import { attributesOf } from '../simulated-relay.ts'
import type { AccessPoint } from './access-points.ts'
import { places as addresses, type Permission, permits, type Variant } from './configuration.ts'
import { foldPlace, type Place, type Places, placeKey, placeNamed, wapOf } from './places.ts'
import { breaks, count, type World } from './world.ts'

/** What a RADIUS server has asked for. */
export type DynamicAsk = {
	readonly server: string
	readonly request: Permission
	readonly session: string
	readonly mac: string | undefined
	readonly user: string | undefined
	/** Named by Called-Station-Id, and by NAS-IP-Address. */
	readonly station: AccessPoint | undefined
	readonly nas: AccessPoint | undefined
	/** It has an attribute that the relay can do nothing with. */
	readonly unsupported: boolean
}

/** What was so when a request was recorded. */
type Meant = {
	readonly data: EventData<'DisconnectRequested'>
	/** Of the MAC that it names, and of the Acct-Session-Id. */
	readonly byMac: Seen | undefined
	readonly byName: Seen | undefined
	readonly variant: Variant
	answered: EventData<'DisconnectAnswered'> | undefined
}
/** A place as it was then, and the very one, to see whether it lasts. */
type Seen = Readonly<Place> & { readonly of: Place }

export type Disconnects = {
	readonly places: Places
	/** By the position of the request. */
	readonly meant: Map<number, Meant>
	/** Positions of those that the present process has not answered, by MAC. */
	readonly open: Map<string, Set<number>>
	/** Access points that have let somebody go because they were asked to, by MAC. */
	readonly agreed: Map<string, Set<string>>
	/** The latest end of a session by a request. */
	ended: { readonly mac: string; readonly wap: string; readonly position: number } | undefined
	/** Whom the operator's latest command was about. */
	cleared: string | undefined
}

export function createDisconnects(): Disconnects {
	return {
		places: new Map(),
		meant: new Map(),
		open: new Map(),
		agreed: new Map(),
		ended: undefined,
		cleared: undefined,
	}
}

/** RFC 5176 §3.5. */
const causes = { unsupported: 401, elsewhere: 403, prohibited: 501, unknown: 503 } as const

/** The only virtual router that is asked. */
const asked = 'default'

/** What a request must lead to: an end or a refusal at once, or that the access point is asked first. */
function expectation(ask: DynamicAsk, meant: Meant): 'accepted' | 'asks' | number {
	if (!permits(meant.variant, ask.server, ask.request)) return causes.prohibited
	if (ask.unsupported) return causes.unsupported
	const place = ask.mac === undefined ? meant.byName : meant.byMac
	if (place === undefined || place.name !== ask.session) return causes.unknown
	if (ask.user !== undefined && ask.user !== place.user) return causes.unknown
	if (ask.station !== undefined && wapOf(ask.station) !== place.wap) return causes.unknown
	if (ask.nas !== undefined && wapOf(ask.nas) !== place.wap) return causes.elsewhere
	if (ask.request === 'change-of-authorization') return 'accepted'
	return isAskedFirst(meant.variant, place.wap) ? 'asks' : 'accepted'
}

const taking: ReadonlySet<string> = new Set(addresses.disconnectClients)

function isAskedFirst({ disconnectClients }: Variant, wap: string): boolean {
	return disconnectClients && taking.has(addressOf(wap))
}

/** By the access points' plan of addresses: 00-11-22-33-44-02 is 10.9.0.2. */
function addressOf(wap: string): string {
	return `10.9.0.${Number.parseInt(wap.slice(15, 17), 16)}`
}

function isRight(ask: DynamicAsk, meant: Meant): boolean {
	const { answered } = meant
	if (answered === undefined) return false
	const { accepted, errorCause, accessPoint } = answered
	const wanted = expectation(ask, meant)
	if (wanted === 'accepted') return accepted && accessPoint === undefined
	if (typeof wanted === 'number') return errorCause === wanted && accessPoint === undefined
	// It may have ended while the access point was asked; refused, it has a cause that is not ours here.
	if (accepted) return accessPoint !== undefined
	return errorCause !== causes.prohibited && errorCause !== causes.elsewhere
}

/** A RADIUS server is told what became of its request: it must be what this very request leads to. */
export function judgeVerdict(world: World, ask: DynamicAsk, answer: Uint8Array): void {
	const accepted = answer[0] === 41 || answer[0] === 44
	const cause = attributesOf(answer).find(([type]) => type === 101)?.[1]
	const told = cause && new DataView(cause.buffer, cause.byteOffset).getUint32(0)
	const alike = [...world.disconnects.meant.values()].filter(
		({ data }) =>
			data.session === ask.session &&
			data.request === ask.request &&
			data.server === ask.server &&
			data.user === ask.user &&
			(ask.mac === undefined || data.mac === ask.mac),
	)
	const found = alike.some(meant => {
		const { answered } = meant
		if (answered?.accepted !== accepted || answered.errorCause !== told) return false
		return isRight(ask, meant)
	})
	if (!accepted) count(world, `told ${answer[0]} ${told}`)
	if (found) return
	const wanted = alike.map(meant => `${expectation(ask, meant)}`).join(', ')
	const { request, server, session } = ask
	breaks(
		world,
		`${server} was told ${accepted ? 'yes' : `no (${told})`} to its ${request} of ${session}, not ${wanted || 'nothing'}.`,
	)
}

/** A datagram to an access point's port for Disconnect-Requests. */
export function judgeAsked(world: World, { address, bytes }: SentDatagram): void {
	const attributes = attributesOf(bytes)
	const text = (type: number) => {
		const value = attributes.find(each => each[0] === type)?.[1]
		return value && new TextDecoder().decode(value)
	}
	const [mac = '', session, to] = [text(31), text(44), formatIpv4(address)]
	count(world, 'access point asked')
	const places = openPlaces(world, mac)
	const isMeant = ({ wap, name, namedBy }: Place) =>
		addressOf(wap) === to && session === (namedBy === wap ? name : undefined)
	if (places.some(isMeant)) return
	const there = places.map(({ wap, name }) => `${addressOf(wap)} (${name})`).join(', ')
	breaks(world, `${to} was asked to let ${mac} go (${session}), who is at ${there || 'no place'}.`)
}

/** Where a subscriber was at each request that awaits its answer, those included that are not on disk yet. */
function openPlaces(world: World, mac: string): Place[] {
	const { disconnects, history } = world
	const { meant, open } = disconnects
	const found: Place[] = []
	for (const position of open.get(mac) ?? []) {
		const place = meant.get(position)?.byMac
		if (place !== undefined) found.push(place)
	}
	const { engine } = world.running!.relay
	const waiting = engine.state.position - history.durable.position
	if (waiting <= 0) return found
	const key = placeKey(asked, mac)
	const there = disconnects.places.get(key)
	const ahead: Places = new Map(there === undefined ? [] : [[key, { ...there }]])
	for (const event of engine.batch.slice(-waiting)) {
		const place = ahead.get(key)
		const isAbout = event.type === 'DisconnectRequested' && event.data.mac === mac
		if (isAbout && place !== undefined) found.push({ ...place })
		if (virtualRouterOf(event.stream) === asked) foldPlace(ahead, event)
	}
	return found
}

/** An event, by what is known before it. */
export function judgeDisconnects(world: World, event: RecordedEvent): void {
	judgeEnded(world, event)
	switch (event.type) {
		case 'DisconnectRequested':
			requested(world, event)
			break
		case 'DisconnectAnswered':
			answered(world, event)
			break
		case 'SubscriberTerminated':
			terminated(world, event)
			break
		default:
			break
	}
	foldPlace(world.disconnects.places, event)
}

function requested(world: World, event: Extract<RecordedEvent, { type: 'DisconnectRequested' }>) {
	const { places, meant, open } = world.disconnects
	const { data, position } = event
	const { mac, session = '' } = data
	if (!world.inForce.dynamicRequests) {
		breaks(world, `${data.server} was heard, and no RADIUS server is configured.`)
	}
	meant.set(position, {
		data,
		byMac: mac === undefined ? undefined : seen(places.get(placeKey(asked, mac))),
		byName: seen(placeNamed(places, asked, session)),
		variant: world.inForce,
		answered: undefined,
	})
	if (mac === undefined) return
	const there = open.get(mac) ?? new Set()
	open.set(mac, there.add(position))
}

function seen(place: Place | undefined): Seen | undefined {
	return place && { ...place, of: place }
}

/** Accepted means permitted and ended; and where an access point was asked, it has really said so. */
function answered(
	world: World,
	{ data, position }: Extract<RecordedEvent, { type: 'DisconnectAnswered' }>,
): void {
	const { meant, places, ended } = world.disconnects
	const about = meant.get(data.exchange)
	if (about === undefined) return
	about.answered = data
	const { mac = '' } = about.data
	const place = about.byMac
	if (!permits(about.variant, data.server, data.request)) {
		count(world, 'not permitted')
		const refused = !data.accepted && data.errorCause === causes.prohibited
		if (!refused || position !== data.exchange + 1) {
			breaks(world, `${data.server} has its way with ${mac} (${data.request}), but it may not.`)
		}
	}
	const lasts = place !== undefined && places.get(placeKey(asked, mac)) === place.of
	if (data.request === 'disconnect' && data.accepted && lasts) {
		breaks(world, `A disconnect of ${mac} was accepted, and its session lasts.`)
	}
	const agreed = place !== undefined && world.disconnects.agreed.get(mac)?.has(place.wap)
	if (data.accessPoint === 'ack' && !agreed) {
		breaks(world, `${place?.wap} has not let ${mac} go, and is said to have.`)
	}
	closes(world, mac, data.exchange)
	// Where the session has ended by this very request, the access point that it is at must have agreed.
	if (ended?.position !== position - 1 || data.accessPoint === undefined) return
	if (data.accessPoint === 'ack' && ended.wap === place?.wap) return
	breaks(world, `${ended.wap} has not let ${mac} go, and its session was ended.`)
}

function closes({ disconnects }: World, mac: string, position: number): void {
	const { open, agreed } = disconnects
	const there = open.get(mac)
	there?.delete(position)
	if (there?.size !== 0) return
	open.delete(mac)
	agreed.delete(mac)
}

/** An end says where the subscriber was, and an operator's is of whom the command named. */
function terminated(
	world: World,
	{ data, stream, position }: Extract<RecordedEvent, { type: 'SubscriberTerminated' }>,
): void {
	const { mac, wap, cause } = data
	const { disconnects } = world
	count(world, `ended by ${cause}`)
	const place = disconnects.places.get(placeKey(virtualRouterOf(stream), mac))
	if (place?.wap !== wap) {
		breaks(world, `${mac} was ended at ${wap} (${cause}), and is at ${place?.wap ?? 'no place'}.`)
	}
	if (cause === 'operator' && disconnects.cleared !== placeKey(virtualRouterOf(stream), mac)) {
		breaks(world, `The operator has cleared ${disconnects.cleared}, and ${mac} was ended.`)
	}
	if (cause === 'disconnect') disconnects.ended = { mac, wap, position }
}

/** A session that a request has ended is followed by the answer that says so. */
function judgeEnded(world: World, event: RecordedEvent): void {
	const { ended } = world.disconnects
	if (ended?.position !== event.position - 1) return
	const isAnswer = event.type === 'DisconnectAnswered' && event.stream.endsWith(ended.mac)
	if (isAnswer && event.data.accepted && event.data.request === 'disconnect') return
	breaks(world, `The session of ${ended.mac} was disconnected, and nobody's request was accepted.`)
}

/** A process begins: what the one before had under way is lost, and the end of what it wrote may be. */
export function forgetAsked({ disconnects }: World): void {
	disconnects.open.clear()
	disconnects.agreed.clear()
	disconnects.ended = undefined
}

/** Everybody is where the relay has them. */
export function judgePlaces(world: World): void {
	const { durable } = world.history
	const { places } = world.disconnects
	let sessions = 0
	for (const { name, ...router } of durable.routers.values()) {
		sessions += router.sessions.size
		for (const { mac, wap, accounting } of router.sessions.values()) {
			const place = places.get(placeKey(name, mac))
			if (place?.wap !== wap) breaks(world, `${mac} is at ${place?.wap}, but held to be at ${wap}.`)
			else if (place.name !== accounting) {
				breaks(world, `${mac} is known as ${accounting}, but called ${place.name}.`)
			}
		}
	}
	if (sessions !== places.size) breaks(world, `${places.size} are there, and ${sessions} sessions.`)
}

/** Whether an end of its session can be commanded. */
export function isPresent({ disconnects }: World, router: string, mac: string): boolean {
	return disconnects.places.has(placeKey(router, mac))
}
