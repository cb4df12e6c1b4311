/**
 * The commands of the DHCP local server. A part of the table in `commands.ts`: the order here is
 * the order in which `show configuration` writes them.
 */
import { parseIpv4 } from '../address.ts'
import { type DhcpLocal, type DhcpPool, newDhcpPool } from '../configuration.ts'
import {
	type Command,
	type Context,
	choice,
	command,
	type Element,
	keyword,
	type Outcome,
	optional,
	type Parameter,
	parameter,
} from './command.ts'
import {
	atTime,
	baseline,
	changeRouter,
	clear,
	delta,
	global,
	move,
	privileged,
	refused,
	setting,
	show,
	showModes,
	statistics,
	virtualRouterOf,
} from './command-parts.ts'
import {
	defaultRouterWarning,
	externalFault,
	linkFault,
	linkWarning,
	networkFault,
	reservationFault,
} from './dhcp-checks.ts'
import type { Mode, ModeKind } from './mode.ts'
import {
	domainNameText,
	interfaceName,
	ipAddress,
	macAddress,
	networkMask,
	numberBetween,
	printableText,
	unicastAddress,
} from './parameter.ts'

/** Upper bounds of what can be configured in one virtual router, and in one pool. */
export const dhcpLimits = {
	pools: 4096,
	excluded: 4096,
	interfaces: 4096,
	reservations: 10_000,
} as const

const poolMode: readonly ModeKind[] = ['dhcp-pool']

export const ip = keyword('ip', 'Internet Protocol')
const dhcpLocalWord = keyword('dhcp-local', 'DHCP local server')
const poolWord = keyword('pool', 'Pool of addresses')
const poolName = parameter(
	'pool',
	printableText(64, 'A name of a pool'),
	'Name of the pool',
	context => localOf(context).pools.map(({ name }) => name),
)

function localOf(context: Context): DhcpLocal {
	return virtualRouterOf(context).dhcpLocal
}

function changeLocal(context: Context, local: DhcpLocal, mode: Mode = context.mode): Outcome {
	return changeRouter(context, { ...virtualRouterOf(context), dhcpLocal: local }, mode)
}

// ---- The server ----

export const serviceWord = keyword('service', 'Services of this system')
const serviceWords = [serviceWord, dhcpLocalWord] as const

function setService(context: Context, service: NonNullable<DhcpLocal['service']>): Outcome {
	const why = externalFault(virtualRouterOf(context))
	if (why !== undefined) return refused(why)
	return changeLocal(context, { ...localOf(context), service })
}

function noService(context: Context): Outcome {
	const { service: _, ...local } = localOf(context)
	return changeLocal(context, local)
}

const serviceCommands: readonly Command[] = [
	command({
		modes: global,
		syntax: [
			...serviceWords,
			choice('how', {
				'equal-access': 'Serve authenticated subscribers; SRC or RADIUS chooses their pool',
			}),
		],
		run: (context, { how }) => setService(context, how),
		no: serviceWords,
		undo: noService,
		current: context => {
			const { service } = localOf(context)
			return service === 'equal-access' ? [{ how: service }] : []
		},
	}),
	command({
		modes: global,
		syntax: [
			...serviceWords,
			keyword('standalone', 'Serve every client, by giaddr or receiving interface'),
			optional(choice('authenticate', { authenticate: 'Serve authenticated clients only' })),
		],
		run: (context, { authenticate }) =>
			setService(context, authenticate === undefined ? 'standalone' : 'standalone authenticate'),
		no: serviceWords,
		undo: noService,
		current: context => {
			const { service } = localOf(context)
			if (service === 'standalone authenticate') return [{ authenticate: 'authenticate' } as const]
			return service === 'standalone' ? [{}] : []
		},
	}),
]

const excludedWords = [
	ip,
	dhcpLocalWord,
	keyword('excluded-address', 'Addresses that no client gets'),
	parameter('from', unicastAddress, 'Address, or the first of a range'),
	optional(parameter('to', unicastAddress, 'Last address of the range')),
] as const

type Range = DhcpLocal['excluded'][number]

