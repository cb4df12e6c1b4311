/** Pools, and clients of a `createLeaseServer` that a test speaks for. */
import * as assert from 'uvu/assert'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { type DhcpLocal, type DhcpPool, newDhcpPool } from '../domain/configuration.ts'
import type { NewEvent } from '../domain/event.ts'
import type { LeaseDecision } from '../domain/lease-message.ts'
import type { LeaseServer } from './lease-server.ts'

export const ip = (text: string) => parseIpv4(text)!
export const alice = '02-00-00-00-00-0A'
export const bob = '02-00-00-00-00-0B'

export function pool(name: string, network: string, more: Partial<DhcpPool> = {}): DhcpPool {
	const mask = '255.255.255.248'
	return { ...newDhcpPool(name), leaseSeconds: 100, network: { address: network, mask }, ...more }
}

export function local(service: DhcpLocal['service'], ...pools: DhcpPool[]): DhcpLocal {
	return { service: service!, pools, excluded: [], ping: false, interfaces: [] }
}

export const cable = pool('cable', '10.0.0.0', { defaultRouters: ['10.0.0.1'] })
export const beyond = pool('beyond', '10.0.1.0')
export const standalone = local('standalone', cable, beyond)
export const equalAccess = local('equal-access', cable, beyond)

export function types(events: readonly NewEvent[]): string[] {
	return events.map(({ type }) => type)
}

/** What the client is told: `offer 10.0.0.2`, `nak`, or nothing. */
export function told({ reply }: LeaseDecision): string {
	if (reply === undefined) return ''
	return 'address' in reply ? `${reply.kind} ${formatIpv4(reply.address)}` : reply.kind
}

export function discover(server: LeaseServer, mac: string, more = {}): LeaseDecision {
	return server.ask({ message: 'discover', mac, ...more })
}

export function select(
	server: LeaseServer,
	mac: string,
	address: string,
	more = {},
): LeaseDecision {
	const requested = ip(address)
	return server.ask({ message: 'request', kind: 'selecting', mac, requested, ...more })
}

export function reboot(
	server: LeaseServer,
	mac: string,
	address: string,
	more = {},
): LeaseDecision {
	const requested = ip(address)
	return server.ask({ message: 'request', kind: 'init-reboot', mac, requested, ...more })
}

export function renew(server: LeaseServer, mac: string, address: string, more = {}): LeaseDecision {
	return server.ask({ message: 'request', kind: 'renewing', mac, ciaddr: ip(address), ...more })
}

/** Discover and select; the address. */
export function lease(server: LeaseServer, mac: string, more = {}): string {
	const { reply } = discover(server, mac, more)
	if (reply?.kind !== 'offer') throw new Error(`${mac} was offered nothing`)
	const address = formatIpv4(reply.address)
	assert.is(told(select(server, mac, address, more)), `ack ${address}`)
	return address
}

export function refusal({ events }: LeaseDecision): string {
	const [event] = events
	return event?.type === 'LeaseRefused' ? event.data.reason : ''
}
