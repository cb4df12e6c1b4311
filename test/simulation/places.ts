/**
 * Where subscribers are, by the facts that the journal has of them, and by nothing that the relay makes
 * of these: who was accepted or has begun to be accounted for at an access point is there.
 */
import { type NewEvent, virtualRouterOf } from '../../domain/event.ts'
import type { AccessPoint } from './access-points.ts'

/** A subscriber who is on the network. The object is the same one for as long as the session lasts. */
export type Place = {
	readonly mac: string
	/** The access point's MAC. */
	wap: string
	user: string | undefined
	/** Acct-Session-Id, and the access point that has given it. */
	name: string | undefined
	namedBy: string | undefined
}

/** By virtual router and MAC. */
export type Places = Map<string, Place>

export function placeKey(router: string, mac: string): string {
	return `${router} ${mac}`
}

/** As events name an access point: its Called-Station-Id without the SSID. */
export function wapOf({ station }: AccessPoint): string {
	return station.slice(0, 17)
}

export function foldPlace(places: Places, event: NewEvent): void {
	switch (event.type) {
		case 'AccessAccepted': {
			const place = enter(places, event)
			place.wap = event.data.wap
			place.user ??= event.data.user
			return
		}
		case 'AccountingStarted': {
			if (event.data.late) return
			const place = enter(places, event)
			place.wap = event.data.wap
			place.user ??= event.data.user
			name(place, event.data)
			return
		}
		case 'AccountingUpdated': {
			const { mac, wap } = event.data
			const place = places.get(placeKey(virtualRouterOf(event.stream), mac))
			// What an access point says that was left behind names nothing; a first name stays.
			if (place?.wap === wap && place.namedBy !== wap) name(place, event.data)
			return
		}
		case 'SubscriberTerminated':
			places.delete(placeKey(virtualRouterOf(event.stream), event.data.mac))
			return
		default:
			return
	}
}

type Present = Extract<NewEvent, { type: 'AccessAccepted' | 'AccountingStarted' }>

function enter(places: Places, { stream, data }: Present): Place {
	const key = placeKey(virtualRouterOf(stream), data.mac)
	const there = places.get(key)
	if (there !== undefined) return there
	const { mac, wap } = data
	const made = { mac, wap, user: undefined, name: undefined, namedBy: undefined }
	places.set(key, made)
	return made
}

function name(place: Place, { session, wap }: { session?: string; wap: string }): void {
	place.name = session
	place.namedBy = wap
}

/** Who is known by an Acct-Session-Id: access points of the simulation give none twice. */
export function placeNamed(places: Places, router: string, session: string): Place | undefined {
	for (const [key, place] of places) {
		if (place.name === session && key.startsWith(`${router} `)) return place
	}
	return undefined
}
