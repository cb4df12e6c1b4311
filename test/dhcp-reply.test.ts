/** What replies of the DHCP local server consist of, octet for octet, whoever asks in whatever order. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { type DhcpOption, encodeOption, options, subOptions } from '../domain/dhcp/option.ts'
import {
	decodeDhcp,
	hasOption,
	messageTypes,
	readOctets,
	readSubOption,
} from '../domain/dhcp/packet.ts'
import { encodeDhcp, replyTo } from '../domain/dhcp/reply.ts'
import type { SrcDecision } from '../domain/sae/logins.ts'
import type { Addressing, Session } from '../domain/session-table.ts'
import { usualForm } from '../src/engine/dhcp-reply-options.ts'
import type { Asked } from '../src/engine/dhcp-service.ts'
import { ask, type ClientMessage, deliverDhcp, dhcpMessage, machine } from './dhcp-client.ts'
import {
	answerPacket,
	called,
	oneServer,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	u32,
	user,
} from './simulated-relay.ts'

/** Settings of a pool that its clients are told. */
type Settings = {
	readonly routers: readonly string[]
	readonly dns: readonly string[]
	readonly netbios: readonly string[]
	readonly domainName: string
	readonly leaseHours: number
}

const networks = { near: '10.0.0', far: '10.2.0' } as const

function poolText(name: keyof typeof networks, settings: Settings): string {
	const addresses = (command: string, list: readonly string[]) =>
		list.length === 0 ? '' : ` ${command} ${list.join(' ')}\n`
	return `ip dhcp-local pool ${name}
 network ${networks[name]}.0 255.255.255.0
${addresses('default-router', settings.routers)}${addresses('dns-server', settings.dns)}${addresses(
	'netbios-name-server',
	settings.netbios,
)}${settings.domainName === '' ? '' : ` domain-name ${settings.domainName}\n`} lease ${
		settings.leaseHours === 0 ? 'infinite' : `0 ${settings.leaseHours}`
	}
exit
`
}

/** The options that a pool has, before anybody asks. */
function poolOptions(name: keyof typeof networks, settings: Settings): DhcpOption[] {
	const numbers = (list: readonly string[]) => list.map(text => parseIpv4(text)!)
	const list = [
		encodeOption(options.subnetMask, 0xffff_ff00),
		encodeOption(options.router, numbers(settings.routers)),
		encodeOption(options.domainNameServer, numbers(settings.dns)),
		encodeOption(options.domainName, settings.domainName),
		encodeOption(options.broadcastAddress, parseIpv4(`${networks[name]}.255`)!),
		encodeOption(options.netbiosNameServer, numbers(settings.netbios)),
		encodeOption(options.netbiosNodeType, 8),
	]
	return list.filter(({ value }) => value.length > 0)
}

function times(hours: number): DhcpOption[] {
	if (hours === 0) return [encodeOption(options.leaseTime, 0xffff_ffff)]
	return [
		encodeOption(options.leaseTime, hours * 3600),
		encodeOption(options.renewalTime, hours * 1800),
		encodeOption(options.rebindingTime, hours * 3150),
	]
}

/** The reply that must come, put together from scratch by the encoder for every message. */
function expectedReply(asked: Uint8Array, got: Uint8Array, settings: Settings): Uint8Array {
	const request = decodeDhcp(asked, asked.length)
	const reply = decodeDhcp(got, got.length)
	if (typeof request === 'string' || typeof reply === 'string') throw new Error('no DHCP message')
	const name = request.giaddr === 0 ? 'near' : 'far'
	const all = poolOptions(name, settings)
	const wanted = readOctets(request, options.parameterRequestList)
	const codes = wanted && new Set([options.subnetMask.code, ...wanted])
	const given = codes
		? [...codes].flatMap(code => all.find(option => option.code === code) ?? [])
		: all
	const inform = request.messageType === messageTypes.inform
	const override = readSubOption(request, subOptions.serverIdentifierOverride)
	const list = [
		{
			code: options.serverIdentifier.code,
			value: override ?? Uint8Array.of(10, 0, 0, 1),
		},
		...(inform ? [] : times(settings.leaseHours)),
		...given,
	]
	const discover = request.messageType === messageTypes.discover
	const content = {
		messageType: discover ? messageTypes.offer : messageTypes.ack,
		// Which address it is, other tests say.
		yiaddr: inform ? 0 : reply.yiaddr,
		options: list,
	}
	const target = new Uint8Array(1500)
	return target.slice(0, encodeDhcp(target, replyTo(request, content)))
}

