/**
 * The section of the README that the bench writes, as plain data: made from a run, read from a README,
 * and both put together where a run measured some of the parts only.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { caseTitle, steadyCases, windowCases } from './results.ts'

export type Section = {
	readonly targets: readonly TargetRow[]
	/** Tables by name, in the order of `tableNames`. */
	readonly tables: ReadonlyMap<string, Table>
	/** By name for `--only`. */
	readonly parts: ReadonlyMap<string, PartRun>
	/** The machine, and what ran on it. */
	readonly conditions: string
}

export type TargetRow = {
	readonly text: string
	readonly measured: string
	readonly verdict: string
	/** The part that it is about; unknown in a README. */
	readonly part?: string
}

export type PartRun = {
	/** YYYY-MM-DD */
	readonly date: string
	/** Percentage of all processors' time that other programs took meanwhile. */
	readonly others: number
}

export type Table = {
	readonly heads: readonly string[]
	/** From this column on cells are numbers. */
	readonly numbersFrom: number
	readonly rows: readonly (readonly string[])[]
}

/** Tables with rows of several cases, each of which begins with the case's title. */
export const caseTables = ['relays', 'unsealed', 'logging'] as const
export const tableNames = [
	...caseTables,
	'threads',
	'dhcp',
	'src',
	'scale',
	'views',
	'http',
	'page',
	'journal',
	'verify',
	'eventstore',
	'feed',
] as const
export type TableName = (typeof tableNames)[number]

const beginMarker = '<!-- bench -->'
const endMarker = '<!-- /bench -->'
/** Less than this is what an idle machine does. */
const worthTelling = 3
const cases = [...windowCases, ...steadyCases]

/** The Markdown. `marked`: with the comments by which `readSection` finds the tables again. */
export function sectionText(section: Section, marked: boolean): string {
	const targets = tableText({
		heads: ['Target (radledger with its journal on)', 'Measured', ''],
		numbersFrom: 3,
		rows: section.targets.map(({ text, measured, verdict }) => [text, measured, verdict]),
	})
	const tables = tableNames.flatMap(name => {
		const table = section.tables.get(name)
		if (table === undefined) return []
		return [marked ? `<!-- bench: ${name} -->\n${tableText(table)}` : tableText(table)]
	})
	return [targets, ...tables, conditionsText(section)].join('\n\n')
}

function conditionsText({ parts, conditions, tables }: Section): string {
	const dates = [...new Set([...parts.values()].map(({ date }) => date))].sort().reverse()
	const measured = dates.map(date => {
		const names = [...parts].flatMap(([name, run]) => {
			if (run.date !== date) return []
			return [run.others < worthTelling ? name : `${name} (meanwhile ${run.others} %)`]
		})
		return `${date} ${names.join(', ')}`
	})
	const lines = [`Measured: ${measured.join('; ')}.`, `On ${conditions}.`]
	if ([...parts.values()].some(({ others }) => others >= worthTelling)) {
		lines.push(
			"Meanwhile: so much of the processors' time went to other programs, measured under the relays' loads and right before everything else.",
		)
	}
	if (tables.has('relays')) {
		lines.push(
			'Load generator, relay and home server share the machine, over loopback.',
			'The relays take turns, round by round: figures are medians; ratios are medians (and ranges) of the ratios within a round.',
			'CPU is that of the whole relay process, with what it puts off until after the load.',
		)
	}
	return lines.join('\n')
}

/**
 * Puts the run's section between the README's markers; what it did not measure stays as it was there.
 * Throws where there are no markers, or where what would stay is of other conditions.
 */
export function writeReadme(path: string, section: Section): void {
	const { readme, begin, end } = placeIn(path)
	const text = sectionText(together(readSection(readme.slice(begin, end)), section), true)
	writeFileSync(path, `${readme.slice(0, begin)}\n${text}\n${readme.slice(end)}`)
}

/** Throws where `writeReadme` would, but for what the run measures (`parts`). */
export function checkReadme(path: string, conditions: string, parts: readonly string[]): void {
	const { readme, begin, end } = placeIn(path)
	checkConditions(readSection(readme.slice(begin, end)), conditions, parts)
}

function checkConditions(old: Section, conditions: string, parts: readonly string[]): void {
	const kept = [...old.parts.keys()].filter(name => !parts.includes(name))
	const present = conditions.split(/[,;] /)
	// A peer that is there now and was not then has changed nothing.
	const same = old.conditions.split(/[,;] /).every(each => present.includes(each))
	if (kept.length === 0 || same) return
	throw new Error(
		`What the README has of ${kept.join(', ')} was measured on ${old.conditions}. Here it is ${conditions}. Measure all of it in one run with --write-readme.`,
	)
}

