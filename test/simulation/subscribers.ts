/** Subscribers: they log in, are accounted for, roam, and leave in every way there is. */
import { attributesOf, type TestAttribute, u32 } from '../simulated-relay.ts'
import { type AccessPoint, askRelay, type RouterName } from './access-points.ts'
import { askAbout } from './dynamic-server.ts'
import { attach, detach, type Host } from './hosts.ts'
import { after, count, type World } from './world.ts'

export type Subscriber = {
	readonly number: number
	/** In normal form. */
	readonly mac: string
	readonly user: string
	readonly router: RouterName
	wap: AccessPoint | undefined
	/** Acct-Session-Id; undefined where there is no accounting. */
	session: string | undefined
	/** Where it was before it roamed, and as which session. */
	left: { readonly wap: AccessPoint; readonly session: string } | undefined
	sessions: number
	/** Another number each time that what was under way is of no interest any more. */
	life: number
}

/** How many each virtual router has. Where there is little to do, little is found. */
const shares: Readonly<Record<Focus, readonly [campus: number, branch: number, cable: number]>> = {
	campus: [20, 4, 6],
	cable: [6, 2, 22],
}
export type Focus = 'campus' | 'cable'

export function createSubscribers(focus: Focus): Subscriber[] {
	const [campus, branch, cable] = shares[focus]
	const routers: RouterName[] = [
		...new Array<RouterName>(campus).fill('default'),
		...new Array<RouterName>(branch).fill('branch'),
		...new Array<RouterName>(cable).fill('cable'),
	]
	return routers.map((router, i) => {
		const number = i + 1
		return {
			number,
			mac: `02-00-00-00-00-${number.toString(16).toUpperCase().padStart(2, '0')}`,
			user: `user${number}@example.org`,
			router,
			wap: undefined,
			session: undefined,
			left: undefined,
			sessions: 0,
			life: 0,
		}
	})
}

/** Later, unless the subscriber has gone on to something else by then. */
function later(
	world: World,
	subscriber: Subscriber,
	ms: number,
	what: string,
	work: () => void,
): void {
	const { life } = subscriber
	after(world, ms, what, () => {
		if (subscriber.life === life && !world.quiet) work()
	})
}

function hostsOf(world: World, subscriber: Subscriber): Host[] {
	return world.hosts.filter(({ mac }) => mac === subscriber.mac)
}

export function openSubscribers(world: World): void {
	for (const subscriber of world.subscribers) comeBack(world, subscriber, 20_000)
}

function comeBack(world: World, subscriber: Subscriber, withinMs: number): void {
	later(world, subscriber, world.chance.within(10, withinMs), 'login', () =>
		login(world, subscriber),
	)
}

function login(world: World, subscriber: Subscriber): void {
	const { chance, accessPoints } = world
	const wap = chance.pick(accessPoints.filter(({ router }) => router === subscriber.router))
	// Some were authenticated before this relay was there: it hears of them by their accounting.
	if (chance.happens(0.05)) {
		arrive(world, subscriber, wap)
		return
	}
	authenticate(world, subscriber, wap, undefined, accepted => {
		if (accepted) arrive(world, subscriber, wap)
		else comeBack(world, subscriber, 30_000)
	})
}

/** Access-Request and, where it is challenged, the rest of the conversation. */
function authenticate(
	world: World,
	subscriber: Subscriber,
	wap: AccessPoint,
	state: Uint8Array | undefined,
	done: (accepted: boolean) => void,
): void {
	const { life } = subscriber
	const attributes: TestAttribute[] = [
		[1, subscriber.user],
		[31, subscriber.mac],
		...(state === undefined ? [] : ([[24, state]] as const)),
		[79, [2, 1, 0, 5, 1]],
	]
	askRelay(world, wap, 'authentication', attributes, answer => {
		if (subscriber.life !== life || world.quiet) return
		if (answer?.[0] !== 11) {
			done(answer?.[0] === 2)
			return
		}
		const given = attributesOf(answer).find(([type]) => type === 24)?.[1]
		authenticate(world, subscriber, wap, given, done)
	})
}

