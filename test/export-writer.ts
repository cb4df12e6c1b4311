/** Exports a journal and says each reading of it, until it is killed. */
import { writeSync } from 'node:fs'
import { openReader } from '../adapters/journal/reader.ts'
import { writeExport } from '../src/export.ts'
import type { ExportFormat } from '../src/export-settings.ts'

const [data, format, out] = process.argv.slice(2)
const reader = openReader(data!)
const told = {
	...reader,
	read(from: number, limit: number) {
		writeSync(1, `${from}\n`)
		return reader.read(from, limit)
	},
}
const settings = {
	data: data!,
	format: format as ExportFormat,
	out: out!,
	from: undefined,
	to: undefined,
}
writeExport(told, { ...settings, eventsPerPart: 100 }, () => {})
