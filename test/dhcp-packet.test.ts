import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4 } from '../domain/address.ts'
import {
	type DhcpOption,
	encodeOption,
	formatOption,
	optionOf,
	options,
	subOptions,
} from '../domain/dhcp/option.ts'
import {
	broadcastFlag,
	clientKey,
	clientMac,
	createDhcpPacket,
	type DhcpPacket,
	decodeDhcp,
	hardwareAddress,
	hasOption,
	keepPacket,
	messageTypeNames,
	messageTypes,
	optionCodes,
	readFileName,
	readIp,
	readNumber,
	readOctets,
	readOption,
	readServerName,
	readSubOption,
	readText,
	requestKind,
} from '../domain/dhcp/packet.ts'
import {
	type DhcpMessage,
	encodeDhcp,
	maximumReplyLength,
	omittedOptions,
	type ReplyContent,
	replyDestination,
	replyTo,
} from '../domain/dhcp/reply.ts'
import { createReplyForm, filledLength, fillForm } from '../domain/dhcp/reply-form.ts'

fc.configureGlobal({ seed: 20250603 })

const hex = (digits: string) => Uint8Array.from(Buffer.from(digits.replace(/\s/g, ''), 'hex'))
const address = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** Octets as the vector file has them: pairs of digits, and `00*20` for a run. */
function octetsOf(text: string): Uint8Array {
	return hex(text.replace(/([0-9a-f]{2})\*(\d+)/g, (_, pair: string, count) => pair.repeat(count)))
}

type Vector = { readonly title: string; octets: string; says: string }

function readVectors(): Vector[] {
	const vectors: Vector[] = []
	const file = new URL('./vectors/dhcp-packets.txt', import.meta.url)
	for (const line of readFileSync(file, 'utf8').split('\n')) {
		if (line === '' || line.startsWith('#')) continue
		if (!line.startsWith(' ')) vectors.push({ title: line, octets: '', says: '' })
		else if (line.startsWith('  = ')) vectors.at(-1)!.says += `${line.slice(4)}\n`
		else vectors.at(-1)!.octets += line
	}
	return vectors
}

const vectors = readVectors()

function vector(name: string): DhcpPacket {
	const found = vectors.find(({ title }) => title.startsWith(`packet ${name} `))
	return decoded(octetsOf(found!.octets))
}

function decoded(octets: Uint8Array, length = octets.length): DhcpPacket {
	const packet = decodeDhcp(octets, length)
	if (typeof packet === 'string') throw new Error(`refused: ${packet}`)
	return packet
}

