/**
 * The pools of the DHCP local server while it runs: made from the configuration, kept up to date with
 * the leases. They are an index, not state: whoever has an address is known from the leases alone,
 * and every address found here is checked against them before anybody gets it.
 */
import { formatIpv4, parseIpv4 } from './address.ts'
import type { DhcpLocal, DhcpPool } from './configuration.ts'
import type { PoolSelector } from './event.ts'
import {
	addMember,
	createFreeSet,
	type FreeSet,
	isMember,
	nextMember,
	removeMember,
} from './free-set.ts'
import {
	isAddressOffered,
	isAddressTaken,
	type Lease,
	type LeaseTable,
	leaseAt,
	takenAddresses,
} from './lease-state.ts'
import type { SrcDecision } from './sae/logins.ts'

export type Pool = {
	readonly name: string
	readonly settings: DhcpPool
	/** Network, mask and broadcast address; all 0 where the pool has no network. */
	readonly network: number
	readonly mask: number
	readonly last: number
	/** Addresses that clients can get, reserved ones among them. */
	readonly size: number
	/** Of them, those that a lease, an offer or a hold keeps from others. */
	inUse: number
	/** Addresses to be had by anybody, as their distance from the network address. */
	readonly free: FreeSet
	/** Where the search for the next free address begins: what was given up last is used again last. */
	next: number
	readonly reservedFor: ReadonlyMap<string, number>
	readonly reserved: ReadonlyMap<number, string>
	/** Reserved addresses that are in use. */
	readonly reservedInUse: Set<number>
	/** Addresses that are offered and not taken yet, the oldest offer first. */
	readonly offered: Set<number>
}

export type Pools = {
	readonly byName: ReadonlyMap<string, Pool>
	/** Those with a network, by network; networks do not overlap. */
	readonly byNetwork: readonly Pool[]
	/** Ranges that no client gets, by first address, as `[from, to, from, to, ...]`; they do not overlap. */
	readonly excluded: readonly number[]
}

/**
 * Pools of a configuration, with what the leases occupy at `steadyAt`. `own`: addresses of this
 * machine's interfaces; they and the pools' default routers are excluded, whatever is configured.
 */
export function createPools(
	local: DhcpLocal,
	own: readonly number[],
	leases: LeaseTable,
	steadyAt: number,
): Pools {
	const routers = local.pools.flatMap(pool => pool.defaultRouters.map(text => parseIpv4(text) ?? 0))
	const excluded = mergedRanges([
		...local.excluded.map(({ from, to }) => [parseIpv4(from) ?? 0, parseIpv4(to) ?? 0] as const),
		...[...routers, ...own].map(address => [address, address] as const),
	])
	const byName = new Map<string, Pool>()
	for (const settings of local.pools) byName.set(settings.name, createPool(settings, excluded))
	const byNetwork = [...byName.values()]
		.filter(pool => pool.mask !== 0)
		.sort((a, b) => a.network - b.network)
	const pools = { byName, byNetwork, excluded }
	const offers: Lease[] = []
	for (const address of takenAddresses(leases, steadyAt)) {
		occupy(pools, address, true)
		const lease = leaseAt(leases, address)
		if (lease?.status === 'offered') offers.push(lease)
	}
	offers.sort((a, b) => a.changedAt - b.changedAt)
	for (const { address } of offers) poolAround(pools, address)?.offered.add(address)
	return pools
}

function createPool(settings: DhcpPool, excluded: readonly number[]): Pool {
	const network = settings.network === undefined ? 0 : (parseIpv4(settings.network.address) ?? 0)
	const mask = settings.network === undefined ? 0 : (parseIpv4(settings.network.mask) ?? 0)
	const last = mask === 0 ? 0 : (network | ~mask) >>> 0
	const free = createFreeSet(mask === 0 ? 0 : last - network + 1, true)
	removeMember(free, 0)
	removeMember(free, last - network)
	for (let i = 0; i < excluded.length; i += 2) {
		const to = Math.min(excluded[i + 1]!, last)
		for (let address = Math.max(excluded[i]!, network); address <= to; address++) {
			removeMember(free, address - network)
		}
	}
	const size = free.count
	const reservedFor = new Map<string, number>()
	const reserved = new Map<number, string>()
	for (const { address: text, mac } of settings.reservations) {
		const address = parseIpv4(text) ?? 0
		if (!isMember(free, address - network)) continue
		removeMember(free, address - network)
		reservedFor.set(mac, address)
		reserved.set(address, mac)
	}
	return {
		name: settings.name,
		settings,
		network,
		mask,
		last,
		size,
		inUse: 0,
		free,
		next: 0,
		reservedFor,
		reserved,
		reservedInUse: new Set(),
		offered: new Set(),
	}
}

