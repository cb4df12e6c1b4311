/** RADIUS servers behind the relay: they answer, refuse, challenge, or stay silent for a while. */
import { verifyAccountingRequest } from '../../domain/radius/authenticator.ts'
import { answerPacket, attributesOf, key, type TestAttribute, u32 } from '../simulated-relay.ts'
import { places, secrets } from './configuration.ts'
import { type Datagram, send } from './network.ts'
import { after, breaks, count, ip, type World } from './world.ts'

export type HomeServer = {
	readonly address: number
	/** `fails`: answers with what is none. */
	mode: 'answers' | 'silent' | 'slow' | 'fails'
	/** Rounds that EAP conversations still take, by State. */
	readonly conversations: Map<string, number>
	/** RFC 5080 §2.2.2: repeats get the same answer, whose request is known by its authenticator. */
	readonly answers: Map<string, Uint8Array>
	states: number
}

const homeKey = key(secrets.home)
const answersKept = 256

export function createHomeServers(): HomeServer[] {
	return [...places.homes, places.branchHome, places.cableHome].map(address => ({
		address: ip(address),
		mode: 'answers',
		conversations: new Map(),
		answers: new Map(),
		states: 0,
	}))
}

export function openHomeServers(world: World): void {
	for (const server of world.homeServers) {
		world.network.hosts.set(server.address, datagram => hears(world, server, datagram))
	}
}

/** Another mode from now on, mostly for a short time. */
export function changeMode(world: World, server: HomeServer, mode?: HomeServer['mode']): void {
	const { chance } = world
	server.mode = mode ?? chance.pick(['answers', 'answers', 'silent', 'slow', 'fails'] as const)
	count(world, `home server ${server.mode}`)
	after(world, chance.within(1000, 60_000), 'home server recovers', () => {
		server.mode = 'answers'
	})
}

function hears(world: World, server: HomeServer, datagram: Datagram): void {
	const { chance } = world
	if (server.mode === 'silent') return
	const { bytes } = datagram
	const known = `${datagram.fromPort} ${hex(bytes.subarray(0, 20))}`
	const answer = server.answers.get(known) ?? answerTo(world, server, bytes)
	server.answers.set(known, answer)
	if (server.answers.size > answersKept) {
		server.answers.delete(server.answers.keys().next().value!)
	}
	const ms = server.mode === 'slow' ? chance.within(500, 6000) : chance.within(0.1, 20)
	after(world, ms, 'home server answers', () => {
		const { from, fromPort, to, toPort } = datagram
		const octets = server.mode === 'fails' ? spoilt(world, answer) : answer
		send(world, { from: to, fromPort: toPort, to: from, toPort: fromPort, bytes: octets, link: 0 })
	})
}

function hex(bytes: Uint8Array): string {
	return Array.from(bytes, octet => octet.toString(16)).join(' ')
}

function spoilt({ chance }: World, bytes: Uint8Array): Uint8Array {
	const changed = bytes.slice()
	changed[chance.between(0, bytes.length - 1)]! ^= 1 << chance.between(0, 7)
	return changed
}

function answerTo(world: World, server: HomeServer, request: Uint8Array): Uint8Array {
	switch (request[0]) {
		case 1:
			return accessAnswer(world, server, request)
		case 4:
			if (!verifyAccountingRequest(request.slice(), request.length, homeKey)) {
				breaks(world, 'An Accounting-Request was forwarded that a home server cannot verify.')
			}
			return answerPacket(request, { code: 5, secret: secrets.home })
		default:
			// Status-Server (RFC 5997 §3).
			return answerPacket(request, { code: 2, secret: secrets.home })
	}
}

function accessAnswer(world: World, server: HomeServer, request: Uint8Array): Uint8Array {
	const { chance } = world
	const attributes = attributesOf(request)
	const named = attributes.find(([type]) => type === 24)?.[1]
	const state = named === undefined ? undefined : hex(named)
	const rounds = state === undefined ? undefined : server.conversations.get(state)
	if (state !== undefined) server.conversations.delete(state)
	// A conversation that another server began cannot be gone on with.
	if (state !== undefined && rounds === undefined) return reject(request)
	const left = rounds ?? (chance.happens(0.4) ? chance.between(1, 3) : 0)
	if (left > 0) return challenge(server, request, left - 1)
	if (chance.happens(0.08)) return reject(request)
	return answerPacket(request, {
		code: 2,
		secret: secrets.home,
		attributes: acceptAttributes(world),
	})
}

function reject(request: Uint8Array): Uint8Array {
	return answerPacket(request, { code: 3, secret: secrets.home, attributes: [[18, 'No.']] })
}

function challenge(server: HomeServer, request: Uint8Array, left: number): Uint8Array {
	const state = u32(++server.states + (server.address & 255) * 2 ** 20)
	server.conversations.set(hex(state), left)
	return answerPacket(request, {
		code: 11,
		secret: secrets.home,
		attributes: [
			[24, state],
			[79, [1, 1, 0, 5, 1]],
		],
	})
}

/** Juniper's vendor attributes: Address-Pool is 2, Service-Bundle 31. */
function vendor(type: number, text: string): TestAttribute {
	const octets = new TextEncoder().encode(text)
	return [26, [0, 0, 0x13, 0x0a, type, octets.length + 2, ...octets]]
}

function acceptAttributes({ chance }: World): TestAttribute[] {
	const attributes: TestAttribute[] = [[25, 'gold'], vendor(31, 'bundle')]
	if (chance.happens(0.15)) attributes.push([27, u32(chance.between(20, 90))])
	if (chance.happens(0.1)) attributes.push([88, chance.pick(['near', 'far', 'overflow', 'none'])])
	if (chance.happens(0.1)) attributes.push(vendor(2, 'near'))
	// Servers are not always right about who has which address.
	if (chance.happens(0.1)) attributes.push([8, u32(ip('10.0.0.1') + chance.between(1, 13))])
	return attributes
}
