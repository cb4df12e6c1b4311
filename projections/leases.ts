/**
 * Who has which address: the leases of the DHCP local server, in columns, because an object for
 * each of a million leases would take several times the memory and the time to save. A row is the
 * same index in every column; the last row moves to where one is taken out.
 */
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import type { EventData, RecordedEvent } from '../domain/event.ts'
import { shadowPool } from '../domain/lease-state.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

/** `held`: kept for its last holder (grace period). `declined`: somebody else was found there. */
export type LeaseState = 'offered' | 'bound' | 'held' | 'declined'
const leaseStates: readonly LeaseState[] = ['offered', 'bound', 'held', 'declined']
const offered = leaseStates.indexOf('offered')
const bound = leaseStates.indexOf('bound')
const held = leaseStates.indexOf('held')
const declined = leaseStates.indexOf('declined')

/** A row as people read it. Times in milliseconds since 1970. */
export type Lease = {
	readonly address: string
	readonly mac: string
	/** The DHCP client identity (RFC 2131 §4.2), as hexadecimal digits. */
	readonly client: string
	readonly pool: string
	readonly state: LeaseState
	/** When the state ends by itself; 0: never. */
	readonly until: number
	/** When the client got the address; of an offer, when it was made. */
	readonly since: number
	/** 0: infinite. */
	readonly leaseSeconds: number
	readonly giaddr: string | undefined
	readonly interface: string | undefined
	readonly hostname: string | undefined
	/** The external server that gave it; undefined where this relay did. */
	readonly server: string | undefined
}

/** The columns of one virtual router, as they are saved. */
type Columns = {
	readonly virtualRouter: string
	/** Names of pools, interfaces and servers: `pool`, `interface` and `server` have indices of it. */
	readonly names: string[]
	/** By index of the pool's name: leases bound now, and the most there ever were, and when. */
	readonly inUse: number[]
	readonly highWater: number[]
	readonly highWaterAt: number[]
	readonly address: number[]
	readonly mac: string[]
	readonly client: string[]
	readonly pool: number[]
	readonly state: number[]
	readonly until: number[]
	readonly since: number[]
	readonly leaseSeconds: number[]
	/** 0: the client is directly attached. */
	readonly giaddr: number[]
	/** 0: unknown. */
	readonly interface: number[]
	readonly hostname: string[]
	/** 0: this relay. */
	readonly server: number[]
}

export type RouterLeases = Columns & {
	/** The row of an address, and the index of a name. Not saved: they follow from the columns. */
	readonly rows: Map<number, number>
	readonly nameIndex: Map<string, number>
}

export type Leases = { readonly routers: RouterLeases[] }

export const leases: Projection<Leases> = {
	name: 'leases',
	version: 2,
	initial: () => ({ routers: [] }),
	fold: foldLeases,
	freeze: state => ({ routers: state.routers.map(({ rows, nameIndex, ...columns }) => columns) }),
	thaw: frozen => ({ routers: (frozen as { routers: Columns[] }).routers.map(indexed) }),
}

/** The leases of one virtual router; undefined where there never was one. */
export function leasesOf(state: Leases, virtualRouter: string): RouterLeases | undefined {
	return state.routers.find(router => router.virtualRouter === virtualRouter)
}

/** The lease of an address; undefined where nobody has it at `now`. */
export function leaseOf(router: RouterLeases, address: string, now: number): Lease | undefined {
	const row = router.rows.get(parseIpv4(address) ?? -1)
	return row === undefined || isOver(router, row, now) ? undefined : leaseIn(router, row)
}

/** The leases of a client, by address. Looks at every row: for people, not for packets. */
export function leasesOfMac(router: RouterLeases, mac: string, now: number): Lease[] {
	const rows: number[] = []
	for (let row = 0; row < router.mac.length; row++) {
		if (router.mac[row] === mac && !isOver(router, row, now)) rows.push(row)
	}
	return sorted(router, rows).map(row => leaseIn(router, row))
}

/** All leases, or those of one kind, by address, at most `limit` of them, and how many there are. */
export function allLeases(
	router: RouterLeases,
	now: number,
	limit: number,
	givenBy?: 'local' | 'external',
): { readonly leases: readonly Lease[]; readonly count: number } {
	const rows: number[] = []
	for (let row = 0; row < router.address.length; row++) {
		const external = router.server[row] !== 0
		if (givenBy !== undefined && external !== (givenBy === 'external')) continue
		if (!isOver(router, row, now)) rows.push(row)
	}
	const shown = sorted(router, rows).slice(0, limit)
	return { leases: shown.map(row => leaseIn(router, row)), count: rows.length }
}

export type PoolUse = {
	readonly offered: number
	readonly bound: number
	readonly held: number
	readonly declined: number
	/** The most addresses bound at once, and since when it is that many; 0: never any. */
	readonly highWater: number
	readonly highWaterAt: number
}