type Range = readonly [from: number, to: number]

function mergedRanges(ranges: readonly Range[]): number[] {
	const merged: number[] = []
	for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
		const end = merged.length - 1
		if (end > 0 && from <= merged[end]! + 1) merged[end] = Math.max(merged[end]!, to)
		else merged.push(from, to)
	}
	return merged
}

function isExcluded({ excluded }: Pools, address: number): boolean {
	let low = 0
	let high = excluded.length / 2
	while (low < high) {
		const middle = (low + high) >>> 1
		if (excluded[middle * 2 + 1]! < address) low = middle + 1
		else high = middle
	}
	return low * 2 < excluded.length && excluded[low * 2]! <= address
}

/** The pool whose network an address is in, be it a client's or not. */
export function poolAround({ byNetwork }: Pools, address: number): Pool | undefined {
	let low = 0
	let high = byNetwork.length
	while (low < high) {
		const middle = (low + high) >>> 1
		if (byNetwork[middle]!.last < address) low = middle + 1
		else high = middle
	}
	const pool = byNetwork[low]
	return pool !== undefined && pool.network <= address ? pool : undefined
}

/** The pool that may give this address to that subscriber; undefined: none may. */
export function poolFor(pools: Pools, address: number, mac: string): Pool | undefined {
	const pool = poolAround(pools, address)
	if (pool === undefined || address === pool.network || address === pool.last) return undefined
	if (isExcluded(pools, address)) return undefined
	const owner = pool.reserved.get(address)
	return owner === undefined || owner === mac ? pool : undefined
}

/** A pool and those it is linked to, in the order in which they are asked. A circle ends it. */
export function linkedPools(pools: Pools, first: Pool): Pool[] {
	const chain: Pool[] = []
	for (let pool: Pool | undefined = first; pool !== undefined && !chain.includes(pool); ) {
		chain.push(pool)
		const { link }: DhcpPool = pool.settings
		pool = link === undefined ? undefined : pools.byName.get(link)
	}
	return chain
}

/** Takes over what has become of an address: to be called after every event about it. */
export function followLease(
	pools: Pools,
	leases: LeaseTable,
	address: number,
	steadyAt: number,
): void {
	occupy(pools, address, isAddressTaken(leases, address, steadyAt))
	const offered = poolAround(pools, address)?.offered
	if (offered === undefined) return
	// Put last, behind all older ones.
	offered.delete(address)
	if (isAddressOffered(leases, address, steadyAt)) offered.add(address)
}

function occupy(pools: Pools, address: number, taken: boolean): void {
	const pool = poolAround(pools, address)
	if (pool === undefined) return
	const offset = address - pool.network
	if (pool.reserved.has(address)) {
		if (taken) pool.reservedInUse.add(address)
		else pool.reservedInUse.delete(address)
	} else if (taken) {
		removeMember(pool.free, offset)
		pool.next = offset + 1
	} else if (address !== pool.network && address !== pool.last && !isExcluded(pools, address)) {
		addMember(pool.free, offset)
	}
	pool.inUse = pool.size - pool.reserved.size - pool.free.count + pool.reservedInUse.size
}

/** The next free address that `usable` agrees to; undefined when there is none. */
export function nextFree(pool: Pool, usable: (address: number) => boolean): number | undefined {
	return search(pool, pool.next, pool.free.size, usable) ?? search(pool, 0, pool.next, usable)
}

function search(
	{ free, network }: Pool,
	from: number,
	to: number,
	usable: (address: number) => boolean,
): number | undefined {
	for (let n = nextMember(free, from); n >= 0 && n < to; n = nextMember(free, n + 1)) {
		if (usable(network + n)) return network + n
	}
	return undefined
}

/** Why and by whom a pool was chosen; `address`: the one that was asked for by name. */
export type PoolChoice = {
	readonly by: PoolSelector
	readonly pool: Pool
	/** Why, in a sentence. Most choices are never told of: it is made when somebody asks. */
	reason(): string
	readonly address?: number
}

/** What SRC and RADIUS have said about a subscriber, as far as it chooses a pool. */
export type PoolWishes = {
	readonly src?: SrcDecision | undefined
	readonly user?: string | undefined
	readonly framedAddress?: string | undefined
	readonly framedPool?: string | undefined
	readonly addressPool?: string | undefined
}

/**
 * The pool for a subscriber, in JunosE's order: framed address, pool name, both SRC's before RADIUS',
 * domain name of the user, then the place: the relay agent's address, the receiving interface's.
 * `wishes` is undefined where the server goes by the place alone (`standalone`). Addresses are 0
 * where there is none. The reason names what RADIUS wished for and nobody can have.
 */
