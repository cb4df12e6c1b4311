/** Classification rules: what they decide, and how their errors read. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeOctets } from '../domain/sae/dhcp-options.ts'
import type { Decision, DiscoverRequest } from '../domain/sae/protocol.ts'
import { choosePool, decide, type Rules, realmOf } from '../domain/sae/rules.ts'
import { describeRulesError, parseRules } from '../domain/sae/rules-text.ts'
import { isOpen, utcClock, weekClock } from '../domain/sae/week-time.ts'

function rulesOf(text: string): Rules {
	const parsed = parseRules(text)
	if ('rules' in parsed) return parsed.rules
	throw new Error(parsed.errors.map(error => describeRulesError('rules', error)).join('\n'))
}

function errorsOf(text: string): string[] {
	const parsed = parseRules(text)
	return 'rules' in parsed ? [] : parsed.errors.map(error => describeRulesError('r', error))
}

const octets = (hex: string) => encodeOctets(Uint8Array.from(Buffer.from(hex, 'hex')))

const subscriber: DiscoverRequest = {
	interfaceName: 'FastEthernet 0/0',
	macAddress: '02-00-DE-00-00-01',
	virtualRouterName: 'east',
	// vlan7 and 0x00FF.
	dhcpOptions: { 82: octets('0105766c616e37020200ff') },
	userName: 'alice@Example.org',
	radiusClass: 'staff',
	serviceBundle: 'gold',
	wap: '02-AA-00-00-00-07',
	ssid: 'campus 5G',
	giaddr: '10.1.2.3',
	ifAlias: 'building 7',
	ifDesc: 'vlan eth0.7',
	nasPortId: 'wlan0',
}
/** 2026-07-01 was a Wednesday. */
const wednesday = (time: string) => Date.parse(`2026-07-01T${time}:00Z`)
const noon = wednesday('12:00')

function ask(
	text: string,
	change: { [K in keyof DiscoverRequest]?: DiscoverRequest[K] | undefined } = {},
	nowMs = noon,
): Decision {
	return decide(rulesOf(text), { ...subscriber, ...change } as DiscoverRequest, nowMs)
}

/** Whether a rule with that criterion takes the subscriber. */
function matches(criterion: string, change: object = {}, nowMs = noon): boolean {
	const text = `rule r\n  match ${criterion}\n  pool yes\ndefault\n  pool no\n`
	return ask(text, change, nowMs).poolName === 'yes'
}

const table: readonly (readonly [string, boolean, object?])[] = [
	['user alice@Example.org', true],
	['user alice@example.org', false],
	['user alice@*', true],
	['user *', true],
	['user *', false, { userName: undefined }],
	['user ?lice@*.org', true],
	['user lice', false],
	['user "*"', false],
	['user "*"', true, { userName: '*' }],
	['user bob carol alice@Example.org', true],
	['user /^al.*org$/', true],
	['user /ALICE/', false],
	['user /ALICE/i', true],
	['user /@example\\.org$/i', true],
	['user /a_i/', false],
	['user /^\\w+@/', true],
	['user /\\D/i', true, { userName: 'x' }],
	['user /^\\D$/i', false, { userName: '7' }],
	['realm example.org', true],
	['realm EXAMPLE.ORG', true],
	['realm *.org', true],
	['realm org', false],
	['realm corp', true, { userName: 'CORP\\alice' }],
	['realm example.org', false, { userName: 'alice' }],
	['class staff', true],
	['class Staff', false],
	['service-bundle gold silver', true],
	['service-bundle gold', false, { serviceBundle: undefined }],
	['wap 02-aa-00-00-00-07', true],
	['wap 02-AA-*', true],
	['ssid "campus 5G"', true],
	['ssid campus*', true],
	['ssid campus', false],
	['interface FastEthernet*', true],
	['if-alias "building 7"', true],
	['if-alias *', false, { ifAlias: undefined }],
	['if-desc vlan*', true],
	['if-desc ethernet*', false],
	['nas-port-id wlan?', true],
	['nas-port-id 17', true, { nasPortId: '17' }],
	['nas-port-id *', false, { nasPortId: undefined }],
	['virtual-router east', true],
	['circuit-id vlan7', true],
	['circuit-id /^vlan[0-9]+$/', true],
	['circuit-id vlan7', false, { dhcpOptions: {} }],
	['remote-id 0x00ff', true],
	['mac-prefix 02-00-DE', true],
	['mac-prefix 02:00:de', true],
	['mac-prefix 0200.de', true],
	['mac-prefix 02-00-D', true],
	['mac-prefix 02-00-DF', false],
	['mac-prefix FF 02', true],
	['mac-prefix 02-00-DE-00-00-01', true],
	['giaddr 10.1.0.0/16', true],
	['giaddr 10.2.0.0/16', false],
	['giaddr 10.1.2.3', true],
	['giaddr 0.0.0.0/0', true],
	['giaddr 0.0.0.0/0', false, { giaddr: undefined }],
	['giaddr 192.168.0.0/24 10.1.2.0/30', true],
	['giaddr 200.0.0.0/8', true, { giaddr: '200.255.0.1' }],
	['not realm example.org', false],
	['not realm example.net', true],
	['not realm example.net', true, { userName: undefined }],
	['not ssid a b', true],
]
for (const [criterion, expected, change] of table) {
	test(`match ${criterion}${change ? ` of ${JSON.stringify(change)}` : ''}: ${expected}`, () => {
		assert.is(matches(criterion, change), expected)
	})
}

