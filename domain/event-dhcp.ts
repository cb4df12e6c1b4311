/** The part of the catalogue (`event.ts`) about DHCP: leases, pools, messages. */
import * as t from 'io-ts'

const optional = t.partial

/**
 * `client`: the DHCP client identity (RFC 2131 §4.2): `id:` or `hw:` and hexadecimal digits. Of an
 * offer, `expiresAt` is when it lapses, and `leaseSeconds` what is offered. Times in ms.
 */
const lease = t.intersection([
	t.type({
		mac: t.string,
		client: t.string,
		pool: t.string,
		address: t.string,
		/** 0: infinite. */
		leaseSeconds: t.number,
		/** 0: never. */
		expiresAt: t.number,
	}),
	optional({
		giaddr: t.string,
		interface: t.string,
		hostname: t.string,
		/** Leased for the subscriber's live session, with which it ends. */
		session: t.literal(true),
		/** SRC is told of it. */
		src: t.literal(true),
	}),
])

export const dhcpEvents = {
	LeaseOffered: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	/** From here on nobody else may have the address until `expiresAt`. */
	LeaseGranted: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	LeaseRenewed: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	/** A DHCPREQUEST got a DHCPNAK, or, where `silent`, a DHCPDISCOVER got no offer. */
	LeaseRefused: {
		version: 1,
		personal: ['mac', 'address', 'client', 'why'],
		data: t.intersection([
			t.type({ mac: t.string, client: t.string, reason: t.string }),
			optional({
				address: t.string,
				silent: t.literal(true),
				/** The pool that had no address left, where that is the reason. */
				pool: t.string,
				/** What SRC had to do with it; `why` is its reason. */
				request: t.number,
				srcServer: t.string,
				why: t.string,
			}),
		]),
	},
	/** The client found somebody else at the address: nobody gets it until `until`. */
	LeaseDeclined: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.intersection([
			t.type({
				mac: t.string,
				client: t.string,
				pool: t.string,
				address: t.string,
				until: t.number,
			}),
			/** The server itself found somebody there, before it offered the address to this client. */
			optional({ ping: t.literal(true) }),
		]),
	},
	/**
	 * The external DHCP server gave or extended a lease, as its DHCPACK said: the shadow of that lease.
	 * No pool of this relay's has the address.
	 */
	LeaseObserved: {
		version: 1,
		personal: ['mac', 'address', 'client', 'hostname'],
		data: t.intersection([
			t.type({
				mac: t.string,
				client: t.string,
				address: t.string,
				/** 0: infinite. */
				leaseSeconds: t.number,
				/** 0: never. */
				expiresAt: t.number,
				/** Server Identifier [54], else where the DHCPACK came from. */
				server: t.string,
			}),
			optional({
				interface: t.string,
				giaddr: t.string,
				hostname: t.string,
				/** The subscriber has a live session, with which the lease ends. */
				session: t.literal(true),
				/** The client had the address already. */
				renewed: t.literal(true),
				/** SRC is on, and is told of the address. */
				src: t.literal(true),
			}),
		]),
	},
	LeaseReleased: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.type({
			mac: t.string,
			client: t.string,
			/** Empty for the shadow of an external server's lease. */
			pool: t.string,
			address: t.string,
			cause: t.union([
				/** DHCPRELEASE. */
				t.literal('client'),
				/** The session ended. */
				t.literal('session'),
				t.literal('operator'),
				/** The client took another address, or has it on another interface now. */
				t.literal('moved'),
				/** The external server refused it to the client, or gave it to somebody else. */
				t.literal('server'),
				/** The client of an external server found somebody else at the address. */
				t.literal('declined'),
			]),
			/** Held back until then for its last holder (grace period); milliseconds. */
			heldUntil: t.number,
		}),
	},
	LeaseExpired: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.type({
			mac: t.string,
			client: t.string,
			pool: t.string,
			address: t.string,
			heldUntil: t.number,
		}),
	},
	/** A pool's use crossed its warning threshold (`high`), or fell below the lower one again. */
	PoolWarningChanged: {
		version: 1,
		personal: [],
		data: t.type({ pool: t.string, high: t.boolean, inUse: t.number, size: t.number }),
	},
	/**
	 * DHCP messages that left no event of their own, gathered by message and reason. Most were
	 * ignored; `repeated` is a DHCPDISCOVER that was given the same offer again, `answered` a
	 * DHCPINFORM that got its options.
	 */
	DhcpDiscarded: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ message: t.string, reason: t.string, count: t.number }),
			/** It was on its way between a client and the external server. */
			optional({ external: t.literal(true) }),
		]),
	},
	/**
	 * DHCP messages between clients and the external server, gathered by message: passed on, or, where
	 * `seen`, routed past the relay.
	 */
	DhcpForwarded: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ message: t.string, count: t.number }),
			optional({ seen: t.literal(true) }),
		]),
	},
} as const
