/** What a pool of the DHCP local server must be like: sentences about what is wrong with one. */
import { formatIpv4, parseIpv4, prefixLength } from '../address.ts'
import type { DhcpPool, VirtualRouter } from '../configuration.ts'

type Network = NonNullable<DhcpPool['network']>

/** A pool has at least two addresses to give, and no more than 2^24. */
const shortestPrefix = 8
const longestPrefix = 30

function firstOf(network: Network): number {
	return parseIpv4(network.address)!
}

/** The broadcast address. */
function lastOf(network: Network): number {
	return (firstOf(network) | ~parseIpv4(network.mask)!) >>> 0
}

function contains(network: Network, address: string): boolean {
	const value = parseIpv4(address)!
	return value >= firstOf(network) && value <= lastOf(network)
}

function isHostOf(network: Network, address: string): boolean {
	const value = parseIpv4(address)!
	return value > firstOf(network) && value < lastOf(network)
}

/**
 * Why the virtual router can have no pools and choose none, whoever would choose; undefined: it can.
 * With an external server nobody but that server chooses addresses.
 */
export function externalFault({ name, dhcpExternal }: VirtualRouter): string | undefined {
	if (!dhcpExternal.enabled) return undefined
	return `The DHCP external server of virtual router ${name} chooses the addresses, so that neither the relay nor RADIUS nor SRC selects a pool; enter "no service dhcp-external" first.`
}

/** Why a pool cannot have the network; undefined: it can. */
export function networkFault(
	pool: DhcpPool,
	network: Network,
	pools: readonly DhcpPool[],
): string | undefined {
	const mask = parseIpv4(network.mask)!
	const length = prefixLength(mask)!
	if (length < shortestPrefix || length > longestPrefix) {
		return `A pool's mask is from 255.0.0.0 to 255.255.255.252; ${network.mask} is not.`
	}
	const first = (firstOf(network) & mask) >>> 0
	if (first !== firstOf(network)) {
		return `${network.address} is a host of the network ${formatIpv4(first)} ${network.mask}; give ${formatIpv4(first)}.`
	}
	const other = pools.find(p => p.name !== pool.name && p.network && overlap(p.network, network))
	if (other?.network !== undefined) {
		return `The network overlaps that of pool ${other.name}, ${other.network.address} ${other.network.mask}: an address can belong to one pool only.`
	}
	const outside = pool.reservations.find(({ address }) => !isHostOf(network, address))
	if (outside === undefined) return undefined
	return `${outside.address} is reserved in this pool and is no host of the network; delete that with "no reserve ${outside.address}" first.`
}

function overlap(a: Network, b: Network): boolean {
	return firstOf(a) <= lastOf(b) && firstOf(b) <= lastOf(a)
}

/** Why an address cannot be reserved; undefined: it can. */
export function reservationFault(pool: DhcpPool, address: string, mac: string): string | undefined {
	const { network } = pool
	if (network === undefined) return 'Give the pool its network first, then reserve addresses of it.'
	if (!isHostOf(network, address)) {
		return `${address} is no host of the pool's network ${network.address} ${network.mask}.`
	}
	const other = pool.reservations.find(r => r.mac === mac && r.address !== address)
	if (other === undefined) return undefined
	return `${mac} has ${other.address} reserved in this pool; delete that with "no reserve ${other.address}" first.`
}

/** Why a pool cannot be linked to another; undefined: it can. */
export function linkFault(
	pool: DhcpPool,
	link: string,
	pools: readonly DhcpPool[],
): string | undefined {
	if (link === pool.name) return 'A pool cannot be linked to itself.'
	const chain = [pool.name, link]
	for (let next = linkOf(pools, link); next !== undefined; next = linkOf(pools, next)) {
		chain.push(next)
		if (next === pool.name) {
			return `The link would close a circle: ${chain.join(', ')}; end it at one of these pools with "no link".`
		}
	}
	return undefined
}

function linkOf(pools: readonly DhcpPool[], name: string): string | undefined {
	return pools.find(pool => pool.name === name)?.link
}

/** A router elsewhere, which may not be meant although it can be. */
export function defaultRouterWarning({ network, defaultRouters }: DhcpPool): string | undefined {
	const away = network && defaultRouters.find(router => !contains(network, router))
	if (away === undefined) return undefined
	return `The default router ${away} is not in the network ${network!.address} ${network!.mask}: clients may not reach it.`
}

/** A link that leads nowhere, which may not be meant although it can be. */
export function linkWarning({ link }: DhcpPool, pools: readonly DhcpPool[]): string | undefined {
	if (link === undefined || pools.some(({ name }) => name === link)) return undefined
	return `There is no pool ${link} yet; the link has no effect until there is.`
}
