/** Events as rows of columns, for tables outside: what the CSV and Parquet exports have. */
import { type RecordedEvent, virtualRouterOf } from '../domain/event.ts'

export type ExportColumn = {
	readonly name: string
	readonly type: 'INT64' | 'INT32' | 'TIMESTAMP' | 'STRING' | 'JSON'
	readonly doc: string
	readonly value: (event: RecordedEvent) => number | string | null
}

type Fields = { readonly [field: string]: unknown }

function field(event: RecordedEvent, ...names: readonly string[]): string | null {
	const data = event.data as Fields
	for (const name of names) {
		const value = data[name]
		if (typeof value === 'string') return value
	}
	return null
}

export const exportColumns: readonly ExportColumn[] = [
	{
		name: 'position',
		type: 'INT64',
		doc: 'Position in the journal: without gaps, from 1 on.',
		value: ({ position }) => position,
	},
	{
		name: 'recorded_at',
		type: 'TIMESTAMP',
		doc: 'Time: in CSV milliseconds since 1970-01-01 UTC, in Parquet a timestamp (UTC).',
		value: ({ at }) => at,
	},
	{ name: 'type', type: 'STRING', doc: 'Type of the event.', value: ({ type }) => type },
	{ name: 'v', type: 'INT32', doc: 'Version of the type.', value: ({ v }) => v },
	{ name: 'stream', type: 'STRING', doc: 'Stream.', value: ({ stream }) => stream },
	{
		name: 'virtual_router',
		type: 'STRING',
		doc: 'Virtual router.',
		value: ({ stream }) => virtualRouterOf(stream),
	},
	{
		name: 'mac',
		type: 'STRING',
		doc: "The subscriber's MAC address, for every event about one.",
		value: event =>
			event.stream.startsWith('subscriber-')
				? event.stream.slice(event.stream.lastIndexOf('.') + 1)
				: field(event, 'mac'),
	},
	{ name: 'user', type: 'STRING', doc: 'User-Name.', value: event => field(event, 'user') },
	{ name: 'wap', type: 'STRING', doc: 'WAP.', value: event => field(event, 'wap') },
	{
		name: 'address',
		type: 'STRING',
		doc: 'IPv4 address: leased, else Framed-IP-Address.',
		value: event => field(event, 'address', 'framedAddress'),
	},
	{
		name: 'exchange',
		type: 'INT64',
		doc: 'Of an answer: position of its request.',
		value: ({ data }) => ('exchange' in data ? data.exchange : null),
	},
	{
		name: 'data',
		type: 'JSON',
		doc: 'All that the event says, as JSON.',
		value: ({ data }) => JSON.stringify(data),
	},
]