function setExcluded(context: Context, { from, to }: Range): Outcome {
	const local = localOf(context)
	if (parseIpv4(from)! > parseIpv4(to)!) {
		return refused(`A range begins with its lower address; write ${to} before ${from}.`)
	}
	if (local.excluded.some(range => isRange(range, from, to))) return changeLocal(context, local)
	if (local.excluded.length >= dhcpLimits.excluded) {
		return refused(`At most ${dhcpLimits.excluded} ranges can be excluded; join some of them.`)
	}
	return changeLocal(context, { ...local, excluded: [...local.excluded, { from, to }] })
}

function deleteExcluded(context: Context, { from, to }: Range): Outcome {
	const local = localOf(context)
	const excluded = local.excluded.filter(range => !isRange(range, from, to))
	if (excluded.length < local.excluded.length) return changeLocal(context, { ...local, excluded })
	const range = from === to ? from : `from ${from} to ${to}`
	return refused(
		`There is no exclusion ${range}; "show configuration" lists those there are, and only a whole one can be deleted.`,
	)
}

function isRange(range: Range, from: string, to: string): boolean {
	return range.from === from && range.to === to
}

const limitWords = [
	ip,
	dhcpLocalWord,
	keyword('limit', 'Clients that may have an address at once on one interface'),
] as const
const pingWords = [
	ip,
	dhcpLocalWord,
	keyword('ping', 'Ping an address that was not in use lately before offering it'),
] as const
const interfaceWords = [
	ip,
	dhcpLocalWord,
	keyword('interface', 'Interfaces whose clients are served; every one where none is named'),
] as const
const interfaceParameter = parameter('name', interfaceName, 'Name of the interface', context => [
	...localOf(context).interfaces,
])

function addInterface(context: Context, name: string): Outcome {
	const local = localOf(context)
	if (local.interfaces.includes(name)) return changeLocal(context, local)
	if (local.interfaces.length >= dhcpLimits.interfaces) {
		return refused(`At most ${dhcpLimits.interfaces} interfaces can be named; delete one first.`)
	}
	return named(name, changeLocal(context, { ...local, interfaces: [...local.interfaces, name] }))
}

/** The outcome of a command that names an interface, which the machine may not have. */
export function named(name: string, outcome: Outcome): Outcome {
	return outcome.kind === 'configure' ? { ...outcome, interface: name } : outcome
}

function deleteInterface(context: Context, name: string | undefined): Outcome {
	const local = localOf(context)
	if (name === undefined) return changeLocal(context, { ...local, interfaces: [] })
	const interfaces = local.interfaces.filter(other => other !== name)
	if (interfaces.length < local.interfaces.length) {
		return changeLocal(context, { ...local, interfaces })
	}
	return refused(`The interface ${name} is not named; "show configuration" lists those that are.`)
}

const serverCommands: readonly Command[] = [
	command({
		modes: global,
		syntax: excludedWords,
		run: (context, { from, to }) => setExcluded(context, { from, to: to ?? from }),
		no: excludedWords,
		undo: (context, { from, to }) => deleteExcluded(context, { from, to: to ?? from }),
		current: context =>
			localOf(context).excluded.map(({ from, to }) => (from === to ? { from } : { from, to })),
	}),
	command({
		modes: global,
		syntax: [
			...limitWords,
			parameter('clients', numberBetween(1, 2 ** 20, 'A number of clients'), 'Clients'),
		],
		run: (context, { clients }) =>
			changeLocal(context, { ...localOf(context), limitPerInterface: clients }),
		no: limitWords,
		undo: context => {
			const { limitPerInterface: _, ...local } = localOf(context)
			return changeLocal(context, local)
		},
		current: context => {
			const clients = localOf(context).limitPerInterface
			return clients === undefined ? [] : [{ clients }]
		},
	}),
	command({
		modes: global,
		syntax: pingWords,
		run: context => changeLocal(context, { ...localOf(context), ping: true }),
		no: pingWords,
		undo: context => changeLocal(context, { ...localOf(context), ping: false }),
		current: context => (localOf(context).ping ? [{}] : []),
	}),
	command({
		modes: global,
		syntax: [...interfaceWords, interfaceParameter],
		run: (context, { name }) => addInterface(context, name),
		no: [...interfaceWords, optional(interfaceParameter)],
		undo: (context, { name }) => deleteInterface(context, name),
		current: context => localOf(context).interfaces.map(name => ({ name })),
	}),
]