const times: readonly (readonly [string, string, boolean])[] = [
	['time 08:00-18:00', '08:00', true],
	['time 08:00-18:00', '07:59', false],
	['time 08:00-18:00', '17:59', true],
	['time 08:00-18:00', '18:00', false],
	['time mon-fri 08:00-18:00', '12:00', true],
	['time sat,sun 08:00-18:00', '12:00', false],
	['time sat-wed 08:00-18:00', '12:00', true],
	['time thu-tue 08:00-18:00', '12:00', false],
	['time wed 22:00-06:00', '23:00', true],
	// Wednesday 05:00 belongs to Tuesday's window.
	['time wed 22:00-06:00', '05:00', false],
	['time tue 22:00-06:00', '05:00', true],
	['time daily 00:00-24:00', '23:59', true],
	['time sat 08:00-09:00 wed 11:00-12:30', '12:00', true],
	// Summer time: 08:00 in Berlin is 06:00 UTC.
	['time 08:00-09:00 Europe/Berlin', '06:30', true],
	['time 08:00-09:00 Europe/Berlin', '08:30', false],
	['time thu 08:00-09:00 Pacific/Auckland', '20:30', true],
]
for (const [criterion, at, expected] of times) {
	test(`match ${criterion} on Wednesday ${at} UTC: ${expected}`, () => {
		assert.is(matches(criterion, {}, wednesday(at)), expected)
	})
}

test("the file's time zone holds where a criterion names none", () => {
	const text = (zone: string) =>
		`time-zone America/New_York\nrule r\n  match time 08:00-09:00${zone}\n  pool yes\ndefault\n  pool no\n`
	assert.is(ask(text(''), {}, wednesday('12:30')).poolName, 'yes')
	assert.is(ask(text(' UTC'), {}, wednesday('12:30')).poolName, 'no')
})

test('UTC by arithmetic is the UTC of the calendar', () => {
	const calendar = weekClock('Etc/UTC')!
	fc.assert(
		fc.property(fc.integer({ min: 0, max: 4e12 }), at => assert.equal(utcClock(at), calendar(at))),
		{ seed: 2, numRuns: 200 },
	)
	const window = { days: [true, ...Array(6).fill(false)], from: 60, until: 30 }
	assert.ok(isOpen(window, { day: 1, minute: 29 }))
	assert.not.ok(isOpen(window, { day: 1, minute: 30 }))
})

test('the realm of a user name', () => {
	assert.is(realmOf('a@b@c'), 'c')
	assert.is(realmOf('DOM\\a'), 'DOM')
	assert.is(realmOf('a'), undefined)
	assert.is(realmOf(undefined), undefined)
})

