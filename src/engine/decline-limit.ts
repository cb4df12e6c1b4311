/**
 * How often a client may decline: each DHCPDECLINE takes an address out of use for a day
 * (RFC 2131 §4.3.3), so that one client could empty a pool by itself. RFC 2131 has no number.
 * Not part of the folded state: after a restart everybody may decline so often again.
 */
import { declineHoldMs } from '../../domain/lease-message.ts'

/** Who finds more addresses in use than this in a day has a network that a person must look at. */
export const declinesPerClient = 5
/** Clients that are remembered; beyond that whoever declined least recently is forgotten. */
export const declinersRemembered = 10_000

/** By MAC, in the order of the latest DHCPDECLINE: when they came, in monotonic milliseconds. */
export type Declines = Map<string, readonly number[]>

/** Whether a client's DHCPDECLINE is heeded at the time `now`; notes it where it is. */
export function mayDecline(declines: Declines, mac: string, now: number): boolean {
	const isOver = (at: number) => now - at >= declineHoldMs
	const before = (declines.get(mac) ?? []).filter(at => !isOver(at))
	if (before.length >= declinesPerClient) return false
	declines.delete(mac)
	for (const [oldest, times] of declines) {
		if (declines.size < declinersRemembered && !isOver(times.at(-1)!)) break
		declines.delete(oldest)
	}
	declines.set(mac, [...before, now])
	return true
}