/** What the vector file says about a message. */
function describe(packet: DhcpPacket, broadcast: boolean): string {
	const request = packet.messageType === messageTypes.request
	const addresses = (['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const)
		.filter(name => packet[name] !== 0)
		.map(name => `${name} ${formatIpv4(packet[name])}`)
	const flags = (packet.flags & broadcastFlag) !== 0 ? ['broadcast flag'] : []
	return `${[
		[
			messageTypeNames[packet.messageType],
			...(request ? [requestKind(packet, broadcast)] : []),
			`xid ${packet.xid.toString(16)}`,
			...addresses,
			...flags,
		].join(' '),
		`client ${clientKey(packet)}, MAC ${clientMac(packet) ?? 'unknown'}`,
		...optionCodes(packet).map(code => {
			const value = readOctets(packet, { code })!
			return `${code} ${optionOf(code).name} = ${formatOption(code, value)}`
		}),
	].join('\n')}\n`
}

for (const { title, octets, says } of vectors) {
	test(`dhcp-packets.txt: ${title}`, () => {
		const [, kind, name, how] = /^(packet|refuse) ([a-z0-9-]+):? (.*)$/.exec(title) ?? []
		const bytes = octetsOf(octets)
		if (kind === 'refuse') assert.is(decodeDhcp(bytes, bytes.length), name)
		else assert.is(describe(decoded(bytes), how === 'broadcast'), says)
	})
}

const server = address('192.0.2.1')
const offered = address('192.0.2.10')
const buffer = new Uint8Array(1500)

/** Encodes among octets of an older message, which must not show through. */
function encoded(message: DhcpMessage): Uint8Array {
	buffer.fill(0xa5)
	const length = encodeDhcp(buffer, message)
	assert.ok(buffer.subarray(length).every(octet => octet === 0xa5))
	return buffer.slice(0, length)
}

const usual: readonly DhcpOption[] = [
	encodeOption(options.serverIdentifier, server),
	encodeOption(options.leaseTime, 3600),
	encodeOption(options.subnetMask, 0xffffff00),
	encodeOption(options.router, [server]),
	encodeOption(options.domainName, 'example.net'),
]
const ack: ReplyContent = { messageType: messageTypes.ack, yiaddr: offered, options: usual }
const nak: ReplyContent = { ...ack, messageType: messageTypes.nak, options: usual.slice(0, 1) }

/** A request with these options; the header's octets by offset. */
function requestWith(given: readonly DhcpOption[], header: Record<number, string> = {}) {
	const octets = octetsOf('01010600 00000001 00*20 020000000001 00*202 63825363 350103')
	for (const [at, digits] of Object.entries(header)) octets.set(hex(digits), Number(at))
	const parts = given.flatMap(({ code, value }) => [code, value.length, ...value])
	return decoded(Uint8Array.from([...octets, ...parts, 255]))
}

test('what a packet holds lasts when it is kept, and goes with the buffer when not', () => {
	const octets = octetsOf(
		'01010600 00000001 00*20 020000000001 00*202 63825363 350101 320401020304',
	)
	const packet = decoded(octets)
	const kept = keepPacket(packet)
	octets.fill(7)
	const other = requestWith(usual)
	assert.is(decodeDhcp(other.bytes, other.length, packet), packet)
	assert.is(readIp(kept, options.requestedAddress), 0x01020304)
	assert.is(clientMac(kept), '02-00-00-00-00-01')
	assert.not.ok(hasOption(kept, options.router))
})

test('a packet that is reused keeps nothing of the one before', () => {
	const packet = createDhcpPacket()
	const first = vectors.find(({ title }) => title.startsWith('packet overloaded '))!
	const second = vectors.find(({ title }) => title.startsWith('packet shortest '))!
	assert.is(decodeDhcp(octetsOf(first.octets), octetsOf(first.octets).length, packet), packet)
	assert.equal([packet.overload, packet.repeats], [3, true])
	assert.is(decodeDhcp(octetsOf(second.octets), octetsOf(second.octets).length, packet), packet)
	assert.equal([packet.overload, packet.repeats, optionCodes(packet)], [0, false, [53]])
})

test('octets behind the length that was received do not count', () => {
	const octets = octetsOf('01010600 00000001 00*228 63825363 350101 0c02 6162 ff')
	assert.is(decodeDhcp(octets, octets.length - 2), 'options')
	assert.not.ok(hasOption(decoded(octets, octets.length - 5), options.hostName))
	assert.is(decodeDhcp(octets, octets.length + 1), 'short')
	assert.is(decodeDhcp(new Uint8Array(70_000), 70_000), 'long')
})

test('options of a wrong length are there, but have no value', () => {
	const packet = requestWith([
		{ code: 50, value: hex('0102') },
		{ code: 51, value: hex('0e10') },
		{ code: 12, value: hex('61620000') },
		{ code: 15, value: hex('610a62') },
	])
	assert.ok(hasOption(packet, options.requestedAddress))
	assert.is(readIp(packet, options.requestedAddress), undefined)
	assert.is(readNumber(packet, options.leaseTime), undefined)
	assert.is(readOption(packet, options.leaseTime), undefined)
	assert.is(readText(packet, options.hostName), 'ab', 'NULs behind text are dropped')
	assert.is(readText(packet, options.domainName), '0x610a62')
	assert.is(readText(packet, options.rootPath), undefined)
})

test('sname and file are text, or hold options', () => {
	const named = requestWith([], { 44: '626f6f74', 108: '2f61' })
	assert.equal([readServerName(named), readFileName(named)], ['boot', '/a'])
	const overloaded = vector('overloaded')
	assert.equal([readServerName(overloaded), readFileName(overloaded)], ['', ''])
})

test('RFC 3046: sub-options of Relay Agent Information', () => {
	const packet = vector('relayed-discover')
	assert.equal(
		readSubOption(packet, subOptions.circuitId),
		Uint8Array.from(Buffer.from('ge-0/0/1:100')),
	)
	assert.equal(readSubOption(packet, subOptions.linkSelection), hex('c6336400'))
	assert.is(readSubOption(packet, subOptions.subscriberId), undefined)
	const broken = requestWith([{ code: 82, value: hex('0105 6162') }])
	assert.is(readSubOption(broken, subOptions.circuitId), undefined)
})

test('RFC 2131 §4.2: a client is its identifier, else its hardware', () => {
	assert.is(clientKey(requestWith([])), 'hw:01020000000001')
	assert.is(clientKey(requestWith([{ code: 61, value: hex('00666f6f') }])), 'id:00666f6f')
	const short = requestWith([{ code: 61, value: hex('00') }])
	assert.is(clientKey(short), 'hw:01020000000001', 'one octet identifies nobody')
	assert.is(clientKey(requestWith([], { 2: '00' })), undefined)
	const split = [hex('00aa'), hex('bb')].map(value => ({ code: 61, value }))
	assert.is(clientKey(requestWith(split)), 'id:00aabb')
	const identified = (...parts: readonly string[]) =>
		clientKey(requestWith(parts.map(part => ({ code: 61, value: hex(part) }))))
	assert.is(identified('00aa'), 'id:00aa', 'two octets are enough (RFC 2132 §9.14)')
	assert.is(identified('00', 'aa'), 'id:00aa', 'however they are split')
	assert.is(identified('', '00aa', ''), 'id:00aa')
	assert.is(identified('00', ''), 'hw:01020000000001')
	const twice = [hex('61'), hex('62')].map(value => ({ code: 12, value }))
	const alone = (...more: DhcpOption[]) => clientKey(requestWith([...twice, ...more]))
	assert.is(alone(), 'hw:01020000000001', 'another option that is split')
	assert.is(alone({ code: 61, value: hex('00') }), 'hw:01020000000001')
	assert.is(alone({ code: 61, value: hex('00aa') }), 'id:00aa')
	const nowhere = requestWith([{ code: 61, value: hex('00aa') }], { 2: '00' })
	assert.is(clientKey(nowhere), 'id:00aa', 'without a hardware address')
	assert.is(clientMac(requestWith([], { 1: '06' })), undefined)
	assert.is(clientMac(requestWith([], { 2: '08' })), undefined)
	const chaddr = (octets: string) => clientMac(requestWith([], { 28: octets }))
	assert.is(chaddr('000000000000'), undefined, 'nobody')
	assert.is(chaddr('01005e000001'), undefined, 'a group')
	assert.is(chaddr('ffffffffffff'), undefined, 'everybody')
	assert.is(chaddr('000000000001'), '00-00-00-00-00-01')
	assert.is(chaddr('000100000000'), '00-01-00-00-00-00')
})

/** RFC 2131 §4.3.2: server identifier, requested address, ciaddr, how it came. */
const kinds = [
	['54', '50', '', 'broadcast', 'selecting'],
	['54', '50', '', 'unicast', 'selecting'],
	['54', '', '', 'broadcast', 'invalid'],
	['54', '', 'ciaddr', 'unicast', 'invalid'],
	['54', '50', 'other', 'broadcast', 'invalid'],
	['', '50', '', 'broadcast', 'init-reboot'],
	['', '50', 'other', 'broadcast', 'invalid'],
	['', '50', 'ciaddr', 'unicast', 'renewing'],
	['', '', 'ciaddr', 'unicast', 'renewing'],
	['', '', 'ciaddr', 'broadcast', 'rebinding'],
	['', '', '', 'broadcast', 'invalid'],
	['bad', '50', '', 'broadcast', 'invalid'],
	['', 'bad', 'ciaddr', 'unicast', 'invalid'],
	['', 'zero', '', 'broadcast', 'invalid'],
] as const

for (const [serverIdentifier, requested, ciaddr, how, kind] of kinds) {
	const given = [serverIdentifier, requested, ciaddr, how].filter(word => word !== '').join(', ')
	test(`RFC 2131 §4.3.2: REQUEST with ${given} is ${kind}`, () => {
		const requestedOctets = { bad: '0102', zero: '00000000', 50: 'c000020a' }
		const packet = requestWith(
			[
				...(serverIdentifier === '54' ? [{ code: 54, value: hex('c0000201') }] : []),
				...(serverIdentifier === 'bad' ? [{ code: 54, value: hex('') }] : []),
				...(requested === '' ? [] : [{ code: 50, value: hex(requestedOctets[requested]) }]),
			],
			ciaddr === '' ? {} : { 12: ciaddr === 'ciaddr' ? 'c000020a' : 'c000020b' },
		)
		assert.is(requestKind(packet, how === 'broadcast'), kind)
	})
}

test('RFC 2131 §4.3.1, table 3: an ACK takes from the request what identifies the exchange', () => {
	const octets = encoded(replyTo(vector('relayed-renewing-broadcast'), ack))
	const reply = decoded(octets)
	const { op, htype, hlen, hops, xid, secs, flags } = reply
	assert.equal(
		{ op, htype, hlen, hops, xid, secs, flags },
		{
			...{ op: 2, htype: 1, hlen: 6, hops: 0, xid: 0x5c1e77a0, secs: 0, flags: 0 },
		},
	)
	assert.equal([reply.ciaddr, reply.yiaddr, reply.siaddr], [offered, offered, 0])
	assert.is(reply.giaddr, address('198.51.100.1'))
	assert.equal(hardwareAddress(reply), hex('020000000001'))
	assert.is(octets.length, 300, 'RFC 1542 §2.1')
	const wanted = '350105 3604c0000201 330400000e10 0104ffffff00 0304c0000201'
	assert.equal(octets.subarray(240, 240 + 27), hex(wanted), 'in the order given')
})

test('an OFFER has no ciaddr; a NAK has no address at all', () => {
	const request = vector('windows-rebinding')
	const offer = decoded(encoded(replyTo(request, { ...ack, messageType: messageTypes.offer })))
	assert.equal([offer.messageType, offer.ciaddr, offer.yiaddr], [2, 0, offered])
	const content = { ...nak, siaddr: server, sname: 'boot', file: '/a' }
	const refusal = decoded(encoded(replyTo(request, content)))
	assert.equal([refusal.messageType, refusal.ciaddr, refusal.yiaddr, refusal.siaddr], [6, 0, 0, 0])
	assert.equal([readServerName(refusal), readFileName(refusal)], ['', ''])
})

test('RFC 2131 §4.3.2: a NAK through a relay agent has the broadcast flag', () => {
	assert.is(replyTo(vector('relayed-renewing-broadcast'), nak).flags, broadcastFlag)
	assert.is(replyTo(vector('relayed-renewing-broadcast'), ack).flags, 0)
	assert.is(replyTo(vector('windows-rebinding'), nak).flags, 0)
})

test('RFC 6842 §3: a reply has the client identifier of its request', () => {
	for (const content of [ack, nak]) {
		const other = { code: 61, value: hex('ffff') }
		const options = [other, ...content.options]
		const reply = decoded(encoded(replyTo(vector('windows-rebinding'), { ...content, options })))
		assert.is(clientKey(reply), 'id:01020000000001')
		assert.not.ok(reply.repeats)
	}
	assert.is(clientKey(decoded(encoded(replyTo(vector('shortest'), ack)))), 'hw:01020000000001')
})

test('RFC 3046 §2.2: Relay Agent Information comes back unchanged, right before End', () => {
	const request = vector('relayed-discover')
	const information = readOctets(request, options.relayAgentInformation)!
	const added = encodeOption(options.relayAgentInformation, [])
	for (const content of [ack, nak]) {
		const octets = encoded(replyTo(request, { ...content, options: [added, ...content.options] }))
		const reply = decoded(octets)
		assert.equal(readOctets(reply, options.relayAgentInformation), information)
		const behind = reply.offsets[82]! + 2 + information.length
		assert.is(octets[behind], 255)
		assert.ok(octets.subarray(behind + 1).every(octet => octet === 0))
	}
})

test('RFC 2132 §9.10: the client says how long a reply may be, within reason', () => {
	const size = (octets: string) => [{ code: 57, value: hex(octets) }]
	assert.is(maximumReplyLength(requestWith([])), 548)
	assert.is(maximumReplyLength(requestWith(size('0040'))), 548)
	assert.is(maximumReplyLength(requestWith(size('0400'))), 996)
	assert.is(maximumReplyLength(requestWith(size('ffff'))), 1472)
	assert.is(maximumReplyLength(requestWith(size('04'))), 548)
})

const long = (code: number, length: number) => ({
	code,
	value: Uint8Array.from({ length }, (_, index) => (code + index) & 255),
})

/** Encodes a reply with these options and says where they went. */
function placed(given: readonly DhcpOption[], content: Partial<ReplyContent> = {}) {
	const message = replyTo(vector('shortest'), { ...ack, ...content, options: given })
	const reply = decoded(encoded(message))
	for (const { code, value } of given) {
		if (omittedOptions(message).includes(code)) assert.not.ok(hasOption(reply, { code }))
		else assert.equal(readOctets(reply, { code }), value, `option ${code}`)
	}
	assert.ok(reply.length <= 548)
	return { reply, omitted: omittedOptions(message) }
}

test('RFC 3396: a value of more than 255 octets is split and joined', () => {
	const { reply } = placed([long(43, 256)])
	assert.equal([reply.overload, reply.repeats], [0, true])
	assert.is(reply.bytes[reply.offsets[43]! + 1], 255)
})

test('RFC 2131 §4.1: options that exceed the size go into file, then into sname', () => {
	const { reply } = placed([long(43, 255), long(224, 45)])
	assert.equal([reply.overload, reply.length], [0, 548])
	assert.is(placed([long(43, 255), long(224, 46)]).reply.overload, 1)
	const full = [long(43, 255), long(224, 42)]
	assert.is(placed([...full, long(225, 125)]).reply.overload, 1)
	assert.is(placed([...full, long(225, 125), long(226, 61)]).reply.overload, 3)
	assert.is(placed([...full, long(225, 61)], { file: '/boot' }).reply.overload, 2)
})

test('what fits nowhere as a whole is split over the fields, and in the end left out', () => {
	assert.equal(placed([long(43, 200), long(224, 200)]).omitted, [])
	assert.equal(placed([long(43, 255), long(224, 200), long(225, 4)]).omitted, [])
	assert.equal(placed([long(43, 300), long(224, 300), long(225, 4)]).omitted, [224])
	// 255 + 125 + 61 octets are left, once each field has its headers and End.
	assert.equal(placed([long(43, 42), long(224, 441)]).omitted, [])
	assert.equal(placed([long(43, 42), long(224, 442)]).omitted, [224])
	const kept = { file: '/boot', sname: 'boot' }
	const { reply, omitted } = placed([long(43, 300), long(224, 4)], kept)
	assert.equal([omitted, reply.overload], [[43], 0])
	assert.equal([readFileName(reply), readServerName(reply)], ['/boot', 'boot'])
})

test('Relay Agent Information that leaves no room for a reply is left out', () => {
	const request = requestWith([82, 82, 82].map(code => long(code, 200)))
	const message = replyTo(request, ack)
	assert.equal(omittedOptions(message), [82])
	assert.equal(optionCodes(decoded(encoded(message))), [1, 3, 15, 51, 53, 54])
})

test('names are cut where their fields end, between characters', () => {
	const reply = decoded(
		encoded(replyTo(vector('shortest'), { ...ack, sname: 'ä'.repeat(40), file: 'x'.repeat(200) })),
	)
	assert.is(readServerName(reply), 'ä'.repeat(31))
	assert.is(readFileName(reply), 'x'.repeat(127))
})

test('a buffer that cannot hold the message is the mistake of whoever gave it', () => {
	const message = replyTo(vector('shortest'), ack)
	assert.throws(() => encodeDhcp(new Uint8Array(547), message), /up to 548 octets .* into 547/)
	assert.throws(() => encodeDhcp(buffer, { ...message, maximumLength: 299 }), /allow for 300/)
})

test('RFC 2131 §4.1: where a reply goes', () => {
	const relay = { kind: 'relay', address: address('198.51.100.1'), port: 67 }
	assert.equal(replyDestination(vector('relayed-discover'), ack, 67), relay)
	assert.equal(replyDestination(vector('relayed-renewing-broadcast'), nak, 67), relay)
	const client = { kind: 'unicast', address: offered, port: 68 }
	assert.equal(replyDestination(vector('windows-rebinding'), ack, 67), client)
	assert.equal(replyDestination(vector('windows-rebinding'), nak, 67), { kind: 'broadcast' })
	assert.equal(replyDestination(vector('infiniband-discover'), ack, 67), { kind: 'broadcast' })
	const link = { kind: 'link-unicast', address: offered }
	assert.equal(replyDestination(vector('udhcpc-discover'), ack, 67), link)
	assert.equal(replyDestination(requestWith([], { 10: '8000' }), ack, 67), { kind: 'broadcast' })
	assert.equal(replyDestination(requestWith([], { 1: '20', 2: '00' }), ack, 67), {
		kind: 'broadcast',
	})
})

test('RFC 8357 §5.2: a relay agent that names its source port is answered there', () => {
	const bytes = (information: string) => {
		const packet = requestWith([{ code: 82, value: hex(information) }])
		return { ...packet, giaddr: server }
	}
	const port = (information: string) => {
		const to = replyDestination(bytes(information), ack, 10_067)
		return to.kind === 'relay' ? to.port : to
	}
	assert.is(port('0102 6162 1300'), 10_067)
	assert.is(port('0102 6162'), 67)
})

test('RFC 2131 §4.3.5: an INFORM is answered to its address, even through a relay agent', () => {
	const client = { kind: 'unicast', address: offered, port: 68 }
	const answer = { messageType: messageTypes.ack, yiaddr: 0 }
	const inform = vector('windows-inform')
	assert.equal(replyDestination(inform, answer, 67), client)
	assert.equal(replyDestination({ ...inform, giaddr: server }, answer, 67), client)
	const nameless = { ...inform, ciaddr: 0 }
	assert.equal(replyDestination({ ...nameless, giaddr: server }, answer, 67).kind, 'relay')
	assert.equal(replyDestination(nameless, answer, 67), { kind: 'broadcast' })
})

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 })
const code = fc.integer({ min: 1, max: 254 }).filter(each => ![52, 53, 82].includes(each))
const option = (maxLength: number) =>
	fc.record({ code, value: fc.uint8Array({ minLength: 0, maxLength }) })