const addresses = fc.uniqueArray(
	fc.nat({ max: 9 }).map(n => `192.0.2.${n + 1}`),
	{ maxLength: 2 },
)
const anySettings: fc.Arbitrary<Settings> = fc.record(
	{
		routers: addresses,
		dns: addresses,
		netbios: addresses,
		domainName: fc.constantFrom('', 'example.org', `${'x'.repeat(60)}.example.org`),
		leaseHours: fc.nat({ max: 3 }),
	},
	{ noNullPrototype: true },
)

/** Parameter Request Lists: options of pools, others, duplicates; none at all, and an empty one. */
const anyRequestList = fc.option(
	fc
		.array(fc.constantFrom(1, 3, 6, 15, 28, 44, 46, 51, 54, 61, 82, 99), { maxLength: 8 })
		.map(codes => Uint8Array.from(codes)),
	{ nil: undefined },
)

const anyAsked = fc.record(
	{
		type: fc.constantFrom('discover' as const, 'discover' as const, 'inform' as const),
		who: fc.integer({ min: 1, max: 30 }),
		/** Which one of the lists, so that lists come again. */
		list: fc.nat({ max: 23 }),
		giaddr: fc.constantFrom('10.2.0.9', undefined),
		information: fc.constantFrom(undefined, 4, 120, 248),
		/** Server Identifier Override (RFC 5107), in the relay agent's information. */
		override: fc.constantFrom([], [], [11, 4, 10, 9, 9, 9]),
		identifier: fc.constantFrom(undefined, undefined, 0, 7, 90, 250),
		size: fc.constantFrom(undefined, undefined, 0, 590, 700, 1500, 65_535),
		/** Options in several instances (RFC 3396), the Parameter Request List perhaps among them. */
		split: fc.constantFrom(undefined, undefined, undefined, 12, 55),
		flags: fc.constantFrom(0, 0x8000),
		xid: fc.nat(),
	},
	{ noNullPrototype: true },
)
type Message = typeof anyAsked extends fc.Arbitrary<infer T> ? T : never

function octetsOf(asked: Message, list: Uint8Array | undefined): Uint8Array {
	const { identifier, information, size, split, giaddr } = asked
	const filling = (size: number): number[] => new Array(size).fill(asked.who)
	const given: DhcpOption[] = []
	const add = (code: number, value: Uint8Array | undefined) => {
		if (value === undefined) return
		if (code !== split || value.length < 2) given.push({ code, value })
		else given.push({ code, value: value.slice(0, 1) }, { code, value: value.slice(1) })
	}
	add(options.parameterRequestList.code, list)
	if (split === 12) add(12, Uint8Array.of(97, 98))
	if (identifier !== undefined) {
		add(options.clientIdentifier.code, new Uint8Array(identifier).fill(asked.who))
	}
	if (size !== undefined) given.push(encodeOption(options.maximumMessageSize, size))
	const message: ClientMessage = {
		...{ type: asked.type, who: asked.who, xid: asked.xid, options: given },
		...(asked.type === 'inform' ? { ciaddr: giaddr ? '10.2.0.77' : '10.0.0.77' } : {}),
		...(giaddr === undefined ? {} : { giaddr }),
		...(information === undefined || giaddr === undefined
			? {}
			: { information: [...asked.override, 1, information - 2, ...filling(information - 2)] }),
	}
	const octets = dhcpMessage(message)
	octets[10] = asked.flags >>> 8
	return octets
}

test('property: kept options and new ones make the same reply, also after the pools have changed', async () => {
	let overloaded = 0
	let replies = 0
	const visits = fc.array(anyAsked, { minLength: 60, maxLength: 120 })
	const lists = fc.array(anyRequestList, { minLength: 24, maxLength: 24 })
	const arrangements = fc.tuple(anySettings, anySettings, anySettings)
	const property = fc.asyncProperty(visits, lists, arrangements, async (all, known, settings) => {
		const textOf = (each: Settings) =>
			`service dhcp-local standalone\n${poolText('near', each)}${poolText('far', each)}`
		const relay = await simulatedRelay(textOf(settings[0]), { dhcp: machine() })
		let current: Settings = settings[0]
		for (const [n, asked] of all.entries()) {
			const now = settings[Math.floor((n * settings.length) / all.length)]!
			if (now !== current) await relay.configure(textOf(now))
			current = now
			const octets = octetsOf(asked, known[asked.list])
			const left = deliverDhcp(relay, octets, asked.giaddr ? { giaddr: asked.giaddr } : {})
			assert.is(left.length, 1, `replies to ${asked.type}`)
			const got = left[0]!.bytes
			assert.equal(got, expectedReply(octets, got, current))
			replies++
			const reply = decodeDhcp(got, got.length)
			if (typeof reply !== 'string' && hasOption(reply, options.overload)) overloaded++
		}
	})
	await fc.assert(property, { numRuns: 40 })
	assert.ok(overloaded > replies / 50, `only ${overloaded} of ${replies} were overloaded`)
})

