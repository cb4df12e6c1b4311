/** Time of day and day of the week in a time zone: what `match time` compares with. */

/** Monday is 0; `minute` counts from midnight of the zone's own clock. */
export type WeekTime = { readonly day: number; readonly minute: number }
export type WeekClock = (nowMs: number) => WeekTime

/** `from` and `until` in minutes from midnight; `until` may be below `from`: over midnight. */
export type TimeWindow = {
	/** Seven flags from Monday on: the day on which the window opens. */
	readonly days: readonly boolean[]
	readonly from: number
	readonly until: number
}

const dayNames: readonly string[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const minuteMs = 60_000
const dayMinutes = 24 * 60

/** The clock of an IANA time zone, or undefined where there is none of that name. */
export function weekClock(zone: string): WeekClock | undefined {
	if (zone === 'UTC') return utcClock
	let format: Intl.DateTimeFormat
	try {
		format = new Intl.DateTimeFormat('en-GB', {
			timeZone: zone,
			weekday: 'short',
			hour: '2-digit',
			minute: '2-digit',
			hourCycle: 'h23',
		})
	} catch {
		return undefined
	}
	return nowMs => {
		let day = 0
		let hour = 0
		let minute = 0
		for (const { type, value } of format.formatToParts(nowMs)) {
			if (type === 'weekday') day = dayNames.indexOf(value)
			else if (type === 'hour') hour = Number(value)
			else if (type === 'minute') minute = Number(value)
		}
		return { day, minute: hour * 60 + minute }
	}
}

export function utcClock(nowMs: number): WeekTime {
	const minutes = Math.floor(nowMs / minuteMs)
	// 1970-01-01 was a Thursday.
	return { day: (Math.floor(minutes / dayMinutes) + 3) % 7, minute: minutes % dayMinutes }
}

export function isOpen(window: TimeWindow, { day, minute }: WeekTime): boolean {
	const { days, from, until } = window
	if (from < until) return days[day]! && minute >= from && minute < until
	const yesterday = (day + 6) % 7
	return (days[day]! && minute >= from) || (days[yesterday]! && minute < until)
}