const optionList = fc.oneof(
	fc.uniqueArray(option(24), { maxLength: 20, selector: each => each.code }),
	fc.uniqueArray(option(400), { maxLength: 8, selector: each => each.code }),
)
const anyMessage: fc.Arbitrary<DhcpMessage> = fc.record(
	{
		op: fc.constantFrom(1, 2),
		htype: uint(8),
		hops: uint(8),
		xid: uint(32),
		secs: uint(16),
		flags: uint(16),
		ciaddr: uint(32),
		yiaddr: uint(32),
		siaddr: uint(32),
		giaddr: uint(32),
		chaddr: fc.uint8Array({ maxLength: 16 }),
		sname: fc.string({ maxLength: 20 }).map(text => text.replace(/^0x/, '')),
		file: fc.string({ maxLength: 20 }).map(text => text.replace(/^0x/, '')),
		messageType: fc.integer({ min: 1, max: 255 }),
		options: optionList,
		relayAgentInformation: fc.uint8Array({ maxLength: 300 }),
		maximumLength: fc.constantFrom(300, 301, 400, 548, 996, 1472),
	},
	{ noNullPrototype: true },
)

test('property: what is encoded is decoded, unless it is named as left out', () => {
	fc.assert(
		fc.property(anyMessage, message => {
			const octets = encoded(message)
			assert.ok(octets.length >= 300 && octets.length <= message.maximumLength)
			const packet = decoded(octets)
			for (const name of ['op', 'htype', 'hops', 'xid', 'secs', 'flags', 'messageType'] as const) {
				assert.is(packet[name], message[name], name)
			}
			for (const name of ['ciaddr', 'yiaddr', 'siaddr', 'giaddr'] as const) {
				assert.is(packet[name], message[name], name)
			}
			assert.equal(hardwareAddress(packet), message.chaddr)
			assert.equal([readServerName(packet), readFileName(packet)], [message.sname, message.file])
			const given = [...message.options, { code: 82, value: message.relayAgentInformation! }]
			const omitted = omittedOptions(message)
			for (const { code, value } of given) {
				const read = readOctets(packet, { code })
				if (omitted.includes(code)) assert.is(read, undefined)
				else assert.equal(read, value)
			}
			const others = [53, ...(packet.overload === 0 ? [] : [52])]
			assert.is(optionCodes(packet).length, given.length - omitted.length + others.length)
		}),
		{ numRuns: 2000 },
	)
})