// ---- Pools ----

const poolCommand = command({
	modes: global,
	syntax: [ip, dhcpLocalWord, poolWord, poolName],
	run: (context, { pool }) => {
		const local = localOf(context)
		const mode: Mode = { kind: 'dhcp-pool', pool }
		if (local.pools.some(({ name }) => name === pool)) return move(context, mode)
		const why = externalFault(virtualRouterOf(context))
		if (why !== undefined) return refused(why)
		if (local.pools.length >= dhcpLimits.pools) {
			return refused(`There are at most ${dhcpLimits.pools} pools; delete one first.`)
		}
		return changeLocal(context, { ...local, pools: [...local.pools, newDhcpPool(pool)] }, mode)
	},
	no: [ip, dhcpLocalWord, poolWord, poolName],
	undo: (context, { pool }) => {
		const local = localOf(context)
		const pools = local.pools.filter(({ name }) => name !== pool)
		if (pools.length === local.pools.length) return refused(noPool(pool))
		return changeLocal(context, { ...local, pools })
	},
	current: context => localOf(context).pools.map(({ name }) => ({ pool: name })),
})

function noPool(name: string): string {
	return `There is no pool ${name}; "show ip dhcp-local pool" lists those there are.`
}

function currentPool(context: Context): DhcpPool | undefined {
	const { mode } = context
	if (mode.kind !== 'dhcp-pool') return undefined
	return localOf(context).pools.find(({ name }) => name === mode.pool)
}

type Change = (pool: DhcpPool, pools: readonly DhcpPool[]) => DhcpPool | { readonly why: string }

/** Changes the pool whose mode it is, unless the change says why not. */
function changePool(context: Context, change: Change): Outcome {
	const pool = currentPool(context)
	if (pool === undefined) {
		return refused(
			'The pool was deleted in the meantime; enter "ip dhcp-local pool" to make it anew.',
		)
	}
	const local = localOf(context)
	const changed = change(pool, local.pools)
	if ('why' in changed) return refused(changed.why)
	const pools = local.pools.map(other => (other === pool ? changed : other))
	return changeLocal(context, { ...local, pools })
}

/** The outcome, and what may not be meant in the pool that it leaves behind. */
function warned(
	context: Context,
	outcome: Outcome,
	warningOf: (pool: DhcpPool, pools: readonly DhcpPool[]) => string | undefined,
): Outcome {
	if (outcome.kind !== 'configure') return outcome
	const after = { ...context, configuration: outcome.configuration }
	const pool = currentPool(after)
	const warning = pool && warningOf(pool, localOf(after).pools)
	return warning === undefined ? outcome : { ...outcome, warning }
}

const networkWord = keyword('network', 'Network whose addresses the pool gives to clients')

const networkCommand = command({
	modes: poolMode,
	syntax: [
		networkWord,
		parameter('address', unicastAddress, 'Address of the network'),
		parameter('mask', networkMask, 'Mask of the network'),
	],
	run: (context, { address, mask }) =>
		warned(
			context,
			changePool(context, (pool, pools) => {
				const network = { address, mask }
				const why = networkFault(pool, network, pools)
				return why === undefined ? { ...pool, network } : { why }
			}),
			defaultRouterWarning,
		),
	no: [networkWord],
	undo: context =>
		changePool(context, ({ network: _, ...pool }) => {
			if (pool.reservations.length === 0) return pool
			return { why: 'Addresses of the network are reserved; delete those with "no reserve" first.' }
		}),
	current: context => {
		const network = currentPool(context)?.network
		return network === undefined ? [] : [network]
	},
})

type ServerField = 'defaultRouters' | 'dnsServers' | 'netbiosNameServers'

