/** The SRC protocol: every example of its document, and everything that is refused. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	decodeOctets,
	encodeOctets,
	relayAgent,
	relayAgentSubOption,
	reportable,
} from '../domain/sae/dhcp-options.ts'
import {
	decodeAnswer,
	decodeQuestion,
	encodeMessage,
	maximumMessageLength,
	type QuestionKind,
	questionKinds,
	subjectOf,
	subjectToken,
} from '../domain/sae/protocol.ts'

const document = readFileSync(`${import.meta.dirname}/../infra/src-protocol.md`, 'utf8')
const examples = [...document.matchAll(/```json (\w+) (question|answer)\n(.*?)```/gs)].map(
	([, kind, direction, json]) => ({
		kind: kind as QuestionKind,
		direction: direction!,
		json: json!,
	}),
)

function decode({ kind, direction, json }: (typeof examples)[number]) {
	return direction === 'question' ? decodeQuestion(kind, json) : decodeAnswer(kind, json)
}

test('the document shows every message', () => {
	const shown = new Set(examples.map(({ kind, direction }) => `${kind} ${direction}`))
	const all = questionKinds.flatMap(kind => [`${kind} question`, `${kind} answer`])
	assert.equal([...shown].sort(), all.sort())
})

for (const [index, example] of examples.entries()) {
	test(`example ${index + 1} of the document: ${example.kind} ${example.direction}`, () => {
		const decoded = decode(example)
		assert.not.ok('why' in decoded, 'why' in decoded ? decoded.why : '')
		if ('why' in decoded) return
		const { v, id, ...fields } = JSON.parse(example.json)
		assert.is(v, 1)
		assert.is(decoded.id, id)
		// Nothing of it is unknown, and nothing is lost.
		assert.equal(decoded.body, fields)
		assert.equal(decode({ ...example, json: encodeMessage(id, decoded.body) }), decoded)
	})
}

const question = {
	interfaceName: 'ge-0/0/0',
	macAddress: '02-00-00-00-00-01',
	virtualRouterName: 'default',
	dhcpOptions: {},
}

function whyNot(change: object, kind: QuestionKind = 'discover'): string {
	const decoded = decodeQuestion(kind, encodeMessage('q-1', { ...question, ...change }))
	return 'why' in decoded ? decoded.why : 'accepted'
}

const refused: readonly (readonly [object, string])[] = [
	[{ macAddress: undefined }, 'Field "macAddress" is missing; it must be a MAC address'],
	[{ macAddress: '02:00:00:00:00:01' }, 'not "02:00:00:00:00:01"'],
	[{ macAddress: '02-00-00-00-00-0a' }, 'Field "macAddress" must be a MAC address'],
	[{ giaddr: '10.1.0' }, 'Field "giaddr" must be an IPv4 address such as 10.1.0.9, not "10.1.0".'],
	[{ giaddr: '10.01.0.1' }, 'Field "giaddr"'],
	[{ interfaceName: '' }, 'Field "interfaceName" must be text of 1 to 1024 characters'],
	[{ userName: 'x'.repeat(1025) }, 'Field "userName" must be text'],
	[{ userName: null }, 'Field "userName" must be text of 1 to 1024 characters, not null.'],
	[{ dhcpOptions: [] }, 'Field "dhcpOptions" must be an object from DHCP option numbers'],
	[{ dhcpOptions: { 0: '' } }, 'Field "dhcpOptions"'],
	[{ dhcpOptions: { 255: '' } }, 'Field "dhcpOptions"'],
	[{ dhcpOptions: { '012': '' } }, 'Field "dhcpOptions"'],
	[{ dhcpOptions: { 12: 'bGFwdG9w=' } }, 'Field "dhcpOptions"'],
	[{ dhcpOptions: { 12: 17 } }, 'Field "dhcpOptions"'],
]
for (const [change, why] of refused) {
	test(`a discover question is refused: ${JSON.stringify(change).slice(0, 60)}`, () => {
		assert.ok(whyNot(change).includes(why), whyNot(change))
	})
}

test('an address report and a deletion are held to their own fields', () => {
	assert.match(whyNot({ event: 'LOGIN' }, 'address'), 'must be one of ADDR or AUTHADDR')
	const report = { event: 'ADDR', ipAddress: '10.1.0.9', at: 1 }
	assert.is(whyNot(report, 'address'), 'accepted')
	assert.match(whyNot({ ...report, at: -1 }, 'address'), 'Field "at" must be a time')
	assert.match(whyNot({ ...report, leaseTime: 2 ** 32 }, 'address'), 'Field "leaseTime"')
	const deletion = { ipAddress: '10.1.0.9', since: 1, at: 2, cause: 'Reboot' }
	assert.match(whyNot(deletion, 'delete'), 'User-Request, Lost-Carrier, Idle-Timeout')
	assert.is(whyNot({ ...deletion, cause: 'Admin-Reset' }, 'delete'), 'accepted')
})

test('what is no message of this version says so, with the id where there is one', () => {
	const why = (json: string) => {
		const decoded = decodeQuestion('discover', json)
		if (!('why' in decoded)) throw new Error('it was accepted')
		return decoded
	}
	assert.equal(why('{'), { why: 'The message is no JSON.' })
	assert.equal(why('[1]'), { why: 'The message is no JSON object.' })
	assert.equal(why('null'), { why: 'The message is no JSON object.' })
	assert.match(why('{"v":1}').why, 'Field "id" is missing')
	assert.match(why(JSON.stringify({ v: 1, id: 'x'.repeat(65) })).why, 'Field "id"')
	assert.match(why(`"${' '.repeat(maximumMessageLength)}"`).why, 'shorten it')
	const older = why(JSON.stringify({ v: 0, id: 'q-1', ...question }))
	assert.is(older.id, 'q-1')
	assert.match(older.why, 'Field "v" is 0 and this side speaks version 1')
	assert.match(why('{"id":"q-1"}').why, 'Field "v" is missing')
})

test('fields that this version does not know are passed over', () => {
	const decoded = decodeQuestion('discover', encodeMessage('q', { ...question, colour: 'red' }))
	assert.equal(decoded, { id: 'q', body: question })
})

test('any octets come back from base64', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), octets => {
			const text = encodeOctets(octets)
			assert.is(text, Buffer.from(octets).toString('base64'))
			assert.equal([...decodeOctets(text)], [...octets])
		}),
		{ seed: 1, numRuns: 200 },
	)
})

test('RFC 3046: sub-options of option 82, and what does not hold together', () => {
	const options = (hex: string) => ({ 82: Buffer.from(hex, 'hex').toString('base64') })
	const circuit = (hex: string) => relayAgentSubOption(options(hex), relayAgent.circuitId)
	assert.is(Buffer.from(circuit('0203aabbcc0105766c616e37')!).toString(), 'vlan7')
	assert.is(circuit('0203aabbcc'), undefined)
	assert.is(circuit('01057600'), undefined)
	assert.is(circuit('01'), undefined)
	assert.is(relayAgentSubOption({}, 1), undefined)
	assert.equal(circuit('0100'), new Uint8Array(0))
})

test('an address report carries eleven options', () => {
	const all = Object.fromEntries(Array.from({ length: 254 }, (_, i) => [i + 1, 'AA==']))
	assert.equal(
		Object.keys(reportable(all))
			.map(Number)
			.sort((a, b) => a - b),
		[1, 3, 6, 12, 15, 44, 46, 51, 55, 61, 82],
	)
})

test('no name of a virtual router reaches another subject', () => {
	assert.is(subjectOf('discover', 'default'), 'radledger.src.default.discover')
	assert.is(subjectOf('delete'), 'radledger.src.*.delete')
	assert.is(subjectToken('east.1'), 'east%2E1')
	assert.is(subjectToken('*'), '%2A')
	assert.is(subjectToken('a b>ü'), 'a%20b%3E%C3%BC')
	assert.is.not(subjectToken('%2A'), subjectToken('*'))
})

test.run()