/** How the pools are used at `now`, by name. Looks at every row. */
export function poolUse(router: RouterLeases, now: number): ReadonlyMap<string, PoolUse> {
	const counts = router.names.map(() => [0, 0, 0, 0])
	for (let row = 0; row < router.address.length; row++) {
		if (!isOver(router, row, now)) counts[router.pool[row]!]![router.state[row]!]!++
	}
	const uses = new Map<string, PoolUse>()
	for (const [index, name] of router.names.entries()) {
		if (name === shadowPool) continue
		const count = counts[index]!
		const highWater = router.highWater[index]!
		if (highWater === 0 && count.every(n => n === 0)) continue
		uses.set(name, {
			offered: count[offered]!,
			bound: count[bound]!,
			held: count[held]!,
			declined: count[declined]!,
			highWater,
			highWaterAt: router.highWaterAt[index]!,
		})
	}
	return uses
}

/**
 * Nothing is written when an offer lapses or a time of waiting is over; those rows stay until the
 * address is used again. The end of a lease is an event of its own.
 */
function isOver(router: RouterLeases, row: number, now: number): boolean {
	return router.state[row] !== bound && router.until[row]! <= now
}

function sorted(router: RouterLeases, rows: number[]): number[] {
	return rows.sort((a, b) => router.address[a]! - router.address[b]!)
}

function leaseIn(router: RouterLeases, row: number): Lease {
	const giaddr = router.giaddr[row]!
	return {
		address: formatIpv4(router.address[row]!),
		mac: router.mac[row]!,
		client: router.client[row]!,
		pool: router.names[router.pool[row]!]!,
		state: leaseStates[router.state[row]!]!,
		until: router.until[row]!,
		since: router.since[row]!,
		leaseSeconds: router.leaseSeconds[row]!,
		giaddr: giaddr === 0 ? undefined : formatIpv4(giaddr),
		interface: router.names[router.interface[row]!] || undefined,
		hostname: router.hostname[row] || undefined,
		server: router.names[router.server[row]!] || undefined,
	}
}

// ---- Folding ----

const virtualRouterOf = createVirtualRouterReader()

function newRouter(virtualRouter: string): RouterLeases {
	return indexed({
		virtualRouter,
		// No pool and no interface is named by the empty text: it stands for none.
		names: [''],
		inUse: [0],
		highWater: [0],
		highWaterAt: [0],
		address: [],
		mac: [],
		client: [],
		pool: [],
		state: [],
		until: [],
		since: [],
		leaseSeconds: [],
		giaddr: [],
		interface: [],
		hostname: [],
		server: [],
	})
}

function indexed(columns: Columns): RouterLeases {
	const rows = new Map<number, number>()
	for (let row = 0; row < columns.address.length; row++) rows.set(columns.address[row]!, row)
	const nameIndex = new Map(columns.names.map((name, index) => [name, index]))
	return { ...columns, rows, nameIndex }
}

function routerFor(state: Leases, stream: string): RouterLeases {
	const name = virtualRouterOf(stream)
	const known = leasesOf(state, name)
	if (known !== undefined) return known
	const router = newRouter(name)
	state.routers.push(router)
	return router
}

function indexOfName(router: RouterLeases, name: string): number {
	const known = router.nameIndex.get(name)
	if (known !== undefined) return known
	const index = router.names.push(name) - 1
	router.inUse.push(0)
	router.highWater.push(0)
	router.highWaterAt.push(0)
	router.nameIndex.set(name, index)
	return index
}

/** The row of an address, made if need be: new rows are an offer that is over. */
function rowFor(router: RouterLeases, text: string): number {
	const address = parseIpv4(text) ?? 0
	const known = router.rows.get(address)
	if (known !== undefined) return known
	const row = router.address.push(address) - 1
	router.rows.set(address, row)
	router.mac.push('')
	router.client.push('')
	router.pool.push(0)
	router.state.push(offered)
	router.until.push(0)
	router.since.push(0)
	router.leaseSeconds.push(0)
	router.giaddr.push(0)
	router.interface.push(0)
	router.hostname.push('')
	router.server.push(0)
	return row
}

function removeRow(router: RouterLeases, row: number): void {
	setState(router, row, offered, 0)
	const last = router.address.length - 1
	router.rows.delete(router.address[row]!)
	if (row !== last) router.rows.set(router.address[last]!, row)
	moveLast(router.address, row)
	moveLast(router.mac, row)
	moveLast(router.client, row)
	moveLast(router.pool, row)
	moveLast(router.state, row)
	moveLast(router.until, row)
	moveLast(router.since, row)
	moveLast(router.leaseSeconds, row)
	moveLast(router.giaddr, row)
	moveLast(router.interface, row)
	moveLast(router.hostname, row)
	moveLast(router.server, row)
}