function placeIn(path: string) {
	const readme = readFileSync(path, 'utf8')
	const begin = readme.indexOf(beginMarker)
	const end = readme.indexOf(endMarker)
	if (begin >= 0 && end > begin) return { readme, begin: begin + beginMarker.length, end }
	throw new Error(
		`${path} has no place for the table: put the lines ${beginMarker} and ${endMarker} where it belongs.`,
	)
}

/** `next`, and what is in `old` of parts that `next` does not have. */
export function together(old: Section, next: Section): Section {
	checkConditions(old, next.conditions, [...next.parts.keys()])
	const targets = next.targets.map(row => {
		if (row.part !== undefined && next.parts.has(row.part)) return row
		return old.targets.find(({ text }) => text === row.text) ?? row
	})
	const tables = new Map([...old.tables, ...next.tables])
	for (const name of caseTables) {
		const rows = casesTogether(old.tables.get(name), next.tables.get(name), next.parts)
		const table = next.tables.get(name) ?? old.tables.get(name)
		if (table !== undefined) tables.set(name, { ...table, rows })
	}
	const parts = new Map([...old.parts, ...next.parts])
	return { targets, tables, parts, conditions: next.conditions }
}

function casesTogether(
	old: Table | undefined,
	next: Table | undefined,
	measured: ReadonlyMap<string, PartRun>,
) {
	return cases.flatMap(of => {
		const table = measured.has(of.name) ? next : old
		return table?.rows.filter(([title]) => title === caseTitle(of)) ?? []
	})
}

/** Reads what `sectionText` wrote. What is not there is missing, not an error. */
export function readSection(text: string): Section {
	const blocks = text.trim().split(/\n\n+/)
	const tables = new Map<string, Table>()
	for (const block of blocks) {
		const [marker = '', ...lines] = block.split('\n')
		const name = /^<!-- bench: (\S+) -->$/.exec(marker)?.[1]
		if (name !== undefined) tables.set(name, readTable(lines))
	}
	const targets = readTable((blocks[0] ?? '').split('\n')).rows.map(
		([target = '', measured = '', verdict = '']) => ({ text: target, measured, verdict }),
	)
	const measured = /^Measured: (.*)\.$/m.exec(text)?.[1] ?? ''
	const conditions = /^On (.*)\.$/m.exec(text)?.[1] ?? ''
	return { targets, tables, parts: readParts(measured), conditions }
}

function readParts(text: string): Map<string, PartRun> {
	const parts = new Map<string, PartRun>()
	for (const day of text.split('; ')) {
		const [, date, names] = /^(\d{4}-\d\d-\d\d) (.*)$/.exec(day) ?? []
		if (date === undefined || names === undefined) continue
		for (const each of names.split(', ')) {
			const [, name, others] = /^(\S+)(?: \(meanwhile (\d+) %\))?$/.exec(each) ?? []
			if (name !== undefined) parts.set(name, { date, others: Number(others ?? 0) })
		}
	}
	return parts
}

function readTable([head = '', rule = '', ...rows]: readonly string[]): Table {
	const cells = (line: string) => line.split('|').slice(1, -1)
	const trimmed = (line: string) => cells(line).map(cell => cell.trim())
	const firstNumber = trimmed(rule).findIndex(cell => cell.endsWith(':'))
	const heads = trimmed(head)
	return {
		heads,
		numbersFrom: firstNumber < 0 ? heads.length : firstNumber,
		rows: rows.filter(row => row.startsWith('|')).map(trimmed),
	}
}

/** A Markdown table with its columns aligned, numbers to the right. */
function tableText({ heads, rows, numbersFrom }: Table): string {
	const widths = heads.map((head, i) =>
		Math.max(3, head.length, ...rows.map(row => row[i]?.length ?? 0)),
	)
	const line = (cells: readonly string[]) =>
		`| ${widths.map((width, i) => (i < numbersFrom ? (cells[i] ?? '').padEnd(width) : (cells[i] ?? '').padStart(width))).join(' | ')} |`
	const rule = widths.map((width, i) =>
		i < numbersFrom ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
	)
	return [line(heads), line(rule), ...rows.map(line)].join('\n')
}
