/** Pools: which addresses they have, how the next free one is found, how one of them is chosen. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { type DhcpLocal, type DhcpPool, newDhcpPool } from '../domain/configuration.ts'
import { addMember, createFreeSet, isMember, nextMember, removeMember } from '../domain/free-set.ts'
import { foldLease, newLeaseTable } from '../domain/lease-state.ts'
import { choosePool, createPools, linkedPools, nextFree, poolFor } from '../domain/pool.ts'

const ip = (text: string) => parseIpv4(text)!
const mac = '02-00-00-00-00-01'

function pool(name: string, network: string, mask: string, more: Partial<DhcpPool> = {}): DhcpPool {
	return { ...newDhcpPool(name), network: { address: network, mask }, ...more }
}

function local(pools: readonly DhcpPool[], more: Partial<DhcpLocal> = {}): DhcpLocal {
	return { pools, excluded: [], ping: false, interfaces: [], ...more }
}

function poolsOf(configured: DhcpLocal, own: readonly string[] = []) {
	return createPools(configured, own.map(ip), newLeaseTable(), 0)
}

/** Every address that a pool gives, one after the other. */
function drained(configured: DhcpLocal, own: readonly string[] = []): string[] {
	const pools = poolsOf(configured, own)
	const [first] = pools.byName.values()
	const given = new Set<number>()
	for (;;) {
		const address = nextFree(first!, candidate => !given.has(candidate))
		if (address === undefined) return [...given].map(formatIpv4)
		given.add(address)
	}
}

test('a free set finds its next member as a plain search does', () => {
	const numbers = fc.integer({ min: 0, max: 2999 })
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 3000 }),
			fc.boolean(),
			fc.array(fc.tuple(fc.boolean(), numbers), { maxLength: 300 }),
			numbers,
			(size, full, changes, from) => {
				const set = createFreeSet(size, full)
				const plain = new Set(full ? Array.from({ length: size }, (_, n) => n) : [])
				for (const [add, n] of changes) {
					if (add) addMember(set, n)
					else removeMember(set, n)
					if (add && n < size) plain.add(n)
					else plain.delete(n)
				}
				const next = [...plain].filter(n => n >= from).sort((a, b) => a - b)[0] ?? -1
				assert.is(nextMember(set, from), next)
				assert.is(set.count, plain.size)
				assert.is(isMember(set, from), plain.has(from))
			},
		),
		{ numRuns: 200 },
	)
})

test('a pool has its network without what nobody can have', () => {
	const reservations = [{ address: '10.0.0.6', mac }]
	const routers = { defaultRouters: ['10.0.0.1'], reservations }
	const configured = local([pool('a', '10.0.0.0', '255.255.255.240', routers)], {
		excluded: [
			{ from: '10.0.0.3', to: '10.0.0.4' },
			{ from: '10.0.0.4', to: '10.0.0.5' },
			{ from: '10.0.0.12', to: '10.0.0.200' },
		],
	})
	assert.equal(drained(configured, ['10.0.0.2']), [
		...['10.0.0.7', '10.0.0.8', '10.0.0.9', '10.0.0.10', '10.0.0.11'],
	])
	const pools = poolsOf(configured, ['10.0.0.2'])
	assert.is(pools.byName.get('a')!.size, 6, 'what is reserved belongs to the pool')
	assert.is(poolFor(pools, ip('10.0.0.6'), mac)?.name, 'a')
	for (const no of ['0', '1', '2', '3', '5', '15']) {
		assert.is(poolFor(pools, ip(`10.0.0.${no}`), mac), undefined, no)
	}
	assert.is(poolFor(pools, ip('10.0.0.6'), '02-00-00-00-00-02'), undefined, 'reserved for another')
})

test('a pool without a network, and an address of no pool', () => {
	const pools = poolsOf(local([newDhcpPool('empty')]))
	assert.is(pools.byName.get('empty')!.size, 0)
	assert.is(poolFor(pools, ip('10.0.0.1'), mac), undefined)
	assert.is(
		nextFree(pools.byName.get('empty')!, () => true),
		undefined,
	)
})

test('links lead from pool to pool; a circle and a name without a pool end them', () => {
	const pools = poolsOf(
		local([
			pool('a', '10.0.0.0', '255.255.255.0', { link: 'b' }),
			pool('b', '10.0.1.0', '255.255.255.0', { link: 'c' }),
			pool('c', '10.0.2.0', '255.255.255.0', { link: 'a' }),
			pool('d', '10.0.3.0', '255.255.255.0', { link: 'nowhere' }),
		]),
	)
	const chain = (name: string) => linkedPools(pools, pools.byName.get(name)!).map(p => p.name)
	assert.equal(chain('a'), ['a', 'b', 'c'])
	assert.equal(chain('c'), ['c', 'a', 'b'])
	assert.equal(chain('d'), ['d'])
})

