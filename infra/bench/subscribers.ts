/** A journal of many subscribers who are on the network and have an address. */
import { openJournal } from '../../adapters/journal/journal.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { type NewEvent, subscriberStream } from '../../domain/event.ts'

const perAccessPoint = 50
const perBatch = 512
/** 10.0.0.0/12 has 2^20 addresses; the first of them is the pool's network, the second its router. */
const firstAddress = 0x0a00_0002
const leaseSeconds = 86_400

/**
 * Writes what `count` (at most 1,048,573) subscribers did to get here: authentication, accounting,
 * and an address each out of the pool `campus`, as a relay in equal-access mode records it.
 */
export function writeSubscribers(folder: string, count: number): void {
	const journal = openJournal({ folder })
	const begin = Date.now() - 60_000
	let batch: NewEvent[] = []
	try {
		for (let n = 0; n < count; n++) {
			const position = journal.last() + batch.length + 1
			batch.push(...subscriber(n, position, begin + Math.floor((n * 50_000) / count)))
			if (batch.length < perBatch) continue
			journal.append(batch)
			batch = []
		}
		journal.append(batch)
	} finally {
		journal.close()
	}
}

function macText(first: number, n: number): string {
	const digits = ((first << 16) * 0x100_0000 + n).toString(16).toUpperCase().padStart(12, '0')
	return digits.match(/../g)!.join('-')
}

/** The events of one subscriber; `exchange` is the position of the first. */
function subscriber(n: number, exchange: number, at: number): NewEvent[] {
	const mac = macText(2, n)
	const stream = subscriberStream('default', mac)
	const wap = macText(0x0a, Math.floor(n / perAccessPoint))
	const client = formatIpv4(0xc0a8_0001 + Math.floor(n / perAccessPoint / 20))
	const place = { client, mac, wap, ssid: 'campus' }
	const user = `user${n}@example.org`
	const session = (0x6000_0000 + n).toString(16).toUpperCase()
	const accounting = { ...place, user, nasAddress: client, nasIdentifier: `ap-${wap}`, session }
	const name = { mac, client: `id:01${mac.replaceAll('-', '').toLowerCase()}`, pool: 'campus' }
	const leased = {
		...{ ...name, address: formatIpv4(firstAddress + n), leaseSeconds, session: true as const },
		...{ interface: 'lo', giaddr: '10.0.0.1', hostname: `laptop-${n}` },
	}
	const answered = { server: '192.0.2.1', roundTripUs: 900 }
	return [
		{ stream, type: 'AccessRequested', v: 1, at, data: { ...place, user, server: '192.0.2.1' } },
		{
			...{ stream, type: 'AccessAccepted', v: 1, at },
			data: { ...place, ...answered, exchange, user, class: 'staff', serviceBundle: 'gold' },
		},
		{
			...{ stream, type: 'AccountingStarted', v: 1, at },
			data: { ...accounting, server: '192.0.2.1' },
		},
		{
			...{ stream, type: 'AccountingAnswered', v: 1, at },
			data: { client, ...answered, exchange: exchange + 2, status: 'start' },
		},
		{
			...{ stream, type: 'PoolSelected', v: 1, at },
			data: { ...name, by: 'giaddr', reason: "The relay agent's address is in its network." },
		},
		{ stream, type: 'LeaseOffered', v: 1, at, data: { ...leased, expiresAt: at + 60_000 } },
		{
			...{ stream, type: 'LeaseGranted', v: 1, at },
			data: { ...leased, expiresAt: at + leaseSeconds * 1000 },
		},
	]
}

if (import.meta.main) {
	const [folder, count] = process.argv.slice(2)
	if (folder === undefined || !(Number(count) <= 1_048_573)) {
		throw new Error('usage: subscribers.ts FOLDER COUNT')
	}
	writeSubscribers(folder, Number(count))
}