test('property: nothing is left out while there is room for it', () => {
	fc.assert(
		fc.property(anyMessage, message => {
			const size = message.options.reduce((sum, { value }) => {
				return sum + value.length + 2 * Math.max(1, Math.ceil(value.length / 255))
			}, 0)
			const information = message.relayAgentInformation!.length + 4
			if (240 + 3 + size + information + 1 <= message.maximumLength) {
				assert.equal(omittedOptions(message), [])
				assert.is(decoded(encoded(message)).overload, 0)
			}
		}),
		{ numRuns: 1000 },
	)
})

/** What a client may have its reply echo or depend on, in one instance or in two. */
const anyClient = fc.record({
	identifier: fc.option(fc.uint8Array({ maxLength: 255 }), { nil: undefined }),
	information: fc.option(fc.uint8Array({ maxLength: 255 }), { nil: undefined }),
	size: fc.option(fc.integer({ min: 0, max: 2000 }), { nil: undefined }),
	twice: fc.boolean(),
	header: fc.uint8Array({ minLength: 240, maxLength: 240 }),
})

test('property: a form that is filled is octet for octet what is encoded', () => {
	let filled = 0
	let unfit = 0
	const target = new Uint8Array(2000)
	const content = fc.record({
		messageType: fc.constantFrom(messageTypes.offer, messageTypes.ack),
		yiaddr: uint(32),
		options: optionList.map(list => [
			...list.filter(({ code }) => code !== 61),
			{ code: 52, value: Uint8Array.of(3) },
		]),
	})
	fc.assert(
		fc.property(anyClient, content, fc.nat({ max: 100 }), (client, reply, offset) => {
			const { identifier, information, size, header } = client
			const given: DhcpOption[] = [{ code: 53, value: Uint8Array.of(1) }]
			if (identifier !== undefined) given.push({ code: 61, value: identifier })
			if (information !== undefined) given.push({ code: 82, value: information })
			if (size !== undefined) given.push(encodeOption(options.maximumMessageSize, size))
			if (client.twice) given.push({ code: 61, value: Uint8Array.of(1, 2) })
			header.set([1, header[1]!, header[2]! & 15])
			header.set(hex('63825363'), 236)
			const request = decoded(
				Uint8Array.from([
					...header,
					...given.flatMap(each => [each.code, each.value.length, ...each.value]),
				]),
			)
			const expected = encoded(replyTo(request, reply))
			const form = createReplyForm(reply.options)
			const length = filledLength(form, request)
			if (length === 0) {
				unfit++
				const fits = omittedOptions(replyTo(request, reply)).length === 0
				assert.ok(request.repeats || !fits || decoded(expected).overload > 0)
				return
			}
			filled++
			target.fill(0xee)
			fillForm(target, offset, form, request, reply)
			assert.equal(target.slice(offset, offset + length), expected)
			const around = [...target.subarray(0, offset), ...target.subarray(offset + length)]
			assert.ok(around.every(octet => octet === 0xee))
		}),
		{ numRuns: 2000 },
	)
	assert.ok(filled > 500 && unfit > 100, `${filled} were filled, ${unfit} did not fit`)
})