const sample = `
service gold
  class gold-2026   # of the service
rule staff
  match realm example.org
  match ssid "campus 5G"
  pool staff-pool weight 3
  pool staff-pool-2 weight 1
  service gold
  lease 3600
rule blocked
  match mac-prefix 02-00-DE
  reject "no service for this vendor"
rule fixed
  match user fixed
  address 10.1.0.9
  class own
  service gold
  user-name other
  option 12 "lap top"
  option 43 0x0104ff
  option 42 10.0.0.1
  boot-server boot.example.org
  boot-file pxe.0
  virtual-router west
  local-interface "loopback 0"
rule silent
  match user silent
  reject
default
  pool guests
`

test('the first rule whose criteria all hold decides', () => {
	const staff = ask(sample)
	assert.is(staff.accept, true)
	assert.is(staff.serviceBundle, 'gold')
	assert.is(staff.radiusClass, 'gold-2026')
	assert.is(staff.leaseTime, 3600)
	assert.is(staff.reason, 'rule staff')
	assert.match(staff.poolName!, /^staff-pool/)
	assert.equal(ask(sample, { ssid: 'campus' }), {
		accept: false,
		reason: 'no service for this vendor',
	})
	const mac = { macAddress: '02-00-00-00-00-01' }
	assert.equal(ask(sample, { ...mac, ssid: 'x' }), {
		accept: true,
		poolName: 'guests',
		reason: 'default',
	})
	assert.equal(ask(sample, { ...mac, userName: 'silent' }), {
		accept: false,
		reason: 'rule silent',
	})
	assert.equal(ask(sample, { ...mac, userName: 'fixed' }), {
		accept: true,
		ipAddress: '10.1.0.9',
		radiusClass: 'own',
		serviceBundle: 'gold',
		userName: 'other',
		dhcpOptions: { 12: octets('6c617020746f70'), 42: octets('0a000001'), 43: octets('0104ff') },
		bootServerName: 'boot.example.org',
		bootFileName: 'pxe.0',
		virtualRouter: 'west',
		localInterface: 'loopback 0',
		reason: 'rule fixed',
	})
})

test("the document's rules are rules", () => {
	const document = readFileSync(`${import.meta.dirname}/../infra/src-protocol.md`, 'utf8')
	const text = document.match(/```rules\n(.*?)```/s)![1]!
	const mac = { macAddress: '02-00-00-00-00-01' }
	assert.is(ask(text, { ...mac, ssid: 'x' }).reason, 'rule printers')
	const elsewhere = { ...mac, ssid: 'x', giaddr: '10.2.0.1' }
	assert.is(ask(text, elsewhere).poolName, 'guests')
	const building = { ...elsewhere, ifAlias: 'access points, building 7', nasPortId: '17' }
	assert.is(ask(text, building).poolName, 'building-7')
})

const macs = Array.from({ length: 4000 }, (_, i) => {
	const digits = i.toString(16).toUpperCase().padStart(4, '0')
	return `02-00-00-00-${digits.slice(0, 2)}-${digits.slice(2)}`
})

test('weights are shares, and the choice depends on the MAC address alone', () => {
	const pools = [
		{ name: 'a', weight: 3 },
		{ name: 'b', weight: 1 },
	]
	const chosen = macs.map(mac => choosePool(pools, mac))
	const share = chosen.filter(name => name === 'a').length / macs.length
	assert.ok(Math.abs(share - 0.75) < 0.03, `${share}`)
	assert.equal(
		chosen,
		macs.map(mac => choosePool([...pools].reverse(), mac)),
	)
	// Written down once: copies of other releases must choose alike.
	const three = [...pools, { name: 'c', weight: 2 }]
	const first = macs.slice(0, 12).map(mac => choosePool(three, mac))
	assert.is(first.join(''), 'aaacbabacbaa')
})

test('a pool more moves only the subscribers that it gets', () => {
	const before = [
		{ name: 'a', weight: 1 },
		{ name: 'b', weight: 1 },
	]
	const after = [...before, { name: 'c', weight: 1 }]
	let moved = 0
	for (const mac of macs) {
		const [old, now] = [choosePool(before, mac), choosePool(after, mac)]
		if (old === now) continue
		assert.is(now, 'c')
		moved++
	}
	assert.ok(Math.abs(moved / macs.length - 1 / 3) < 0.03, `${moved}`)
})

