/** Numbers and times as people read them. */

const numbers = new Intl.NumberFormat('en')
const compactNumbers = new Intl.NumberFormat('en', {
	notation: 'compact',
	maximumFractionDigits: 1,
})

export function count(value: number | null | undefined): string {
	return value === null || value === undefined ? '–' : numbers.format(value)
}

/** `1.2K`: for places that are narrow. */
export function compact(value: number): string {
	return compactNumbers.format(value)
}

const units = ['octets', 'kB', 'MB', 'GB', 'TB', 'PB'] as const

/** `1.5 MB`; what is not known is a dash. */
export function octets(value: number | null): string {
	if (value === null) return '–'
	let size = value
	let unit = 0
	// What would be rounded to 1000.0 belongs to the next unit.
	while (size >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
		size /= 1000
		unit++
	}
	return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** Local date and time to the second: `2026-11-23 14:02:00`. */
export function instant(time: string | number | null | undefined): string {
	if (time === null || time === undefined) return '–'
	const date = new Date(time)
	return `${day(date)} ${clock(date)}`
}

export function day(date: Date): string {
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

export function clock(date: Date): string {
	return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function two(value: number): string {
	return String(value).padStart(2, '0')
}

/** `3 min`, `2 h`, `5 d`. */
export function age(since: string | number, now: number = Date.now()): string {
	const seconds = Math.max(0, Math.round((now - new Date(since).getTime()) / 1000))
	if (seconds < 60) return `${seconds} s`
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
	if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`
	return `${Math.floor(seconds / 86_400)} d`
}

/** Names of an event's times, which are milliseconds. */
const timeName = /^(at|since|.*(At|Until))$/

/** The data of an event in a line: times as people read them, and what is nested as JSON. */
export function summary(data: Readonly<Record<string, unknown>>): string {
	return Object.entries(data)
		.map(([name, value]) => {
			if (typeof value === 'number' && timeName.test(name)) return `${name} ${instant(value)}`
			const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
			return `${name} ${text}`
		})
		.join(' · ')
}
