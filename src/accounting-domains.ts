/** `show radius relay accounting-domains`: where what it prints is taken from. */
import { setImmediate } from 'node:timers/promises'
import type { ViewReader } from '../adapters/views/reader.ts'
import { subscriberStream } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import {
	type AccountingRowFacts,
	foldAccounting,
	newSubscriberAccounting,
} from '../projections/accounting-domains.ts'
import {
	accountingDomainsList,
	accountingDomainsText,
	listedSessions,
} from '../projections/accounting-domains-text.ts'
import { noViews } from './views.ts'

export type AccountingSources = {
	readonly journal: JournalReader
	/** The read models: undefined where none are kept, and gives that while there are none. */
	readonly viewReader: (() => ViewReader | undefined) | undefined
	/** Milliseconds since 1970. */
	readonly now: number
}

/** So many events of a subscriber are read before packets have their turn. */
const eventsAtOnce = 512

/** By the table's key, so that it takes no longer with years of sessions. */
const newestAccounting =
	'SELECT * FROM accounting WHERE virtual_router = ? ORDER BY id DESC LIMIT ?'

/** Lines about one subscriber, folded from the journal, or about the newest sessions of all. */
export async function showAccountingDomains(
	{ journal, viewReader, now }: AccountingSources,
	virtualRouter: string,
	mac: string | undefined,
): Promise<string[]> {
	if (mac === undefined) {
		if (viewReader === undefined) return [`% ${noViews} Or name one subscriber with "mac".`]
		const rows = viewReader()?.query(newestAccounting, virtualRouter, listedSessions)
		if (rows !== undefined) return accountingDomainsList(rows as AccountingRowFacts[], now)
		return ['% The read models are not there yet: name one subscriber with "mac", or wait.']
	}
	const stream = subscriberStream(virtualRouter, mac)
	const accounting = newSubscriberAccounting()
	for (let from = 1; ; ) {
		const events = journal.readStream(stream, from, eventsAtOnce)
		for (const event of events) foldAccounting(accounting, event)
		if (events.length < eventsAtOnce) return accountingDomainsText(mac, accounting, now)
		from = events.at(-1)!.position + 1
		await setImmediate()
	}
}