const end = 'default\n  pool guests\n'
const faulty: readonly (readonly [string, string])[] = [
	['', 'r:1:1: The last section, "default", is missing'],
	['rule a\n  match user x\n  pool p\n', 'r:4:1: The last section, "default", is missing'],
	[`  pool p\n${end}`, 'r:1:3: "pool" belongs to no section; write "rule NAME"'],
	[`pool p\n${end}`, 'r:1:1: "pool" begins no section; write rule, default, service or time-zone'],
	[`rule\n${end}`, "r:1:6: The rule's name is missing"],
	[`rule a b\n${end}`, 'r:1:8: "b" is one word too many'],
	[`rule default\n${end}`, 'r:1:6: No rule may be named default'],
	[`rule a\n  pool p\n${end}`, 'r:1:1: Rule a holds always; add a match'],
	[`rule a\n  match user x\n${end}`, 'r:1:1: Rule a decides nothing; add a pool'],
	['default\n', 'r:1:1: The default decides nothing'],
	['default\n  match user x\n  pool p\n', 'r:2:3: "default" holds always'],
	[
		`${end}rule a\n  match user x\n  pool p\n`,
		'r:3:1: Nothing behind "default" would ever be reached',
	],
	[`${end}${end}`, 'r:3:1: Nothing behind "default"'],
	[
		`rule a\n  match user x\n  pool p\nrule a\n  match user x\n  pool p\n${end}`,
		'r:4:6: There is a rule a already',
	],
	[`rule a\n  mach user x\n  pool p\n${end}`, 'r:2:3: A rule has no "mach"; write match, pool,'],
	[
		`rule a\n  match usr x\n  pool p\n${end}`,
		'r:2:9: There is no criterion "usr"; write user, realm',
	],
	[`rule a\n  match\n  pool p\n${end}`, 'r:2:9: A criterion is missing'],
	[`rule a\n  match user\n  pool p\n${end}`, 'r:2:14: What user must be is missing'],
	[
		`rule a\n  match user /(a/\n  pool p\n${end}`,
		'r:2:14: The expression cannot be read: a "(" has no ")"',
	],
	[`rule a\n  match user /a{3}/\n  pool p\n${end}`, '"{" does not count repetitions here'],
	[`rule a\n  match user /a\\b/\n  pool p\n${end}`, '"\\b" has no meaning here'],
	[
		`rule a\n  match user /a/x\n  pool p\n${end}`,
		'r:2:17: An expression ends with its second slash',
	],
	[`rule a\n  match user /a\n  pool p\n${end}`, 'r:2:14: This expression does not end'],
	[
		`rule a\n  match ssid "a\n  pool p\n${end}`,
		'r:2:14: This text does not end; write " behind it.',
	],
	[`rule a\n  match mac-prefix 02-0G\n  pool p\n${end}`, 'r:2:20: "02-0G" begins no MAC address'],
	[
		`rule a\n  match giaddr 10.1.2.3/16\n  pool p\n${end}`,
		'r:2:16: "10.1.2.3/16" is a host in its network',
	],
	[`rule a\n  match giaddr 10.1/33\n  pool p\n${end}`, 'r:2:16: "10.1/33" is no IPv4 network'],
	[`rule a\n  match time mon-fri\n  pool p\n${end}`, 'r:2:22: The hours are missing'],
	[`rule a\n  match time 25:00-26:00\n  pool p\n${end}`, 'r:2:14: "25:00-26:00" is no time of day'],
	[`rule a\n  match time 08:00-08:00\n  pool p\n${end}`, '"08:00-08:00" is no time of day'],
	[
		`rule a\n  match time 08:00-09:00 Mars/Base\n  pool p\n${end}`,
		'r:2:26: There is no time zone "Mars/Base"',
	],
	[`rule a\n  match time moon 08:00-09:00\n  pool p\n${end}`, 'r:2:14: "moon" cannot stand here'],
	[`time-zone Nowhere\n${end}`, 'r:1:11: There is no time zone "Nowhere"'],
	[
		`rule a\n  match user x\n  pool p weight 0\n${end}`,
		'r:3:17: "0" cannot be a weight; write 1 to 1000000.',
	],
	[
		`rule a\n  match user x\n  pool p 3\n${end}`,
		'r:3:10: "3" cannot stand here; write "weight N".',
	],
	[`rule a\n  match user x\n  pool p\n  pool p\n${end}`, 'r:4:8: This rule has the pool p already'],
	[`rule a\n  match user x\n  lease 1\n  lease 2\n${end}`, 'r:4:3: This rule has a lease already'],
	[`rule a\n  match user x\n  lease 0\n${end}`, 'r:3:9: "0" cannot be seconds'],
	[`rule a\n  match user x\n  address 10.1\n${end}`, 'r:3:11: "10.1" is no IPv4 address'],
	[
		`rule a\n  match user x\n  pool p\n  reject\n${end}`,
		'r:4:3: A rule that rejects cannot have pool too',
	],
	[
		`rule a\n  match user x\n  reject\n  pool p\n${end}`,
		'r:4:3: A rule that rejects cannot have pool too',
	],
	[`rule a\n  match user x\n  reject no service\n${end}`, 'r:3:13: "service" is one word too many'],
	[`rule a\n  match user x\n  option 255 x\n${end}`, 'r:3:10: "255" cannot be an option'],
	[`rule a\n  match user x\n  option 12 0x1\n${end}`, 'r:3:13: Octets have two hexadecimal digits'],
	[`rule a\n  match user x\n  service ""\n${end}`, 'r:3:11: An empty text'],
	[`service g\n  class a\n  class b\n${end}`, 'r:3:3: This service has a class already'],
	[`service g\nservice g\n${end}`, 'r:2:9: Service g is defined already'],
	[`service g\n  pool x\n${end}`, 'r:2:3: A service has no "pool"; write "class TEXT".'],
	[
		`service gold\ndefault\n  service gld\n`,
		'r:3:11: There is no service gld; define it, or write gold.',
	],
	[`default\n  class ${'x'.repeat(254)}\n`, 'r:2:9: A class has at most 253 octets'],
	[`${'#'.repeat(1025)}\n${end}`, 'r:1:1: A line has at most 1024 characters'],
]
for (const [text, expected] of faulty) {
	test(`refused: ${expected}`, () => {
		const errors = errorsOf(text)
		assert.is(errors.length, 1, errors.join('\n'))
		assert.ok(errors[0]!.includes(expected), errors[0])
	})
}