/** One or two servers that clients are told of, in the order of preference. */
function serversCommand(word: string, help: string, field: ServerField): Command {
	const words = [keyword(word, help)] as const
	return command({
		modes: poolMode,
		syntax: [
			...words,
			parameter('first', unicastAddress, 'Address'),
			optional(parameter('second', unicastAddress, 'Address of a second one')),
		],
		run: (context, { first, second }) => {
			const servers = second === undefined || second === first ? [first] : [first, second]
			const outcome = changePool(context, pool => ({ ...pool, [field]: servers }))
			return field === 'defaultRouters' ? warned(context, outcome, defaultRouterWarning) : outcome
		},
		no: words,
		undo: context => changePool(context, pool => ({ ...pool, [field]: [] })),
		current: context => {
			const [first, second] = currentPool(context)?.[field] ?? []
			if (first === undefined) return []
			return second === undefined ? [{ first }] : [{ first, second }]
		},
	})
}

/** A command for a text that a pool may have. */
function textCommand(spec: {
	readonly word: string
	readonly help: string
	readonly text: Element<{ readonly text: string }>
	readonly field: 'domainName' | 'link'
	set(context: Context, text: string): Outcome
}): Command {
	const { text, field, set } = spec
	const words = [keyword(spec.word, spec.help)] as const
	return command({
		modes: poolMode,
		syntax: [...words, text],
		run: (context, bindings) => set(context, bindings.text),
		no: words,
		undo: context =>
			changePool(context, pool => {
				const { [field]: _, ...left } = pool
				return left
			}),
		current: context => {
			const value = currentPool(context)?.[field]
			return value === undefined ? [] : [{ text: value }]
		},
	})
}

const domainNameCommand = textCommand({
	word: 'domain-name',
	help: 'Domain name of clients; selects the pool for their users, too',
	text: parameter('text', domainNameText, 'Domain name'),
	field: 'domainName',
	set: (context, domainName) => changePool(context, pool => ({ ...pool, domainName })),
})

const linkCommand = textCommand({
	word: 'link',
	help: 'Pool that addresses are taken from when this one has none left',
	text: parameter(
		'text',
		printableText(64, 'A name of a pool'),
		'Name of the other pool',
		context =>
			localOf(context).pools.flatMap(({ name }) =>
				name === currentPool(context)?.name ? [] : [name],
			),
	),
	field: 'link',
	set: (context, link) =>
		warned(
			context,
			changePool(context, (pool, pools) => {
				const why = linkFault(pool, link, pools)
				return why === undefined ? { ...pool, link } : { why }
			}),
			linkWarning,
		),
})

const nodeTypeCommand = setting<DhcpPool['netbiosNodeType']>({
	modes: poolMode,
	words: [keyword('netbios-node-type', 'How clients look up NetBIOS names')],
	value: choice('value', {
		'b-node': 'By broadcast',
		'p-node': 'By asking a name server',
		'm-node': 'By broadcast, then by asking a name server',
		'h-node': 'By asking a name server, then by broadcast',
	}),
	get: context => currentPool(context)?.netbiosNodeType,
	initial: () => newDhcpPool('').netbiosNodeType,
	set: (context, netbiosNodeType) => changePool(context, pool => ({ ...pool, netbiosNodeType })),
})

const leaseWord = keyword('lease', 'How long a client may keep its address without renewing it')
const daySeconds = 24 * 3600

function setLease(context: Context, leaseSeconds: number): Outcome {
	return changePool(context, pool => ({ ...pool, leaseSeconds }))
}

function usualLease(context: Context): Outcome {
	return setLease(context, newDhcpPool('').leaseSeconds)
}

type LeaseTime = {
	readonly days: number
	readonly hours?: number
	readonly minutes?: number
	readonly seconds?: number
}

function leaseSecondsOf({ days, hours = 0, minutes = 0, seconds = 0 }: LeaseTime): number {
	return days * daySeconds + hours * 3600 + minutes * 60 + seconds
}

