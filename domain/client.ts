/** The clients of a relay server: which secret a datagram's source address stands for. */
import { parseIpv4, prefixLength } from './address.ts'
import type { ClientNetwork } from './configuration.ts'
import { createMd5Key, type Md5Key } from './radius/md5.ts'

export type Client = {
	/** A network of one host: only there `auto` may conclude from one packet to the next. */
	readonly singleHost: boolean
	readonly key: Md5Key
}

/** Client networks by mask, the longest masks first: a look-up costs one map for each mask used. */
export type Clients = readonly {
	readonly mask: number
	readonly byNetwork: ReadonlyMap<number, Client>
}[]

export function clientsOf(networks: readonly ClientNetwork[]): Clients {
	const byMask = new Map<number, Map<number, Client>>()
	for (const { address, mask: maskText, secret } of networks) {
		const network = parseIpv4(address)
		const mask = parseIpv4(maskText)
		const bits = mask === undefined ? undefined : prefixLength(mask)
		if (network === undefined || mask === undefined || bits === undefined) {
			throw new Error(`Client network ${address} ${maskText} is not an IPv4 network.`)
		}
		let byNetwork = byMask.get(mask)
		if (byNetwork === undefined) {
			byNetwork = new Map()
			byMask.set(mask, byNetwork)
		}
		const key = createMd5Key(new TextEncoder().encode(secret))
		byNetwork.set((network & mask) >>> 0, { singleHost: bits === 32, key })
	}
	return [...byMask].sort(([a], [b]) => b - a).map(([mask, byNetwork]) => ({ mask, byNetwork }))
}

/** The client that an address belongs to; the longest prefix wins. */
export function findClient(clients: Clients, address: number): Client | undefined {
	for (let i = 0; i < clients.length; i++) {
		const { mask, byNetwork } = clients[i]!
		const client = byNetwork.get((address & mask) >>> 0)
		if (client !== undefined) return client
	}
	return undefined
}
