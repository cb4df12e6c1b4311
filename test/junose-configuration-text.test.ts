import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	type Configuration,
	type DhcpExternal,
	type DhcpLocal,
	type DhcpPool,
	type DynamicRequestServer,
	initialConfiguration,
	newVirtualRouter,
	relayServerDefaults,
	type Service,
	type SrcSettings,
	type UpstreamServer,
	upstreamServerDefaults,
	type VirtualRouter,
} from '../domain/configuration.ts'
import {
	configurationLines,
	configurationText,
	describeError,
	parseConfiguration,
	virtualRouterLines,
} from '../domain/junose/configuration-text.ts'
import { configurationConflict } from '../domain/junose/conflicts.ts'
import { addressNumber, addressText } from '../domain/junose/parameter.ts'
import { relayServersTable, upstreamServersTable } from '../domain/junose/tables.ts'
import { fakeOperator, typeLines } from './fake-operator.ts'

function read(text: string): Configuration {
	const result = parseConfiguration(text, 'test.conf')
	if ('errors' in result) throw new Error(result.errors.map(describeError).join('\n'))
	return result.configuration
}

function errorsOf(text: string): readonly string[] {
	const result = parseConfiguration(text, 'test.conf')
	return 'errors' in result ? result.errors.map(describeError) : []
}

// ---- Any configuration ----

const name = (maximum: number) =>
	fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, { maxLength: maximum })
const host = fc.integer({ min: 2 ** 24, max: 0xdfffffff }).map(addressText)
const secret = (maximum: number) =>
	fc
		.string({ unit: 'grapheme', minLength: 1, maxLength: maximum })
		.filter(s => [...s].length <= maximum && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(s))
const port = fc.integer({ min: 1, max: 65535 })

const client = fc
	.tuple(fc.nat(0xffffffff), fc.nat(32), secret(32))
	.map(([address, length, text]) => {
		const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
		return { address: addressText((address & mask) >>> 0), mask: addressText(mask), secret: text }
	})
const relayServer = fc.record({
	clients: fc.uniqueArray(client, { maxLength: 4, selector: c => `${c.address} ${c.mask}` }),
	udpPort: port,
	listenAddress: fc.oneof(fc.constant('0.0.0.0'), host),
	messageAuthenticator: fc.constantFrom('require', 'auto', 'optional'),
})
const upstreamServer: fc.Arbitrary<UpstreamServer> = fc.record(
	{
		address: fc.oneof(host, fc.constantFrom('radius.example.org', 'a-1.b', 'localhost')),
		udpPort: port,
		timeoutSeconds: fc.integer({ min: 1, max: 1000 }),
		retransmit: fc.nat(100),
		deadtimeMinutes: fc.nat(1440),
		maxSessions: fc.integer({ min: 10, max: 32000 }),
		key: secret(200),
	},
	{
		requiredKeys: [
			...(['address', 'udpPort', 'timeoutSeconds', 'retransmit'] as const),
			...(['deadtimeMinutes', 'maxSessions'] as const),
		],
	},
)
const upstreamServers = fc.uniqueArray(upstreamServer, { maxLength: 3, selector: s => s.address })
const relay = fc.record(
	{ authentication: relayServer, accounting: relayServer },
	{ requiredKeys: [] },
)
const dynamicRequestServer: fc.Arbitrary<DynamicRequestServer> = fc.record(
	{
		address: host,
		udpPort: port,
		subscriberDisconnect: fc.boolean(),
		authorizationChange: fc.boolean(),
		key: secret(200),
	},
	{ requiredKeys: ['address', 'udpPort', 'subscriberDisconnect', 'authorizationChange'] },
)
const disconnectClient = fc.record({ address: host, key: secret(200), udpPort: port })

const mac = fc
	.array(fc.nat(255), { minLength: 6, maxLength: 6 })
	.map(octets => octets.map(o => o.toString(16).toUpperCase().padStart(2, '0')).join('-'))