function moveLast<T>(column: T[], row: number): void {
	const last = column.pop()!
	if (row < column.length) column[row] = last
}

/** The one place where a state changes, so that what is in use is always counted. */
function setState(router: RouterLeases, row: number, state: number, at: number): void {
	const pool = router.pool[row]!
	if (router.state[row] === bound) router.inUse[pool]!--
	router.state[row] = state
	if (state !== bound) return
	const inUse = ++router.inUse[pool]!
	if (inUse <= router.highWater[pool]!) return
	router.highWater[pool] = inUse
	router.highWaterAt[pool] = at
}

type LeaseData = EventData<'LeaseGranted'> & { readonly server?: string }

function write(router: RouterLeases, row: number, data: LeaseData): void {
	router.mac[row] = data.mac
	router.client[row] = data.client
	router.until[row] = data.expiresAt
	router.leaseSeconds[row] = data.leaseSeconds
	router.giaddr[row] = data.giaddr === undefined ? 0 : (parseIpv4(data.giaddr) ?? 0)
	router.interface[row] = data.interface === undefined ? 0 : indexOfName(router, data.interface)
	router.hostname[row] = data.hostname ?? ''
	router.server[row] = data.server === undefined ? 0 : indexOfName(router, data.server)
}

function offer(router: RouterLeases, data: LeaseData, at: number): void {
	const row = rowFor(router, data.address)
	// A client that forgot its lease is offered the same address, and still has it.
	if (router.state[row] === bound && router.mac[row] === data.mac) return
	setState(router, row, offered, at)
	router.pool[row] = indexOfName(router, data.pool)
	router.since[row] = at
	write(router, row, data)
}

function grant(router: RouterLeases, data: LeaseData, at: number): void {
	const row = rowFor(router, data.address)
	const again = router.state[row] === bound && router.mac[row] === data.mac
	if (!again) router.since[row] = at
	// Out of the old pool before it goes into the new one.
	setState(router, row, offered, at)
	router.pool[row] = indexOfName(router, data.pool)
	write(router, row, data)
	setState(router, row, bound, at)
}

type Ended = { readonly address: string; readonly mac: string; readonly heldUntil: number }

function end(router: RouterLeases, { address, mac, heldUntil }: Ended, at: number): void {
	const row = router.rows.get(parseIpv4(address) ?? -1)
	if (row === undefined || router.mac[row] !== mac) return
	if (heldUntil <= at) {
		removeRow(router, row)
		return
	}
	setState(router, row, held, at)
	router.until[row] = heldUntil
}

function decline(router: RouterLeases, data: EventData<'LeaseDeclined'>, at: number): void {
	const row = rowFor(router, data.address)
	setState(router, row, declined, at)
	router.pool[row] = indexOfName(router, data.pool)
	router.mac[row] = data.mac
	router.client[row] = data.client
	router.until[row] = data.until
	router.since[row] = at
	router.server[row] = 0
}

/** What has an end has it as far away as before, by the clock as it shows the time now. */
function step({ until }: RouterLeases, byMs: number): void {
	for (let row = 0; row < until.length; row++) if (until[row] !== 0) until[row]! += byMs
}

function foldLeases(state: Leases, event: RecordedEvent): Leases {
	switch (event.type) {
		case 'LeaseOffered':
			offer(routerFor(state, event.stream), event.data, event.at)
			break
		case 'LeaseGranted':
		case 'LeaseRenewed':
			grant(routerFor(state, event.stream), event.data, event.at)
			break
		case 'LeaseObserved':
			grant(routerFor(state, event.stream), { ...event.data, pool: shadowPool }, event.at)
			break
		case 'LeaseReleased':
		case 'LeaseExpired':
			end(routerFor(state, event.stream), event.data, event.at)
			break
		case 'LeaseDeclined':
			decline(routerFor(state, event.stream), event.data, event.at)
			break
		case 'ClockStepped':
			for (const router of state.routers) step(router, event.data.byMs)
			break
		// Whatever is refused leaves every lease as it was.
		case 'LeaseRefused':
		case 'PoolSelected':
		case 'PoolWarningChanged':
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'AccessRequested':
		case 'AccessChallenged':
		case 'AccessAccepted':
		case 'AccessRejected':
		case 'AccessUnanswered':
		case 'AccountingStarted':
		case 'AccountingUpdated':
		case 'AccountingStopped':
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
		case 'SubscriberTerminated':
		case 'PoolRequested':
		case 'SrcSessionOpened':
		case 'SrcSessionClosed':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'MessageAuthenticatorSeen':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
			break
		default:
			event satisfies never
	}
	return state
}
