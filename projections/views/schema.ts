/** All that a database of read models is made of: tables, SQL views, and what the folding looks up. */
import type { ViewSchema } from '../../domain/view.ts'
import * as network from './network-tables.ts'
import { sqlViews } from './sql-views.ts'
import * as subscribers from './subscriber-tables.ts'

export const viewSchema: ViewSchema = {
	// Raise it whenever a table, an SQL view or the folding changes.
	version: 4,
	tables: [
		subscribers.subscriber,
		subscribers.attempt,
		subscribers.session,
		subscribers.sessionWap,
		subscribers.accounting,
		network.lease,
		network.poolDecision,
		network.minute,
		network.relayEvent,
		network.statisticsSnapshot,
		network.statisticsNewest,
	],
	views: sqlViews,
	lookups: {
		subscriber: { table: subscribers.subscriber, where: 'mac = ? AND virtual_router = ?' },
		attempt: { table: subscribers.attempt, where: 'id = ?' },
		'attempt-by-exchange': {
			table: subscribers.attempt,
			where: 'mac = ? AND virtual_router = ? AND exchange = ? ORDER BY id DESC LIMIT 1',
		},
		session: { table: subscribers.session, where: 'id = ?' },
		visit: { table: subscribers.sessionWap, where: 'session = ? AND to_at IS NULL LIMIT 1' },
		accounting: {
			table: subscribers.accounting,
			where:
				"mac = ? AND accounting_session = ? AND virtual_router = ? AND wap IS ? AND domain = 'wap' ORDER BY id DESC LIMIT 1",
		},
		'accounting-src': {
			table: subscribers.accounting,
			where:
				"mac = ? AND accounting_session = ? AND virtual_router = ? AND domain = 'src' ORDER BY id DESC LIMIT 1",
		},
		'accounting-open': {
			table: subscribers.accounting,
			where: "session = ? AND ended_at IS NULL AND domain = 'wap' ORDER BY id",
		},
		'lease-open': {
			table: network.lease,
			where: 'address = ? AND virtual_router = ? AND ended_at IS NULL ORDER BY id DESC LIMIT 1',
		},
		minute: { table: network.minute, where: 'at = ? AND virtual_router = ?' },
	},
}