/** As few units as say it. */
function leaseTimeOf(leaseSeconds: number): LeaseTime {
	const days = Math.floor(leaseSeconds / daySeconds)
	const hours = Math.floor(leaseSeconds / 3600) % 24
	const minutes = Math.floor(leaseSeconds / 60) % 60
	const seconds = leaseSeconds % 60
	if (seconds > 0) return { days, hours, minutes, seconds }
	if (minutes > 0) return { days, hours, minutes }
	return hours > 0 ? { days, hours } : { days }
}

function unit<const N extends string>(name: N, maximum: number, what: string, help: string) {
	return parameter(name, numberBetween(0, maximum, what), help)
}

const leaseCommands: readonly Command[] = [
	command({
		modes: poolMode,
		syntax: [
			leaseWord,
			unit('days', 3650, 'A number of days', 'Days'),
			optional(
				unit('hours', 23, 'A number of hours', 'Hours'),
				optional(
					unit('minutes', 59, 'A number of minutes', 'Minutes'),
					optional(unit('seconds', 59, 'A number of seconds', 'Seconds')),
				),
			),
		],
		run: (context, time) => {
			const leaseSeconds = leaseSecondsOf(time as LeaseTime)
			if (leaseSeconds > 0) return setLease(context, leaseSeconds)
			return refused('A lease takes at least a second; "lease infinite" is one that never ends.')
		},
		no: [leaseWord],
		undo: usualLease,
		current: context => {
			const seconds = currentPool(context)?.leaseSeconds
			const none =
				seconds === undefined || seconds === 0 || seconds === newDhcpPool('').leaseSeconds
			return none ? [] : [leaseTimeOf(seconds)]
		},
	}),
	command({
		modes: poolMode,
		syntax: [leaseWord, keyword('infinite', 'For ever')],
		run: context => setLease(context, 0),
		no: [leaseWord],
		undo: usualLease,
		current: context => (currentPool(context)?.leaseSeconds === 0 ? [{}] : []),
	}),
]

const reserveWord = keyword('reserve', 'Keep an address for one client')
const reservedAddress = parameter('address', ipAddress, 'Address', context =>
	(currentPool(context)?.reservations ?? []).map(({ address }) => address),
)

function setReservation(context: Context, address: string, mac: string): Outcome {
	return changePool(context, pool => {
		const why = reservationFault(pool, address, mac)
		if (why !== undefined) return { why }
		const at = pool.reservations.findIndex(r => r.address === address)
		if (at >= 0) return { ...pool, reservations: pool.reservations.with(at, { address, mac }) }
		if (pool.reservations.length >= dhcpLimits.reservations) {
			return {
				why: `A pool has at most ${dhcpLimits.reservations} reservations; delete one first.`,
			}
		}
		return { ...pool, reservations: [...pool.reservations, { address, mac }] }
	})
}

const reserveCommand = command({
	modes: poolMode,
	syntax: [reserveWord, reservedAddress, parameter('mac', macAddress, "The client's MAC address")],
	run: (context, { address, mac }) => setReservation(context, address, mac),
	no: [reserveWord, reservedAddress],
	undo: (context, { address }) =>
		changePool(context, pool => {
			const reservations = pool.reservations.filter(r => r.address !== address)
			if (reservations.length < pool.reservations.length) return { ...pool, reservations }
			return { why: `${address} is not reserved; "show configuration" lists what is.` }
		}),
	current: context => currentPool(context)?.reservations ?? [],
})

const warningWord = keyword('warning', 'Use of the pool at which a warning is given and taken back')

function setWarning(context: Context, warningHigh: number, warningAbated: number): Outcome {
	if (warningAbated >= warningHigh) {
		return refused(
			`The warning is taken back below ${warningHigh} per cent; give a lower second number.`,
		)
	}
	return changePool(context, pool => ({ ...pool, warningHigh, warningAbated }))
}