export function choosePool(
	pools: Pools,
	wishes: PoolWishes | undefined,
	giaddr: number,
	interfaceAddress: number,
): PoolChoice | undefined {
	const place = byPlace(pools, giaddr, interfaceAddress)
	if (wishes === undefined) return place
	const unmet: string[] = []
	const choice =
		bySrcAddress(pools, wishes) ??
		byFramedAddress(pools, wishes, unmet) ??
		bySrcName(pools, wishes) ??
		byName(pools, wishes, unmet) ??
		byDomain(pools, wishes, place) ??
		place
	if (choice === undefined || unmet.length === 0) return choice
	return { ...choice, reason: () => `${unmet.join(' ')} ${choice.reason()}` }
}

function bySrcAddress(pools: Pools, { src }: PoolWishes): PoolChoice | undefined {
	const address = src?.address === undefined ? undefined : parseIpv4(src.address)
	const pool = address === undefined ? undefined : poolAround(pools, address)
	if (src === undefined || address === undefined || pool === undefined) return undefined
	const reason = () => `SRC gives ${src.address}, which is in its network${because(src)}.`
	return { by: 'src', pool, reason, address }
}

function bySrcName(pools: Pools, { src }: PoolWishes): PoolChoice | undefined {
	const pool = src?.pool === undefined ? undefined : pools.byName.get(src.pool)
	if (src === undefined || pool === undefined) return undefined
	return { by: 'src', pool, reason: () => `SRC names it${because(src)}.` }
}

function because({ reason }: SrcDecision): string {
	return reason === undefined ? '' : ` (${reason})`
}

/** RFC 2865 §5.8: 255.255.255.255 lets the user choose, 255.255.255.254 the NAS. */
const firstFramedSpecial = 0xffff_fffe

function byFramedAddress(
	pools: Pools,
	{ framedAddress }: PoolWishes,
	unmet: string[],
): PoolChoice | undefined {
	const address = framedAddress === undefined ? undefined : parseIpv4(framedAddress)
	if (address === undefined || address >= firstFramedSpecial) return undefined
	const pool = poolAround(pools, address)
	if (pool === undefined) {
		unmet.push(`Framed-IP-Address ${framedAddress} is in no pool's network.`)
		return undefined
	}
	const reason = () => `Framed-IP-Address ${framedAddress} is in its network.`
	return { by: 'framed-address', pool, reason, address }
}

function byName(
	pools: Pools,
	{ framedPool, addressPool }: PoolWishes,
	unmet: string[],
): PoolChoice | undefined {
	// RFC 2869 §5.18 and Juniper's 26-2 mean the same; the vendor's own comes first.
	for (const [name, attribute] of [
		[addressPool, 'Address-Pool [26-2]'],
		[framedPool, 'Framed-Pool'],
	] as const) {
		if (name === undefined) continue
		const pool = pools.byName.get(name)
		if (pool === undefined) {
			unmet.push(`${attribute} names ${name}, and there is no such pool.`)
			continue
		}
		return { by: 'pool-name', pool, reason: () => `${attribute} names it.` }
	}
	return undefined
}

/** Where several pools have the user's domain name, the one at the user's place goes first. */
function byDomain(
	pools: Pools,
	{ user }: PoolWishes,
	place: PoolChoice | undefined,
): PoolChoice | undefined {
	const at = user?.lastIndexOf('@') ?? -1
	if (user === undefined || at < 0) return undefined
	const domain = user.slice(at + 1).toLowerCase()
	const all = [...pools.byName.values()]
	const named = all.find(pool => pool.name.toLowerCase() === domain)
	if (named !== undefined) {
		const reason = () => `The user's domain ${domain} is its name.`
		return { by: 'domain-name', pool: named, reason }
	}
	const hasName = ({ settings }: Pool) => settings.domainName?.toLowerCase() === domain
	const here = place !== undefined && hasName(place.pool)
	const pool = here ? place.pool : all.find(hasName)
	if (pool === undefined) return undefined
	const reason = () => `The user's domain ${domain} is its domain name.`
	return { by: 'domain-name', pool, reason }
}

function byPlace(pools: Pools, giaddr: number, interfaceAddress: number): PoolChoice | undefined {
	if (giaddr !== 0) {
		const pool = poolAround(pools, giaddr)
		if (pool === undefined) return undefined
		return {
			by: 'giaddr',
			pool,
			reason: () => `The relay agent's address ${formatIpv4(giaddr)} is in its network.`,
		}
	}
	const pool = poolAround(pools, interfaceAddress)
	if (pool === undefined) return undefined
	const reason = () => `The interface's address ${formatIpv4(interfaceAddress)} is in its network.`
	return { by: 'interface', pool, reason }
}