/** The subscriber is on the network. */
function arrive(world: World, subscriber: Subscriber, wap: AccessPoint): void {
	const { chance } = world
	subscriber.life++
	const { wap: from, session } = subscriber
	const moves = from !== undefined && from !== wap && session !== undefined
	subscriber.left = moves ? { wap: from, session } : undefined
	subscriber.wap = wap
	subscriber.session = `${wap.station.slice(15, 17)}-${subscriber.number}-${++subscriber.sessions}`
	// Access points that take a subscriber over begin to account for it when they have the time.
	if (moves && chance.happens(0.5)) {
		later(world, subscriber, chance.within(3000, 15_000), 'late start', () =>
			account(world, subscriber, 1),
		)
	} else if (!chance.happens(0.05)) account(world, subscriber, 1)
	for (const host of hostsOf(world, subscriber)) attach(world, host, wap)
	later(world, subscriber, chance.within(20_000, 60_000), 'interim', () =>
		online(world, subscriber),
	)
}

function account(world: World, subscriber: Subscriber, status: 1 | 2 | 3): void {
	const { wap, session, mac, user } = subscriber
	if (wap === undefined || session === undefined) return
	const attributes: TestAttribute[] = [
		[40, u32(status)],
		[1, user],
		[31, mac],
		[44, session],
		[42, u32(world.chance.between(0, 2 ** 31))],
	]
	askRelay(world, wap, 'accounting', attributes, () => undefined)
}

/** One moment of a subscriber who is online: what comes next. */
function online(world: World, subscriber: Subscriber): void {
	const { chance } = world
	const again = (ms: number) =>
		later(world, subscriber, ms, 'interim', () => online(world, subscriber))
	const what = chance.random()
	if (what < 0.55) {
		account(world, subscriber, 3)
		again(chance.within(20_000, 60_000))
	} else if (what < 0.65) {
		// Without a word for so long that the session may end as idle.
		again(chance.happens(0.4) ? chance.within(200_000, 400_000) : chance.within(60_000, 200_000))
	} else if (what < 0.72) {
		reauthenticate(world, subscriber, subscriber.wap!)
		again(chance.within(20_000, 60_000))
	} else if (what < 0.88) roam(world, subscriber)
	else if (what < 0.96) leave(world, subscriber, 'stops')
	else leave(world, subscriber, 'vanishes')
}

function reauthenticate(world: World, subscriber: Subscriber, wap: AccessPoint): void {
	authenticate(world, subscriber, wap, undefined, () => undefined)
}

/** To another access point: the old one's Stop comes before or after, or not at all. */
function roam(world: World, subscriber: Subscriber): void {
	const { chance, accessPoints } = world
	const all = accessPoints.filter(({ router }) => router === subscriber.router)
	const others = all.filter(one => one !== subscriber.wap)
	const wap = chance.pick(others.length > 0 && chance.happens(0.8) ? others : all)
	count(world, 'roams')
	// RADIUS servers hear of it and have something to say, while it is under way or afterwards.
	const asks = subscriber.router === 'default' ? chance.between(0, 4) : 0
	for (let n = 0; n < asks; n++) {
		const ms = chance.happens(0.3) ? chance.within(0, 20) : chance.within(0, 6000)
		after(world, ms, 'asked about a roamer', () => {
			if (!world.quiet) askAbout(world, subscriber)
		})
	}
	authenticate(world, subscriber, wap, undefined, accepted => {
		if (!accepted) {
			leave(world, subscriber, 'stops')
			return
		}
		if (chance.happens(0.5)) account(world, subscriber, 2)
		arrive(world, subscriber, wap)
	})
}

function leave(world: World, subscriber: Subscriber, how: 'stops' | 'vanishes'): void {
	count(world, `subscriber ${how}`)
	if (how === 'stops') account(world, subscriber, 2)
	// Whoever vanishes may be seen by its access point, minutes later.
	else if (world.chance.happens(0.5)) {
		later(world, subscriber, 30_000, 'late stop', () => account(world, subscriber, 2))
	}
	for (const host of hostsOf(world, subscriber)) detach(world, host, how === 'stops')
	if (how === 'stops') {
		gone(subscriber)
		comeBack(world, subscriber, 60_000)
	} else after(world, 60_000, 'vanished', () => kicked(world, subscriber, 'silently'))
}

export function gone(subscriber: Subscriber): void {
	subscriber.life++
	subscriber.wap = undefined
	subscriber.session = undefined
	subscriber.left = undefined
}

/** The access point has thrown the subscriber out. */
export function kicked(world: World, subscriber: Subscriber, how?: 'silently'): void {
	if (subscriber.wap === undefined) return
	if (how === undefined) account(world, subscriber, 2)
	for (const host of hostsOf(world, subscriber)) detach(world, host, false)
	gone(subscriber)
	if (!world.quiet) comeBack(world, subscriber, 30_000)
}
