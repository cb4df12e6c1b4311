/** Sessions of the second accounting domain, and how they become RADIUS accounting. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { describeAttributes } from '../domain/radius/attribute-text.ts'
import { signResponse, verifyAccountingRequest } from '../domain/radius/authenticator.ts'
import { builtInDictionary } from '../domain/radius/dictionary.ts'
import { createMd5Key } from '../domain/radius/md5.ts'
import { accountingPacket } from '../domain/sae/accounting-packet.ts'
import {
	duePackets,
	giveUpMs,
	heardAnswer,
	newAccountingQueue,
	offerRecord,
	queueLimit,
	unanswered,
} from '../domain/sae/accounting-queue.ts'
import { createLocalSrc } from '../domain/sae/local.ts'
import type { AddressDeletion, AddressReport } from '../domain/sae/protocol.ts'
import { parseRules } from '../domain/sae/rules-text.ts'
import {
	closeSession,
	newService,
	openSession,
	rememberedSessions,
	type SessionRecord,
} from '../domain/sae/service.ts'

const parsed = parseRules(
	'service gold\n  class gold-2026\nservice basic\nrule staff\n  match realm example.org\n  pool staff\n  service gold\nrule none\n  match ssid closed\n  reject\ndefault\n  pool guests\n  service basic\n',
)
if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
const { rules } = parsed

const at = Date.UTC(2026, 0, 1, 10)
const report: AddressReport = {
	event: 'AUTHADDR',
	at,
	macAddress: '02-00-00-00-00-01',
	ipAddress: '10.1.0.9',
	virtualRouterName: 'default',
	interfaceName: 'FastEthernet 0/0',
	dhcpOptions: {},
	userName: 'alice@example.org',
	radiusClass: 'staff',
	serviceBundle: 'gold',
	wap: '02-AA-00-00-00-07',
	ssid: 'campus',
}
const deletion: AddressDeletion = {
	macAddress: report.macAddress,
	virtualRouterName: 'default',
	ipAddress: report.ipAddress,
	cause: 'User-Request',
	since: at,
	at: at + 3_600_400,
}

test('an address report opens a session with the class of its service', () => {
	const { answer, record } = openSession(newService(), rules, report)
	assert.match(answer.sessionId, /^SAE-695645A0[0-9A-F]{16}$/)
	assert.is(answer.service, 'gold')
	assert.is(answer.radiusClass, 'gold-2026')
	assert.equal(record, {
		kind: 'start',
		sessionId: answer.sessionId,
		mac: '02-00-00-00-00-01',
		ipAddress: '10.1.0.9',
		virtualRouter: 'default',
		since: at,
		authenticated: true,
		userName: 'alice@example.org',
		service: 'gold',
		radiusClass: 'gold-2026',
		interfaceName: 'FastEthernet 0/0',
		wap: '02-AA-00-00-00-07',
		ssid: 'campus',
	})
})

test("a service without a class leaves the subscriber's; one that is not named is classified", () => {
	const basic = openSession(newService(), rules, { ...report, serviceBundle: 'basic' }).answer
	assert.is(basic.service, 'basic')
	assert.is(basic.radiusClass, 'staff')
	const { serviceBundle, ...unnamed } = report
	assert.is(openSession(newService(), rules, unnamed).answer.radiusClass, 'gold-2026')
	const { userName, radiusClass, ...anonymous } = unnamed
	const { answer, record } = openSession(newService(), rules, { ...anonymous, event: 'ADDR' })
	assert.is(answer.service, 'basic')
	assert.not.ok('radiusClass' in answer)
	assert.is(record!.authenticated, false)
})

test('a repeat is answered alike and recorded once, in every copy under the same name', () => {
	const service = newService()
	const first = openSession(service, rules, report)
	const again = openSession(service, rules, report)
	assert.equal(again.answer, first.answer)
	assert.is(again.record, undefined)
	assert.is(openSession(newService(), rules, report).answer.sessionId, first.answer.sessionId)
	for (const other of [
		{ ...report, at: at + 1 },
		{ ...report, macAddress: '02-00-00-00-00-02' },
		{ ...report, ipAddress: '10.1.0.10' },
		{ ...report, virtualRouterName: 'east' },
	]) {
		const { answer } = openSession(newService(), rules, other)
		assert.is.not(answer.sessionId, first.answer.sessionId)
	}
})

test('a deletion closes once, also in a copy that did not open, and without the name', () => {
	const opened = openSession(newService(), rules, report).answer
	const other = newService()
	const { answer, record } = closeSession(other, deletion)
	assert.equal(answer, { sessionId: opened.sessionId, sessionSeconds: 3600 })
	assert.is(record?.kind, 'stop')
	assert.is(closeSession(other, { ...deletion, ...opened }).record, undefined)
	// A report that was overtaken by the deletion opens nothing.
	assert.is(openSession(other, rules, report).record, undefined)
	assert.equal(other.counts, { discovers: 0, rejects: 0, opened: 0, closed: 1, repeated: 2 })
})

test('a clock that was set back gives a session of no length', () => {
	assert.is(closeSession(newService(), { ...deletion, at: at - 1 }).answer.sessionSeconds, 0)
})

test('what is remembered is bounded', () => {
	const service = newService()
	for (let i = 0; i < rememberedSessions + 10; i++) {
		closeSession(service, { ...deletion, sessionId: `s${i}` })
	}
	assert.is(service.sessions.size, rememberedSessions)
	assert.not.ok(service.sessions.has('s9'))
	assert.ok(service.sessions.has('s10'))
})

test('the local service gives the answers of an adapter', async () => {
	const records: SessionRecord[] = []
	const local = createLocalSrc({
		rules: () => rules,
		now: () => at,
		onRecord: record => records.push(record),
	})
	const { event, at: _, ipAddress, ...request } = report
	assert.equal(await local.discover(request), {
		answer: {
			accept: true,
			poolName: 'staff',
			serviceBundle: 'gold',
			radiusClass: 'gold-2026',
			reason: 'rule staff',
		},
		server: 'local',
	})
	const refused = await local.discover({ ...request, userName: 'bob', ssid: 'closed' })
	assert.equal(refused, { answer: { accept: false, reason: 'rule none' }, server: 'local' })
	await local.address(report)
	await local.delete(deletion)
	assert.equal(
		records.map(({ kind }) => kind),
		['start', 'stop'],
	)
	const { discoversSeen, activeAddresses, addressTransitions } = local.statistics()
	assert.equal([discoversSeen, activeAddresses, addressTransitions], [2, 0, 2])
	assert.is(local.info().state, 'connected')
	await local.close()
	const after = await local.discover(request)
	assert.is('failure' in after && after.failure, 'closed')
})

const key = createMd5Key(new TextEncoder().encode('accounting secret'))
const packetSettings = { identifier: 7, nasIdentifier: 'radledger-src', delaySeconds: 0, key }
const started = openSession(newService(), rules, report).record!
const stopped = closeSession(newService(), { ...deletion, service: 'gold', radiusClass: '0x00ff' })
	.record!

function attributesOf(packet: Uint8Array): string {
	return describeAttributes(builtInDictionary, packet, 20, packet.length).join('\n')
}

test('a Start as RFC 2866 has it', () => {
	const packet = accountingPacket(started, packetSettings)
	assert.ok(verifyAccountingRequest(packet, packet.length, key))
	const text = attributesOf(packet)
	for (const line of [
		/Acct-Status-Type = Start/,
		/Acct-Session-Id = SAE-695645A0/,
		/User-Name = alice@example.org/,
		/NAS-Identifier = radledger-src/,
		/NAS-Port-Id = FastEthernet 0\/0/,
		/Calling-Station-Id = 02-00-00-00-00-01/,
		/Called-Station-Id = 02-AA-00-00-00-07:campus/,
		/Framed-IP-Address = 10.1.0.9/,
		/Sdx-Service-Name = gold/,
		/Acct-Authentic = RADIUS/,
		/Acct-Delay-Time = 0/,
		/Event-Timestamp/,
	]) {
		assert.match(text, line)
	}
	assert.not.match(text, /Octets|Terminate-Cause|Session-Time/)
	assert.ok(Buffer.from(packet).includes(Buffer.from([25, 11, ...Buffer.from('gold-2026')])))
})

test('a Stop has its cause and its length; a class of octets comes as octets', () => {
	const packet = accountingPacket(stopped, { ...packetSettings, delaySeconds: 4 })
	const text = attributesOf(packet)
	assert.match(text, /Acct-Status-Type = Stop/)
	assert.match(text, /Acct-Session-Time = 3600/)
	assert.match(text, /Acct-Terminate-Cause = User-Request/)
	assert.match(text, /Acct-Delay-Time = 4/)
	// Nothing says who it was: the MAC address stands in.
	assert.match(text, /User-Name = 02-00-00-00-00-01/)
	assert.ok(Buffer.from(packet).includes(Buffer.from([25, 4, 0, 255])))
})

test('text that is too long for an attribute is cut between characters, a class left out', () => {
	const long = { ...started, userName: 'ü'.repeat(200), radiusClass: 'x'.repeat(254) }
	const packet = accountingPacket(long, packetSettings)
	assert.ok(verifyAccountingRequest(packet, packet.length, key))
	assert.ok(Buffer.from(packet).includes(Buffer.from([1, 254, ...Buffer.from('ü'.repeat(126))])))
	assert.not.match(attributesOf(packet), /Class/)
})

function answerTo(packet: Uint8Array): Uint8Array {
	const answer = Uint8Array.of(5, packet[1]!, 0, 20, ...new Uint8Array(16))
	signResponse(answer, 20, packet, 4, key)
	return answer
}
const delayOf = (packet: Uint8Array) =>
	Number(/Acct-Delay-Time = (\d+)/.exec(attributesOf(packet))![1])

test('a record is sent until it is answered, as a new packet with its delay each time', () => {
	const queue = newAccountingQueue(key, 'n')
	offerRecord(queue, started, 0)
	const first = duePackets(queue, 0)
	assert.is(first.length, 1)
	assert.equal(duePackets(queue, 2999), [])
	const second = duePackets(queue, 3000)
	assert.is(second.length, 1)
	assert.is.not(second[0]![1], first[0]![1])
	assert.is(delayOf(first[0]!), 0)
	assert.is(delayOf(second[0]!), 3)
	assert.equal(duePackets(queue, 8999), [])
	assert.is(delayOf(duePackets(queue, 9000)[0]!), 9)
	// The answer to any of them settles it, once.
	assert.ok(heardAnswer(queue, answerTo(first[0]!)))
	assert.not.ok(heardAnswer(queue, answerTo(second[0]!)))
	assert.is(unanswered(queue), 0)
	assert.equal(duePackets(queue, giveUpMs), [])
	assert.equal(queue.counts, {
		records: 1,
		answered: 1,
		lost: 0,
		packets: 3,
		repeats: 2,
		ignored: 1,
	})
})

test('answers that are forged, of another code or to nothing are ignored', () => {
	const queue = newAccountingQueue(key, 'n')
	offerRecord(queue, started, 0)
	const [packet] = duePackets(queue, 0)
	const forged = answerTo(packet!)
	forged[4]! ^= 1
	const other = answerTo(packet!)
	other[0] = 2
	const nothing = answerTo(packet!)
	nothing[1] = 99
	for (const datagram of [forged, other, nothing, new Uint8Array(0), new Uint8Array(3)]) {
		assert.not.ok(heardAnswer(queue, datagram))
	}
	assert.is(queue.counts.ignored, 5)
	assert.is(unanswered(queue), 1)
})

test('the queue is bounded, and a record is given up in the end', () => {
	const queue = newAccountingQueue(key, 'n')
	for (let i = 0; i < queueLimit; i++) assert.ok(offerRecord(queue, started, 0))
	assert.not.ok(offerRecord(queue, started, 0))
	assert.is(queue.counts.lost, 1)
	const underWay = duePackets(queue, 0).length
	assert.ok(underWay > 0 && underWay < 256)
	const identifiers = new Set(duePackets(queue, 3000).map(packet => packet[1]))
	assert.is(identifiers.size, underWay)
	duePackets(queue, giveUpMs)
	assert.is(queue.counts.lost, 1 + underWay)
})

test.run()
