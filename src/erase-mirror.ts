/** `radledger erase-mirror`: takes an erased subscriber out of EventStoreDB, too. */
import { eraseStream } from '../adapters/eventstoredb/erasure.ts'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { subscriberStream } from '../domain/event.ts'
import { macAddress } from '../domain/junose/parameter.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

export const eraseMirrorUsage = `radledger erase-mirror --subscriber MAC --from URL --data DIR
  --subscriber MAC         who was erased in the journal, with "radledger erase"
  --from URL               EventStoreDB that mirrors it (or RADLEDGER_EVENTSTORE)
  --data DIR               the relay's data folder; the relay may run    RADLEDGER_DATA
  --virtual-router NAME    where the subscriber was (default)`

const deadlineMs = 10_000

export async function eraseMirrorCommand(args: readonly string[]): Promise<number> {
	const flags = readFlags(args, {
		subscriber: { type: 'string' },
		from: { type: 'string' },
		data: { type: 'string' },
		'virtual-router': { type: 'string', default: 'default' },
	}) as Readonly<Record<string, string | undefined>>
	const url = flags['from'] ?? process.env['RADLEDGER_EVENTSTORE']
	const mac = macAddress.read(flags['subscriber'] ?? '')
	if (url === undefined || !('value' in mac)) {
		throw new UsageError(`--subscriber and --from must be given.\n${eraseMirrorUsage}`)
	}
	const stream = subscriberStream(flags['virtual-router']!, mac.value)
	const reader = openReader(dataFolder(flags['data'], process.env))
	const target = openTarget(url, deadlineMs)
	try {
		const own = { journal: reader.id, durable: reader.last, read: reader.readStored }
		const { events, left } = await eraseStream(target, own, stream)
		console.log(
			`${events} events of ${stream} in EventStoreDB at ${target.name} were replaced by their erased form.`,
		)
		console.log(
			'Not reached: the first form stays in the files of its nodes, and can be read in $all, until each node has been scavenged; the stream keeps its newest event and its name, which the checkpoints of the mirror have, too; backups, and copies that others have made from there, keep it.',
		)
		if (left > 0) {
			console.log(
				`${left} events of ${stream} stay: in the journal they are not erased, or came after the erasure.`,
			)
		}
		return 0
	} finally {
		await target.reset()
		reader.close()
	}
}
