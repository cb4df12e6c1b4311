/** Settings of `radledger export`. */
import { dataFolder, readFlags, UsageError } from './settings.ts'

export const exportFormats = ['ndjson', 'csv', 'parquet'] as const
export type ExportFormat = (typeof exportFormats)[number]

export type ExportSettings = {
	readonly data: string
	readonly format: ExportFormat
	readonly out: string
	/** Positions of the first and the last event; undefined: of the journal, when it begins. */
	readonly from: number | undefined
	readonly to: number | undefined
	/** Fewer events than usual between places to go on from, for tests. */
	readonly eventsPerPart?: number
}

export const exportUsage = `radledger export --data DIR --format FORMAT --out FILE
  --data DIR           the data folder of a relay, running or not, or a copy   RADLEDGER_DATA
  --format FORMAT      ndjson (an event a line, as recorded), csv or parquet (columns)
  --out FILE           must not exist; until it is whole there is only FILE.part
  --from-position P    the first event (1)
  --to-position P      the last event (the newest when the export begins)
The same command goes on with an export that was interrupted.`

export function exportSettings(
	args: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
): ExportSettings {
	const flags = readFlags(args, {
		data: { type: 'string' },
		format: { type: 'string' },
		out: { type: 'string' },
		'from-position': { type: 'string' },
		'to-position': { type: 'string' },
	})
	const format = exportFormats.find(name => name === flags['format'])
	if (format === undefined) {
		throw new UsageError(`--format must be one of ${exportFormats.join(', ')}.\n${exportUsage}`)
	}
	if (typeof flags['out'] !== 'string' || flags['out'] === '') {
		throw new UsageError(`--out must name the file to write.\n${exportUsage}`)
	}
	const from = readPosition('from-position', flags['from-position'])
	const to = readPosition('to-position', flags['to-position'])
	if (from !== undefined && to !== undefined && from > to) {
		throw new UsageError('--from-position is behind --to-position: exchange them.')
	}
	return { data: dataFolder(flags['data'], environment), format, out: flags['out'], from, to }
}

function readPosition(name: string, value: unknown): number | undefined {
	if (value === undefined) return undefined
	const position = Number(value)
	if (Number.isSafeInteger(position) && position >= 1) return position
	throw new UsageError(`--${name} must be a position, which is a number from 1 on.`)
}
