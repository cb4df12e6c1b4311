/** What is known of SRC as it is saved, and put back. */
import {
	loginKey,
	type SrcDebt,
	type SrcLogin,
	type SrcSubscriber,
	type SrcTable,
} from './logins.ts'

/** Some at a time, as JSON values. */
export type SavedSrc = {
	readonly subscribers: readonly (readonly [mac: string, subscriber: Partial<SrcSubscriber>])[]
	readonly debts: readonly SrcDebt[]
}

/** The table in parts of `size`; debts in the order in which they came about. */
export function* savedSrc(table: SrcTable, size: number): Generator<SavedSrc> {
	let subscribers: (readonly [string, SrcSubscriber])[] = []
	for (const [mac, { decision, dhcpOptions, logins }] of table.subscribers) {
		// Copies: the part may be written while the relay goes on.
		const copies = logins.map(login => ({ ...login }))
		subscribers.push([mac, { decision, dhcpOptions, logins: copies }])
		if (subscribers.length < size) continue
		yield { subscribers, debts: [] }
		subscribers = []
	}
	if (subscribers.length > 0) yield { subscribers, debts: [] }
	let debts: SrcDebt[] = []
	for (const debt of table.debts.values()) {
		debts.push({ ...debt, login: { ...debt.login } })
		if (debts.length < size) continue
		yield { subscribers: [], debts }
		debts = []
	}
	if (debts.length > 0) yield { subscribers: [], debts }
}

/** Puts a part of what `savedSrc` gave into a table. */
export function restoreSrc(table: SrcTable, saved: SavedSrc): void {
	for (const [mac, { decision, dhcpOptions, logins = [] }] of saved.subscribers) {
		const back = logins.map(restoredLogin)
		table.subscribers.set(mac, { decision, dhcpOptions, logins: back })
		for (const login of back) {
			if (login.session === undefined) table.unreported.set(loginKey(login), login)
		}
	}
	for (const { login, cause, endedAt } of saved.debts) {
		table.debts.set(loginKey(login), { login: restoredLogin(login), cause, endedAt })
	}
}

/** JSON leaves out what is undefined; logins keep one shape all the same. */
function restoredLogin(login: SrcLogin): SrcLogin {
	return {
		mac: login.mac,
		address: login.address,
		since: login.since,
		user: login.user,
		class: login.class,
		serviceBundle: login.serviceBundle,
		wap: login.wap,
		ssid: login.ssid,
		port: login.port,
		interface: login.interface,
		giaddr: login.giaddr,
		pool: login.pool,
		leaseSeconds: login.leaseSeconds,
		authenticated: login.authenticated,
		dhcpOptions: login.dhcpOptions,
		session: login.session,
		service: login.service,
		serviceClass: login.serviceClass,
		stop: login.stop,
		cause: login.cause,
	}
}