const servers = fc.uniqueArray(host, { maxLength: 2 })
const domainName = fc.stringMatching(/^([a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?\.){0,3}[a-z]{2,5}$/)
/** Below `start`, with hosts of it reserved. */
const network = (start: number) =>
	fc
		.record({
			length: fc.integer({ min: 8, max: 30 }),
			bits: fc.nat(2 ** 24 - 1),
			reserved: fc.uniqueArray(fc.tuple(fc.nat(2 ** 24), mac), {
				maxLength: 3,
				selector: r => r[1],
			}),
		})
		.map(({ length, bits, reserved }) => {
			const mask = (0xffffffff << (32 - length)) >>> 0
			const first = ((start + bits) & mask) >>> 0
			const hosts = 2 ** (32 - length) - 2
			const addresses = reserved.map(([n]) => addressText(first + 1 + (n % hosts)))
			return {
				network: { address: addressText(first), mask: addressText(mask) },
				reservations: reserved
					.map(([, of], i) => ({ address: addresses[i]!, mac: of }))
					.filter(({ address }, i) => addresses.indexOf(address) === i),
			}
		})
/** A pool whose network, if it has one, is in the block that begins at `start`. */
const pool = (start: number): fc.Arbitrary<DhcpPool> =>
	fc
		.record(
			{
				name: secret(64),
				defaultRouters: servers,
				dnsServers: servers,
				netbiosNameServers: servers,
				netbiosNodeType: fc.constantFrom('b-node', 'p-node', 'm-node', 'h-node'),
				leaseSeconds: fc.nat(3650 * 24 * 3600),
				warning: fc.uniqueArray(fc.nat(100), { minLength: 2, maxLength: 2 }),
				gracePeriodSeconds: fc.nat(30 * 24 * 3600),
				addresses: fc.oneof(fc.constant({ reservations: [] }), network(start)),
				domainName,
			},
			{
				requiredKeys: [
					...(['name', 'defaultRouters', 'dnsServers', 'netbiosNameServers'] as const),
					...(['netbiosNodeType', 'leaseSeconds', 'warning', 'gracePeriodSeconds'] as const),
					'addresses',
				],
			},
		)
		.map(({ warning, addresses, ...rest }) => ({
			...rest,
			...addresses,
			warningHigh: Math.max(...warning),
			warningAbated: Math.min(...warning),
		}))
/** Every pool may be linked to a later one, or to one that is not there: no circle. */
const dhcpPools = fc
	.tuple(pool(10 * 2 ** 24), pool(11 * 2 ** 24), pool(12 * 2 ** 24), fc.array(fc.nat(4)), fc.nat(3))
	.map(([a, b, c, links, count]) => {
		const all = [a, b, c].filter((p, i, every) => every.findIndex(q => q.name === p.name) === i)
		return all.slice(0, count).map((p, i): DhcpPool => {
			const link = [undefined, all[i + 1]?.name, all[i + 2]?.name, 'nowhere'][links[i] ?? 0]
			return link === undefined || link === p.name ? p : { ...p, link }
		})
	})
const range = fc
	.uniqueArray(host, { minLength: 1, maxLength: 2 })
	.map(ends => ends.sort((a, b) => addressNumber(a)! - addressNumber(b)!))
	.map(ends => ({ from: ends[0]!, to: ends.at(-1)! }))
const dhcpLocal: fc.Arbitrary<DhcpLocal> = fc.record(
	{
		pools: dhcpPools,
		excluded: fc.uniqueArray(range, { maxLength: 3, selector: r => `${r.from} ${r.to}` }),
		ping: fc.boolean(),
		interfaces: fc.uniqueArray(
			fc.stringMatching(/^[!-.0-9;-~]{1,15}$/).filter(s => s !== '.' && s !== '..'),
			{ maxLength: 3 },
		),
		service: fc.constantFrom('equal-access', 'standalone', 'standalone authenticate'),
		limitPerInterface: fc.integer({ min: 1, max: 2 ** 20 }),
	},
	{ requiredKeys: ['pools', 'excluded', 'ping', 'interfaces'] },
)

const srcServer = fc.record({ address: host, port: fc.integer({ min: 1, max: 65_535 }) })
const src: fc.Arbitrary<SrcSettings> = fc.record(
	{
		enabled: fc.boolean(),
		servers: fc.record(
			{ primary: srcServer, secondary: srcServer, tertiary: srcServer },
			{ requiredKeys: [] },
		),
		retrySeconds: fc.integer({ min: 5, max: 300 }),
		sourceAddress: host,
		localRules: fc.constantFrom('src.rules', '/etc/radledger/src rules', 'a"b\\\\c'),
	},
	{ requiredKeys: ['enabled', 'servers', 'retrySeconds'] },
)

const days = fc.integer({ min: 1, max: 36_500 })
const dhcpExternal: fc.Arbitrary<DhcpExternal> = fc.record({
	enabled: fc.boolean(),
	servers: fc.uniqueArray(host, { maxLength: 4 }),
	interfaces: fc.uniqueArray(fc.stringMatching(/^eth[0-9]{1,3}$/), { maxLength: 2 }),
	trustAll: fc.boolean(),
})

const virtualRouter: fc.Arbitrary<VirtualRouter> = fc
	.record(
		{
			name: name(32),
			relay,
			idleTimeoutSeconds: fc.integer({ min: 1, max: 365 * 24 * 3600 }),
			dynamicRequest: fc.uniqueArray(dynamicRequestServer, {
				maxLength: 3,
				selector: s => s.address,
			}),
			disconnectClients: fc.uniqueArray(disconnectClient, {
				maxLength: 3,
				selector: c => c.address,
			}),
			dhcpLocal,
			dhcpExternal,
			src,
			upstream: fc.record({ authentication: upstreamServers, accounting: upstreamServers }),
			algorithm: fc.constantFrom('direct', 'round-robin'),
			updateSourceAddress: host,
			retentionDays: fc
				.record({ authentication: days, accounting: days, lease: days }, { requiredKeys: [] })
				.filter(kept => Object.keys(kept).length > 0),
		},
		{
			requiredKeys: [
				...(['name', 'relay', 'upstream', 'algorithm', 'idleTimeoutSeconds'] as const),
				...(['dynamicRequest', 'disconnectClients', 'dhcpLocal', 'dhcpExternal'] as const),
				...(['src'] as const),
			],
		},
	)
	// One of the two servers at most.
	.map(router => {
		if (router.dhcpLocal.service === undefined) return router
		return { ...router, dhcpExternal: { ...router.dhcpExternal, enabled: false } }
	})
/** Each SRC client connects from the next virtual router, where that has an address. */
function withTransportRouters(c: Configuration): Configuration {
	const { virtualRouters } = c
	return {
		...c,
		virtualRouters: virtualRouters.map((router, index) => {
			const { name, updateSourceAddress } = virtualRouters[(index + 1) % virtualRouters.length]!
			if (updateSourceAddress === undefined) return router
			const { sourceAddress, ...src } = router.src
			const said = sourceAddress === undefined ? {} : { sourceAddress: updateSourceAddress }
			return { ...router, src: { ...src, ...said, transportRouter: name } }
		}),
	}
}

const configuration: fc.Arbitrary<Configuration> = fc
	.record({
		hostname: name(64),
		virtualRouters: fc
			.uniqueArray(virtualRouter, { minLength: 1, maxLength: 3, selector: r => r.name })
			.map(([first, ...others]) => [{ ...first!, name: 'default' }, ...others]),
	})
	.filter(c => new Set(c.virtualRouters.map(r => r.name)).size === c.virtualRouters.length)
	.map(withTransportRouters)
	.filter(c => configurationConflict(c) === undefined)
	// Plain objects: some of the generated ones have no prototype.
	.map(c => structuredClone(c))

test('what is written is read back as the same configuration', () => {
	fc.assert(
		fc.property(configuration, c => {
			assert.equal(read(configurationText(c)), c)
		}),
		{ numRuns: 300, seed: 2 },
	)
})

test('what is shown can be typed into another relay', async () => {
	await fc.assert(
		fc.asyncProperty(configuration, async c => {
			const operator = fakeOperator()
			await typeLines(operator, ['configure terminal', ...configurationLines(c, 'clear')])
			assert.equal(operator.configuration(), c)
		}),
		{ numRuns: 50, seed: 3 },
	)
})

test('no secret is left where secrets are hidden', () => {
	const mark = (c: Configuration): Configuration =>
		JSON.parse(JSON.stringify(c), (key, value) =>
			key === 'secret' || key === 'key' ? 'TOP-SECRET' : value,
		)
	fc.assert(
		fc.property(configuration.map(mark), c => {
			assert.not.match(configurationLines(c, 'hidden').join('\n'), 'TOP-SECRET')
		}),
		{ numRuns: 100, seed: 4 },
	)
})

const sample: Configuration = {
	hostname: 'host1',
	virtualRouters: [
		{
			...newVirtualRouter('default'),
			algorithm: 'round-robin',
			updateSourceAddress: '10.0.0.1',
			relay: {
				authentication: {
					...relayServerDefaults.authentication,
					clients: [{ address: '10.10.15.0', mask: '255.255.255.0', secret: 'a secret' }],
				},
			},
			upstream: {
				authentication: [
					{ address: '10.1.1.1', ...upstreamServerDefaults.authentication, key: 'k?' },
					{
						address: 'radius.example.org',
						...upstreamServerDefaults.authentication,
						udpPort: 1645,
					},
				],
				accounting: [],
			},
		},
		newVirtualRouter('vr1'),
	],
}

test('a configuration is written as a router shows it: what differs from the defaults', () => {
	assert.equal(configurationLines(sample, 'clear'), [
		'hostname host1',
		'!',
		'virtual-router default',
		'radius algorithm round-robin',
		'radius update-source-addr 10.0.0.1',
		'radius authentication server 10.1.1.1',
		' key "k?"',
		'radius authentication server radius.example.org',
		' udp-port 1645',
		'radius relay authentication server',
		' key 10.10.15.0 255.255.255.0 "a secret"',
		'!',
		'virtual-router vr1',
	])
	assert.equal(virtualRouterLines(sample, 'vr1', 'hidden'), ['virtual-router vr1'])
	assert.ok(
		virtualRouterLines(sample, 'default', 'hidden').includes(
			' key 10.10.15.0 255.255.255.0 <secret>',
		),
	)
})

test('the upstream servers and, where it is known, their state make a table', () => {
	const router = sample.virtualRouters[0]!
	assert.equal(upstreamServersTable(router), [
		'RADIUS Authentication Configuration',
		'-----------------------------------',
		'IP Address          Udp Port  Retry Count  Timeout  Maximum Sessions  Dead Time  Secret',
		'------------------  --------  -----------  -------  ----------------  ---------  ------',
		'10.1.1.1            1812      3            3        255               0          k?',
		'radius.example.org  1645      3            3        255               0          <none>',
		'',
		'Algorithm: round-robin',
		'Update Source Address: 10.0.0.1',
	])
	const state = (_: Service, server: UpstreamServer) => (server.udpPort === 1645 ? 'down' : 'okay')
	assert.match(upstreamServersTable(router, state)[4] ?? '', /k\? {6}okay$/)
	assert.equal(upstreamServersTable(newVirtualRouter('x')), ['No RADIUS server is configured.'])
})

test('client networks are listed by mask, then by address as a number', () => {
	const clients = [
		['10.0.0.10', '255.255.255.255'],
		['10.0.0.9', '255.255.255.255'],
		['200.0.0.0', '255.0.0.0'],
		['9.0.0.0', '255.0.0.0'],
		['0.0.0.0', '0.0.0.0'],
	].map(([address, mask]) => ({ address: address!, mask: mask!, secret: 's' }))
	const server = { ...relayServerDefaults.accounting, clients }
	const table = relayServersTable({ ...newVirtualRouter('x'), relay: { accounting: server } })
	assert.equal(
		table.slice(2, 7).map(line => line.split(' ')[0]),
		['0.0.0.0', '9.0.0.0', '200.0.0.0', '10.0.0.9', '10.0.0.10'],
	)
})

// ---- Files ----

test('an empty text is the initial configuration; comments, blank lines and line ends are free', () => {
	assert.equal(read(''), initialConfiguration())
	const text = '\uFEFF! comment\r\n\r\n  ! indented\r\nhostname host1\r\nend\r\nexit\r\n'
	assert.equal(read(text), { ...initialConfiguration(), hostname: 'host1' })
})

test('a file may be written with abbreviations and without indentation', () => {
	const text = 'radius rel auth server\nkey 10.0.0.0 255.0.0.0 s\nexit\nradius algo round\n'
	const router = read(text).virtualRouters[0]
	assert.is(router?.algorithm, 'round-robin')
	assert.is(router?.relay.authentication?.clients.length, 1)
})

test('every error is told, with file, line, column and the mend', () => {
	const text = `hostname host1 x
radius relay auth serve
 key 1.2.3.4 255.255.255.0 s
 key 1.2.3.0 255.255.255 s
radius rely
 udp-port 0
udp-port 5
show version
radius acc server a
 kye x
 key
radius a
hostname "a
`
	assert.equal(errorsOf(text), [
		'test.conf:1:16: "x" is too much here; take it out, or put a text that contains spaces in quotes.',
		'test.conf:3:2: 1.2.3.4 is a host of the network 1.2.3.0 255.255.255.0; give 1.2.3.0 for the whole network, or the mask 255.255.255.255 for the one host.',
		'test.conf:4:14: A mask is written like an address: 255.255.255.0.',
		'test.conf:5:8: "rely" is not understood here; write one of: algorithm, update-source-addr, authentication, accounting, relay, dynamic-request.',
		'test.conf:6:11: A UDP port is a whole number from 1 to 65535.',
		'test.conf:8:1: This command configures nothing; take it out of the file.',
		'test.conf:10:2: "kye" is not understood here; write one of: key, no, udp-port, timeout, retransmit, deadtime, max-sessions.',
		'test.conf:11:5: The command is incomplete; after it comes SECRET (Secret of up to 200 characters; in quotes with spaces).',
		'test.conf:12:8: "a" is short for algorithm and authentication and accounting; write more of the word.',
		'test.conf:13:10: The quotation mark that opens here is not closed; put one behind the text.',
	])
})

test('an error repeats nothing that may be a secret', () => {
	const text = `radius relay auth server
 key topsecret
 key 10.0.0.0 topsecret
 key 10.0.0.0 255.0.0.0 a topsecret
 key 10.0.0.0 255.0.0.0 "topsecret
radius auth server 10.0.0.1
 key a topsecret
 key topsecret${'x'.repeat(200)}
radius relay disconnect-client topsecret
radius relay disconnect-client 10.0.0.1 topsecret
radius relay disconnect-client 10.0.0.1 key a topsecret
radius rely
 key 10.0.0.0 255.0.0.0 a topsecret
`
	const errors = errorsOf(text)
	assert.is(errors.length, 11)
	assert.not.match(errors.join('\n'), 'topsecret')
})

test('relay servers that exclude each other are found once the file is whole', () => {
	const one = (name: string, port: number) =>
		`virtual-router ${name}\nradius relay auth server\n key 10.0.0.0 255.0.0.0 s\n udp-port ${port}\n`
	assert.equal(errorsOf(one('a', 2000) + one('b', 2001)), [])
	const errors = errorsOf(`${one('a', 2000)}${one('b', 2000)}hostname x\n`)
	assert.is(errors.length, 1)
	assert.match(errors[0] ?? '', /^test\.conf:8:1: The authentication server of virtual router b/)
	const both = 'radius relay auth server\nkey 10.0.0.0 255.0.0.0 s\nudp-port 1813\n'
	const errors2 = errorsOf(`${both}radius relay acc server\nkey 10.0.0.0 255.0.0.0 s\n`)
	assert.match(errors2[0] ?? '', /^test\.conf:5:1: /)
})

test('texts and lines without measure are refused', () => {
	assert.match(errorsOf('!'.repeat(5 * 2 ** 20))[0] ?? '', 'test.conf:1:1: The file has more than')
	assert.match(
		errorsOf(`hostname ${'x'.repeat(1100)}`)[0] ?? '',
		'test.conf:1:1: A line has at most',
	)
	assert.is(errorsOf('nonsense\n'.repeat(50_000)).length, 1000)
	const many = Array.from({ length: 300 }, (_, i) => `virtual-router v${i}\n`).join('')
	assert.match(errorsOf(many)[0] ?? '', 'test.conf:256:1: There are at most 256 virtual routers')
})

test('any text is either a configuration or errors, never a crash', () => {
	const word = fc.constantFrom(
		...[
			'radius',
			'relay',
			'key',
			'server',
			'10.0.0.0',
			'"',
			'\\',
			'|',
			'no',
			'do',
			'exit',
			'a',
			'!',
		],
	)
	const line = fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 6 })
	const text = fc.array(
		line.map(words => words.join(' ')),
		{ maxLength: 8 },
	)
	fc.assert(
		fc.property(text, lines => {
			const result = parseConfiguration(lines.join('\n'), 'f')
			assert.ok('configuration' in result || result.errors.length > 0)
		}),
		{ numRuns: 500, seed: 5 },
	)
})

test.run()