test('more kinds of clients than are kept get what they ask for, time and again, in any order', async () => {
	const settings: Settings = {
		...{ routers: ['10.0.0.1'], dns: ['192.0.2.53'], netbios: ['192.0.2.44'] },
		...{ domainName: 'example.org', leaseHours: 0 },
	}
	const text = `service dhcp-local standalone\n${poolText('near', settings)}`
	const relay = await simulatedRelay(text, { dhcp: machine() })
	const codes = [3, 6, 15, 28, 44, 46]
	const kinds = Array.from({ length: 50 }, (_, n) => codes.filter((_, bit) => (n >> bit) & 1))
	for (let n = 0; n < 1000; n++) {
		// 50 and 21 have no common divisor: every kind comes in each round.
		const list = kinds[(n * (n < 500 ? 21 : 1)) % kinds.length]!
		const wanted = { code: options.parameterRequestList.code, value: Uint8Array.from(list) }
		const octets = dhcpMessage({ type: 'inform', ciaddr: '10.0.0.77', options: [wanted] })
		const [left] = deliverDhcp(relay, octets)
		assert.equal(left!.bytes, expectedReply(octets, left!.bytes, settings))
	}
})

const vsa = (type: number, value: readonly number[]): TestAttribute => [
	26,
	[0, 0, 0x13, 0x0a, type, value.length + 2, ...value],
]

function login(relay: SimulatedRelay, who: number, attributes: TestAttribute[] = []): void {
	const calling: TestAttribute = [31, `02-00-00-00-00-0${who}`]
	const asked = requestPacket({ code: 1, nonce: who, attributes: [user, called, calling] })
	const [forwarded] = relay.fromWap(asked)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2, attributes }))
}

test('what RADIUS says is for its subscriber alone: the same list brings others the usual options', async () => {
	const settings: Settings = {
		...{ routers: ['10.0.0.1'], dns: ['192.0.2.53'], netbios: [] },
		...{ domainName: 'example.org', leaseHours: 1 },
	}
	const text = `${oneServer}${relayServers}service dhcp-local equal-access\n`
	const relay = await simulatedRelay(text + poolText('near', settings), { dhcp: machine() })
	const wanted = encodeOption(options.parameterRequestList, [6, 42, 15])
	const message = (who: number) => ({ type: 'discover', who, options: [wanted] }) as const
	const usual = (who: number, attributes: TestAttribute[] = [], told = settings) => {
		login(relay, who, attributes)
		const octets = dhcpMessage(message(who))
		const [left] = deliverDhcp(relay, octets)
		assert.equal(left!.bytes, expectedReply(octets, left!.bytes, told))
	}
	usual(1)
	usual(4, [[27, u32(1200)]], { ...settings, leaseHours: 1 / 3 })
	login(relay, 2, [vsa(55, [42, 4, 192, 0, 2, 7])])
	const { packet } = ask(relay, message(2))!
	assert.equal(readOctets(packet, { code: 42 }), Uint8Array.of(192, 0, 2, 7))
	usual(3)
})

test('a word of RADIUS or SRC about what a client is told leaves no usual form, any other does', async () => {
	const settings: Settings = { routers: [], dns: [], netbios: [], domainName: '', leaseHours: 1 }
	const text = `service dhcp-local standalone\n${poolText('near', settings)}`
	const relay = await simulatedRelay(text, { dhcp: machine() })
	const pool = relay.engine.dhcp.services.get('default')!.pools.byName.get('near')!
	const bytes = dhcpMessage({ type: 'discover' })
	const packet = decodeDhcp(bytes, bytes.length)
	const asked = { packet, serverIdentifier: 1 } as Asked
	const formFor = (addressing: Addressing | undefined, decision: SrcDecision | undefined) => {
		const session = { addressing } as Session
		return usualForm(asked, { ...offer, pool, session, decision })
	}
	const offer = { kind: 'offer', address: 7, leaseSeconds: 60 } as const
	const usual = formFor(undefined, undefined)
	assert.ok(usual)
	for (const name of ['framedNetmask', 'dns', 'wins', 'dhcpOptions'] as const) {
		assert.is(formFor({ [name]: '2a04c0000207' } as Addressing, undefined), undefined, name)
	}
	for (const name of ['dhcpOptions', 'bootServer', 'bootFile'] as const) {
		assert.is(formFor(undefined, { [name]: 'x' } as unknown as SrcDecision), undefined, name)
	}
	assert.is(formFor({ framedPool: 'p', sessionTimeoutSeconds: 60 }, { pool: 'p' }), usual)
})

test.run()