/** Octets that get past the first checks, so that the rest is tried as well. */
const hostile = fc
	.tuple(
		fc.uint8Array({ minLength: 236, maxLength: 236 }),
		fc.constantFrom('350101', '350103', '35010333003d00', '350103340103', '35010352023201'),
		fc.array(fc.tuple(uint(8), fc.uint8Array({ maxLength: 9 })), { maxLength: 30 }),
		fc.uint8Array({ maxLength: 2 }),
	)
	.map(([header, first, given, tail]) => {
		const random = given.flatMap(([code, value]) => [code, value.length, ...value])
		header.set([1 + (header[0]! & 1), header[1]!, header[2]! & 15])
		return Uint8Array.from([...header, ...hex('63825363'), ...hex(first), ...random, ...tail])
	})

test('property: no octets make anything throw, and nothing is read beyond them', () => {
	let good = 0
	const packet = createDhcpPacket()
	fc.assert(
		fc.property(fc.oneof(fc.uint8Array({ maxLength: 700 }), hostile), octets => {
			const result = decodeDhcp(octets, octets.length, packet)
			if (typeof result === 'string') return
			good++
			for (const code of optionCodes(packet)) {
				const value = readOctets(packet, { code })!
				assert.ok(value.length <= octets.length - 240 + 192)
				assert.type(formatOption(code, value), 'string')
				readText(packet, { code })
			}
			for (const each of Object.values(options)) {
				if (each.list) readOption(packet, each as typeof options.router)
			}
			readSubOption(packet, subOptions.circuitId)
			assert.ok(requestKind(packet, true))
			for (const content of [ack, nak]) {
				const reply = decoded(encoded(replyTo(packet, content)))
				assert.is(reply.xid, packet.xid)
				assert.ok(hasOption(reply, options.serverIdentifier))
				assert.ok(replyDestination(packet, content, 67))
			}
			assert.equal(keepPacket(packet), { ...packet, bytes: octets })
			clientKey(packet)
			readServerName(packet)
			readFileName(packet)
		}),
		{ numRuns: 3000 },
	)
	assert.ok(good > 300, `only ${good} were decoded`)
})