const warningCommand = command({
	modes: poolMode,
	syntax: [
		warningWord,
		parameter('high', numberBetween(1, 100, 'A warning threshold'), 'Per cent in use that warn'),
		parameter('abated', numberBetween(0, 99, 'A warning threshold'), 'Per cent that end it'),
	],
	run: (context, { high, abated }) => setWarning(context, high, abated),
	no: [warningWord],
	undo: context => {
		const { warningHigh, warningAbated } = newDhcpPool('')
		return setWarning(context, warningHigh, warningAbated)
	},
	current: context => {
		const pool = currentPool(context)
		const initial = newDhcpPool('')
		if (pool === undefined) return []
		const { warningHigh: high, warningAbated: abated } = pool
		const same = high === initial.warningHigh && abated === initial.warningAbated
		return same ? [] : [{ high, abated }]
	},
})

const graceSeconds: Parameter<number> = numberBetween(0, 30 * daySeconds, 'A grace period')

const poolCommands: readonly Command[] = [
	networkCommand,
	serversCommand('default-router', 'Routers that clients send to', 'defaultRouters'),
	serversCommand('dns-server', 'DNS servers that clients ask', 'dnsServers'),
	domainNameCommand,
	serversCommand('netbios-name-server', 'NetBIOS name servers of clients', 'netbiosNameServers'),
	nodeTypeCommand,
	...leaseCommands,
	linkCommand,
	reserveCommand,
	warningCommand,
	setting<number>({
		modes: poolMode,
		words: [keyword('grace-period', 'How long an address is kept for the client who had it')],
		value: parameter('value', graceSeconds, 'Seconds after the end of the lease'),
		get: context => currentPool(context)?.gracePeriodSeconds,
		initial: () => newDhcpPool('').gracePeriodSeconds,
		set: (context, gracePeriodSeconds) =>
			changePool(context, pool => ({ ...pool, gracePeriodSeconds })),
	}),
]

/** In the order of a configuration. */
export const dhcpCommands: readonly Command[] = [
	...serverCommands,
	// Behind the interfaces, by which two virtual routers may both have the service.
	...serviceCommands,
	poolCommand,
	...poolCommands,
]

// ---- show, baseline and clear ----

export const bindingWord = keyword('binding', 'Addresses and the clients that have them')

export const dhcpShowCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			ip,
			dhcpLocalWord,
			bindingWord,
			optional(parameter('address', ipAddress, 'Address of the client')),
		],
		run: (_, { address }) => ({
			kind: 'show',
			what: {
				kind: 'dhcp-bindings',
				server: 'local',
				...(address === undefined ? {} : { address }),
			},
		}),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			ip,
			dhcpLocalWord,
			bindingWord,
			keyword('mac', 'One client'),
			parameter('mac', macAddress, 'MAC address of the client'),
		],
		run: (_, { mac }) => ({ kind: 'show', what: { kind: 'dhcp-bindings', server: 'local', mac } }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, ip, dhcpLocalWord, poolWord, optional(poolName)],
		run: (context, { pool }) => {
			if (pool === undefined) return { kind: 'show', what: { kind: 'dhcp-pools' } }
			const known = localOf(context).pools.some(({ name }) => name === pool)
			return known ? { kind: 'show', what: { kind: 'dhcp-pools', pool } } : refused(noPool(pool))
		},
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, ip, dhcpLocalWord, statistics, optional(delta), atTime],
		run: (_, bindings) => ({
			kind: 'show',
			what: {
				kind: 'dhcp-statistics',
				server: 'local',
				delta: bindings.delta !== undefined,
				...(bindings.at === undefined ? {} : { at: bindings.at }),
			},
		}),
	}),
]

export const dhcpBaselineCommand = command({
	modes: privileged,
	exec: true,
	syntax: [baseline, ip, dhcpLocalWord],
	run: () => ({ kind: 'baseline', scope: 'ip dhcp-local' }),
})

const clearWords = [clear, ip, dhcpLocalWord, bindingWord] as const

export const dhcpClearCommands: readonly Command[] = [
	command({
		modes: privileged,
		exec: true,
		syntax: [...clearWords, parameter('address', ipAddress, 'Address to be given up')],
		run: (_, { address }) => ({ kind: 'clear-bindings', server: 'local', address }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [...clearWords, keyword('all', 'Every address of the virtual router')],
		run: () => ({ kind: 'clear-bindings', server: 'local' }),
	}),
]