test('every error is reported, in the order of the lines', () => {
	const errors = errorsOf('rule a b\n  mach x\nrule c\n  mach x\n  lease x\nend\n')
	assert.equal(
		errors.map(error => error.split(': ')[0]),
		['r:1:8', 'r:4:3', 'r:5:9', 'r:6:1', 'r:7:1'],
	)
})

test('a part of the file is refused as a whole', () => {
	const lines = sample.split('\n')
	for (let count = 0; count < lines.length - 2; count++) {
		assert.ok(errorsOf(lines.slice(0, count).join('\n')).length > 0, `${count} lines`)
	}
})

test('no text makes the parser throw', () => {
	const word = fc.constantFrom(
		'rule',
		'default',
		'match',
		'time',
		'"',
		'/a',
		'0x',
		'pool',
		'#',
		'\\',
	)
	const line = fc.array(fc.oneof(word, fc.string({ maxLength: 6 })), { maxLength: 5 })
	const text = fc.array(
		line.map(words => words.join(' ')),
		{ maxLength: 8 },
	)
	fc.assert(
		fc.property(text, lines => {
			parseRules(lines.join('\n  '))
		}),
		{ seed: 3, numRuns: 500 },
	)
})

test('a glob and an expression of the worst kind are done in no time', () => {
	const text = `rule r\n  match user ${'*a'.repeat(60)}\n  match user /^(a+)+$/\n  match user /(a|a)*b/\n  pool yes\n${end}`
	const begin = performance.now()
	assert.is(ask(text, { userName: `${'a'.repeat(1000)}!` }).poolName, 'guests')
	assert.ok(performance.now() - begin < 1000)
})

test.run()