/** A capture file of these messages from port 67 to 68 in bare IP packets. */
function captureOf(messages: readonly Uint8Array[]): Uint8Array {
	const records = messages.map(message => {
		const frame = Buffer.alloc(16 + 28 + message.length)
		frame.writeUInt32LE(28 + message.length, 8)
		frame.writeUInt32LE(28 + message.length, 12)
		frame.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255], 16)
		frame.writeUInt16BE(28 + message.length, 18)
		frame.set([0, 67, 0, 68], 36)
		frame.writeUInt16BE(8 + message.length, 40)
		frame.set(message, 44)
		return frame
	})
	const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000065000000', 'hex')
	return Buffer.concat([header, ...records])
}

function dissect(messages: readonly Uint8Array[]): string[] {
	const folder = mkdtempSync(join(tmpdir(), 'radledger-dhcp-'))
	try {
		writeFileSync(join(folder, 'replies.pcap'), captureOf(messages))
		const fields = ['dhcp.option.type', 'dhcp.option.dhcp', 'dhcp.id', 'dhcp.ip.your']
		const output = execFileSync(
			'tshark',
			[
				...['-r', join(folder, 'replies.pcap'), '-n', '-Q', '-T', 'fields', '-E', 'separator=;'],
				...[...fields, '_ws.malformed', '_ws.expert.message'].flatMap(field => ['-e', field]),
			],
			{ encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'ignore'] },
		)
		return output.trim().split('\n')
	} finally {
		rmSync(folder, { recursive: true })
	}
}

const hasTshark = spawnSync('tshark', ['--version'], { stdio: 'ignore' }).status === 0
if (!hasTshark) console.log('left out: a second opinion on replies, tshark is not installed')
const testWithTshark = hasTshark ? test : test.skip

testWithTshark("Wireshark's dissector reads replies as they were meant", () => {
	const relayed = vector('relayed-discover')
	const crowded = [...usual, long(43, 255), encodeOption(options.rootPath, 'r'.repeat(100))]
	const replies = [
		encoded(replyTo(relayed, { ...ack, messageType: messageTypes.offer })),
		encoded(replyTo(vector('shortest'), { ...ack, options: crowded })),
		encoded(replyTo(vector('windows-rebinding'), nak)),
	]
	// It gives End's number as 0.
	assert.equal(dissect(replies), [
		'53,54,51,1,3,15,61,82,0;2;0xdbe8ef49;192.0.2.10;;',
		'53,52,17,0,54,51,1,3,15,43,0;5;0x00000001;192.0.2.10;;Boot file name option overloaded by DHCP',
		'53,54,61,0;6;0x5c1e77a0;0.0.0.0;;',
	])
})

test.run()