test('what the leases occupy is not free, whether or not time has passed since', () => {
	const leases = newLeaseTable()
	const data = { mac, client: 'hw:01', pool: 'a', leaseSeconds: 60 }
	const stream = `subscriber-default.${mac}`
	const fold = (type: 'LeaseOffered' | 'LeaseGranted', address: string, expiresAt: number) =>
		foldLease(leases, { stream, type, v: 1, at: 1000, data: { ...data, address, expiresAt } }, 0)
	fold('LeaseOffered', '10.0.0.1', 5000)
	fold('LeaseGranted', '10.0.0.2', 5000)
	const configured = local([pool('a', '10.0.0.0', '255.255.255.248')])
	const free = (steadyAt: number) => {
		const [a] = createPools(configured, [], leases, steadyAt).byName.values()
		return { count: a!.free.count, inUse: a!.inUse }
	}
	assert.equal(free(2000), { count: 4, inUse: 2 })
	assert.equal(free(6000), { count: 5, inUse: 1 }, 'an offer lapses; a lease ends by its event')
})

test("the order in which a pool is chosen is JunosE's", () => {
	const pools = poolsOf(
		local([
			pool('framed', '10.1.0.0', '255.255.0.0'),
			pool('named', '10.2.0.0', '255.255.0.0'),
			pool('example.org', '10.3.0.0', '255.255.0.0'),
			pool('school', '10.4.0.0', '255.255.0.0', { domainName: 'school.example' }),
			pool('relayed', '10.5.0.0', '255.255.0.0'),
			pool('cable', '10.6.0.0', '255.255.0.0'),
		]),
	)
	const wishes = {
		framedAddress: '10.1.2.3',
		addressPool: 'named',
		framedPool: 'cable',
		user: 'alice@EXAMPLE.org',
	}
	const places = [ip('10.5.0.1'), ip('10.6.0.1')] as const
	const choose = (w: typeof wishes | object | undefined, giaddr = places[0]) => {
		const choice = choosePool(pools, w, giaddr, places[1])
		return choice && `${choice.by} ${choice.pool.name}`
	}
	assert.is(choose(wishes), 'framed-address framed')
	assert.is(choosePool(pools, wishes, 0, 0)!.address, ip('10.1.2.3'))
	assert.is(choose({ ...wishes, framedAddress: '255.255.255.254' }), 'pool-name named')
	assert.is(choose({ ...wishes, framedAddress: '172.16.0.1' }), 'pool-name named')
	const { framedAddress: _, ...unframed } = wishes
	assert.is(choose(unframed), 'pool-name named')
	assert.is(choose({ ...unframed, addressPool: 'nowhere' }), 'pool-name cable')
	assert.is(choose({ user: 'alice@EXAMPLE.org' }), 'domain-name example.org')
	assert.is(choose({ user: 'bob@School.example' }), 'domain-name school')
	assert.is(choose({ user: 'carol@elsewhere.example' }), 'giaddr relayed')
	assert.is(choose({ user: 'carol' }), 'giaddr relayed')
	assert.is(choose({ user: 'carol' }, 0), 'interface cable')
	assert.is(choose(undefined, ip('172.16.0.1')), undefined, 'a relay agent where no pool is')
})

test("of several pools with the user's domain name, the one at its place", () => {
	const domainName = 'example.org'
	const pools = poolsOf(
		local([
			pool('first', '10.1.0.0', '255.255.0.0', { domainName }),
			pool('second', '10.2.0.0', '255.255.0.0', { domainName }),
			pool('other', '10.3.0.0', '255.255.0.0'),
		]),
	)
	const at = (giaddr: string) =>
		choosePool(pools, { user: 'alice@example.org' }, ip(giaddr), 0)?.pool.name
	assert.equal([at('10.2.0.1'), at('10.1.0.1')], ['second', 'first'])
	assert.equal([at('10.3.0.1'), at('10.9.0.1')], ['first', 'first'])
})

test('what RADIUS wishes for and is not there, is in the reason', () => {
	const pools = poolsOf(local([pool('cable', '10.1.0.0', '255.255.0.0')]))
	const reason = (wishes: object) => choosePool(pools, wishes, 0, ip('10.1.0.1'))!.reason()
	const place = "The interface's address 10.1.0.1 is in its network."
	assert.is(reason({ framedAddress: '255.255.255.254' }), place)
	assert.is(
		reason({ framedAddress: '10.2.0.9', framedPool: 'gold' }),
		`Framed-IP-Address 10.2.0.9 is in no pool's network. Framed-Pool names gold, and there is no such pool. ${place}`,
	)
	assert.is(
		reason({ addressPool: 'gold', framedPool: 'cable' }),
		'Address-Pool [26-2] names gold, and there is no such pool. Framed-Pool names it.',
	)
})

test('a pool of 2^20 addresses is emptied and filled in constant time for each', () => {
	const [big] = poolsOf(local([pool('big', '10.0.0.0', '255.240.0.0')])).byName.values()
	const octets = big!.free.levels.reduce((sum, level) => sum + level.byteLength, 0)
	assert.ok(octets < 200_000, `${octets} octets`)
	let steps = 0
	for (let n = 0; n < 100_000; n++) {
		nextFree(big!, address => {
			steps++
			removeMember(big!.free, address - big!.network)
			return true
		})
	}
	assert.is(steps, 100_000, 'the first candidate is always a free one')
	assert.is(big!.free.count, 2 ** 20 - 2 - 100_000)
})

test.run()
