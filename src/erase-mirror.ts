/** `radledger erase-mirror`: takes an erased subscriber out of EventStoreDB, too. */
import { setTimeout } from 'node:timers/promises'
import { checkpointPosition } from '../adapters/eventstoredb/checkpoint.ts'
import { eraseShared, eraseStream } from '../adapters/eventstoredb/erasure.ts'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { erasedPositions } from '../adapters/journal/erasure.ts'
import { openDurably } from '../adapters/journal/reader.ts'
import { counted } from '../domain/count-text.ts'
import { subscriberStream, wapStream } from '../domain/event.ts'
import { macAddress } from '../domain/junose/parameter.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

export const eraseMirrorUsage = `radledger erase-mirror --subscriber MAC --from URL --data DIR
  --subscriber MAC         who was erased in the journal, with "radledger erase"
  --from URL               EventStoreDB that mirrors it (or RADLEDGER_EVENTSTORE)
  --data DIR               the relay's data folder; the relay may run    RADLEDGER_DATA
  --virtual-router NAME    where the subscriber was (default)`

const deadlineMs = 10_000
/** A mirror that follows tells every two seconds how far it has come: more than twice that is waited. */
const checkpointWaitMs = 5_000
const checkpointPauseMs = 200

const notReached = [
	'Not reached:',
	' - The first forms in the files of the nodes, and in $all, until each node has been scavenged.',
	" - The stream's name, which has the MAC: EventStoreDB keeps the names of all streams.",
	' - What erase itself could not reach, such as addresses of pools in lease events.',
	' - Backups of the nodes, and copies that others have made from there.',
]

export async function eraseMirrorCommand(args: readonly string[]): Promise<number> {
	const flags = readFlags(args, {
		subscriber: { type: 'string' },
		from: { type: 'string' },
		data: { type: 'string' },
		'virtual-router': { type: 'string', default: 'default' },
	}) as Readonly<Record<string, string | undefined>>
	const url = flags['from'] ?? process.env['RADLEDGER_EVENTSTORE']
	const mac = macAddress.read(flags['subscriber'] ?? '')
	if (url === undefined || flags['subscriber'] === undefined) {
		throw new UsageError(`--subscriber and --from must be given.\n${eraseMirrorUsage}`)
	}
	if (!('value' in mac)) {
		throw new UsageError(`--subscriber cannot be "${flags['subscriber']}". ${mac.why}`)
	}
	const router = flags['virtual-router']!
	// An access point may have been a subscriber itself.
	const streams = [subscriberStream(router, mac.value), wapStream(router, mac.value)]
	const folder = dataFolder(flags['data'], process.env)
	const reader = openDurably(folder)
	const target = openTarget(url, deadlineMs)
	try {
		const own = { journal: reader.id, durable: reader.last, read: reader.readStored }
		const positions = erasedPositions(folder, reader.id)
		const newest = positions.at(-1) ?? 0
		// Up to where the mirror is known to be complete.
		const complete = await awaitPosition(
			() => checkpointPosition(target, reader.id),
			newest,
			setTimeout,
			() => performance.now(),
		)
		let stays = 0
		for (const stream of streams) {
			const { events, left } = await eraseStream(target, own, stream)
			if (stream === streams[0]) {
				// Not before the database has answered.
				console.log(`Replaced by the erased form in EventStoreDB at ${target.name}:`)
				stays = left
			}
			if (stream === streams[0] || events > 0) {
				console.log(` - ${counted(events, 'event')} of ${stream}`)
			}
		}
		const { events, stay } = await eraseShared(target, own, positions)
		console.log(` - ${counted(events, 'event')} outside the streams of subscribers`)
		if (stays > 0) {
			console.log(
				`Left in ${streams[0]}: ${counted(stays, 'event')}, not erased in the journal, or younger than the erasure.`,
			)
		}
		if (complete < newest) {
			console.log(
				`The mirror is known to have come to position ${complete}, and the erasure reaches to ${newest}: run this once more when "show radius relay mirrors" says that it has.`,
			)
		}
		for (const line of [...notReached, ...stay.map(sentence => ` - ${sentence}`)]) console.log(line)
		return 0
	} finally {
		await target.reset()
		reader.close()
	}
}

/**
 * The position that `tell` gives once it has reached `wanted`, or the newest after some seconds: what a
 * mirror ships after it was looked at could still be the first forms. `pause` and `now` in milliseconds.
 */
export async function awaitPosition(
	tell: () => Promise<number>,
	wanted: number,
	pause: (ms: number) => Promise<unknown>,
	now: () => number,
): Promise<number> {
	const until = now() + checkpointWaitMs
	for (;;) {
		const position = await tell()
		if (position >= wanted || now() >= until) return position
		await pause(checkpointPauseMs)
	}
}
