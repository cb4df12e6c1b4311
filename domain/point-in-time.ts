/** Points in time as people write them. */

const unitMs: Readonly<Record<string, number>> = {
	s: 1_000,
	m: 60_000,
	h: 3_600_000,
	d: 86_400_000,
	w: 7 * 86_400_000,
}
const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/** What `parsePointInTime` understands, for messages. */
export const pointInTimeForms =
	'2027-01-05T14:02:00Z, 2027-01-05 14:02 (local time), 14:02 (today), tuesday 14:02 (the last one), -2h or now'

/**
 * Milliseconds since 1970; undefined where the text is no time. Without a zone it is local time.
 * ISO 8601 with a date alone is the beginning of that day.
 */
export function parsePointInTime(text: string, now: number): number | undefined {
	const trimmed = text.trim().toLowerCase()
	if (trimmed === 'now') return now
	const ago = /^-(\d{1,9}(?:\.\d{1,3})?)([smhdw])$/.exec(trimmed)
	if (ago !== null) return Math.round(now - Number(ago[1]) * unitMs[ago[2]!]!)
	const zoned = /^\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)$/.exec(
		trimmed,
	)
	if (zoned !== null) return validMs(new Date(trimmed.toUpperCase().replace(' ', 'T')).getTime())
	return localTime(trimmed, now)
}

const clock = '(\\d\\d?):(\\d\\d)(?::(\\d\\d)(?:\\.(\\d{1,3})\\d*)?)?'
const dated = new RegExp(`^(\\d{4})-(\\d\\d)-(\\d\\d)(?:[t ]${clock})?$`)
const timed = new RegExp(`^(?:([a-z]+)(?: at)? )?${clock}$`)

function localTime(text: string, now: number): number | undefined {
	const date = dated.exec(text)
	if (date !== null) {
		const [, year, month, day, ...time] = date
		return atLocal(Number(year), Number(month) - 1, Number(day), time)
	}
	const time = timed.exec(text)
	if (time === null) return undefined
	const [, word, ...clockParts] = time
	const today = new Date(now)
	const daysAgo = word === undefined ? 0 : daysSince(word, today.getDay())
	if (daysAgo === undefined) return undefined
	const on = (ago: number) =>
		atLocal(today.getFullYear(), today.getMonth(), today.getDate() - ago, clockParts)
	const found = on(daysAgo)
	// "tuesday 14:02", said on a Tuesday morning, was a week ago.
	return found !== undefined && found > now && word !== undefined ? on(daysAgo + 7) : found
}

function daysSince(word: string, today: number): number | undefined {
	if (word === 'today') return 0
	if (word === 'yesterday') return 1
	const weekday = weekdays.findIndex(name => name === word || name.slice(0, 3) === word)
	return weekday === -1 ? undefined : (today - weekday + 7) % 7
}

/** `day` may be 0 or less: that many days before the month. */
function atLocal(
	year: number,
	month: number,
	day: number,
	[hour = '0', minute = '0', second = '0', fraction = '0']: readonly (string | undefined)[],
): number | undefined {
	const [h, m, s] = [Number(hour), Number(minute), Number(second)]
	if (h > 23 || m > 59 || s > 59 || month > 11 || day > 31) return undefined
	const date = new Date(year, month, day, h, m, s, Number(fraction.padEnd(3, '0')))
	// 31 February would be a day in March.
	if (day >= 1 && date.getDate() !== day) return undefined
	return validMs(date.getTime())
}

function validMs(ms: number): number | undefined {
	return Number.isNaN(ms) ? undefined : ms
}

/** `2027-01-05 14:02:00.123 UTC`; milliseconds only where there are any. */
export function pointInTimeText(ms: number): string {
	const iso = new Date(ms).toISOString()
	return `${iso.slice(0, 10)} ${ms % 1000 === 0 ? iso.slice(11, 19) : iso.slice(11, 23)} UTC`
}
