/** Processor time of a whole process, every thread of it, from Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** What one process had used at one moment. */
export type ProcessorTime = {
	/** Nanoseconds on a processor by thread id, of the threads that were alive. */
	readonly threadsNs: ReadonlyMap<string, number>
	/** Of all threads, ended ones too, but in steps of a clock tick. */
	readonly totalUs: number
}

/** USER_HZ: what /proc counts in; 100 on every architecture that Node runs on. */
const ticksPerSecond = 100
const usPerTick = 1e6 / ticksPerSecond

/** Reads a process's processor time. Throws when it has ended. */
export function readProcessorTime(pid: number): ProcessorTime {
	const threadsNs = new Map<string, number>()
	for (const thread of readdirSync(`/proc/${pid}/task`)) {
		const time = threadTimeNs(pid, thread)
		if (time !== undefined) threadsNs.set(thread, time)
	}
	const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
	// The process's name stands in parentheses and may hold spaces; utime and stime are 14 and 15.
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
	return { threadsNs, totalUs: (Number(fields[11]) + Number(fields[12])) * usPerTick }
}

/**
 * Microseconds of processor time between two readings of one process: exact to the nanosecond,
 * unless a thread ended in between and took its share along; then exact to a clock tick.
 */
export function processorUsBetween(before: ProcessorTime, after: ProcessorTime): number {
	for (const thread of before.threadsNs.keys()) {
		if (!after.threadsNs.has(thread)) return after.totalUs - before.totalUs
	}
	let ns = 0
	for (const [thread, time] of after.threadsNs) ns += time - (before.threadsNs.get(thread) ?? 0)
	return ns / 1000
}

/** Nanoseconds on a processor by name of thread, as the system knows it; threads of one name together. */
export function readThreadTimes(pid: number): ReadonlyMap<string, number> {
	const times = new Map<string, number>()
	for (const [thread, ns] of readProcessorTime(pid).threadsNs) {
		const name = threadName(pid, thread)
		if (name !== undefined) times.set(name, (times.get(name) ?? 0) + ns)
	}
	return times
}

/** Microseconds that all processors of this machine were busy (or taken by its host) since boot. */
export function readMachineBusyUs(): number {
	const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? ''
	const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number)
	const ticks = [user, nice, system, irq, softirq, steal].reduce<number>((a, b) => a + (b ?? 0), 0)
	return ticks * usPerTick
}

/** Share of all processors' time that anything but this process took, in half a second from now. */
export async function othersShare(): Promise<number> {
	const began = performance.now()
	const busyBefore = readMachineBusyUs()
	const own = process.cpuUsage()
	await sleep(500)
	const { user, system } = process.cpuUsage(own)
	const wallUs = (performance.now() - began) * 1000
	const othersUs = readMachineBusyUs() - busyBefore - user - system
	return Math.min(1, Math.max(0, othersUs / (wallUs * cpus().length)))
}

function threadName(pid: number, thread: string): string | undefined {
	try {
		return readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8').trim()
	} catch {
		return undefined
	}
}

/** undefined: the thread ended after it was listed. */
function threadTimeNs(pid: number, thread: string): number | undefined {
	try {
		// schedstat: time on the processor, time waiting for one, and the number of times it ran.
		return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
	} catch {
		return undefined
	}
}
