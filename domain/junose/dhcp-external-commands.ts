/**
 * The commands of the DHCP external server: other servers give the addresses, the relay passes on
 * and watches. A part of the table in `commands.ts`: the order here is the order in which
 * `show configuration` writes them.
 */
import type { DhcpExternal } from '../configuration.ts'
import {
	type Command,
	type Context,
	command,
	keyword,
	type Outcome,
	optional,
	parameter,
} from './command.ts'
import {
	atTime,
	baseline,
	changeRouter,
	clear,
	delta,
	global,
	privileged,
	refused,
	show,
	showModes,
	statistics,
	virtualRouterOf,
} from './command-parts.ts'
import { bindingWord, dhcpLimits, ip, named, serviceWord } from './dhcp-commands.ts'
import { interfaceName, ipAddress, macAddress, unicastAddress } from './parameter.ts'

/** As many servers as the router takes. */
const serverLimit = 4

const externalWord = keyword('dhcp-external', 'DHCP external server: addresses come from elsewhere')

function externalOf(context: Context): DhcpExternal {
	return virtualRouterOf(context).dhcpExternal
}

function changeExternal(context: Context, change: Partial<DhcpExternal>): Outcome {
	const dhcpExternal = { ...externalOf(context), ...change }
	return changeRouter(context, { ...virtualRouterOf(context), dhcpExternal })
}

// ---- The service ----

const serviceWords = [serviceWord, externalWord] as const

function enable(context: Context): Outcome {
	const { name, dhcpLocal } = virtualRouterOf(context)
	if (dhcpLocal.service !== undefined) {
		return refused(
			`Virtual router ${name} is a DHCP local server, and cannot watch an external one as well; enter "no service dhcp-local" first.`,
		)
	}
	const outcome = changeExternal(context, { enabled: true })
	if (dhcpLocal.pools.length === 0 || outcome.kind !== 'configure') return outcome
	const warning =
		'The pools of "ip dhcp-local pool" stay configured and give no addresses: the external server chooses them, and neither RADIUS nor SRC selects a pool.'
	return { ...outcome, warning }
}

const serverWords = [
	ip,
	externalWord,
	keyword('server-address', 'DHCP server that is asked for addresses'),
] as const
const serverParameter = parameter('address', unicastAddress, 'Address of the server', context => [
	...externalOf(context).servers,
])

function addServer(context: Context, address: string): Outcome {
	const { servers } = externalOf(context)
	if (servers.includes(address)) return changeExternal(context, {})
	if (servers.length < serverLimit) {
		return changeExternal(context, { servers: [...servers, address] })
	}
	return refused(`There are at most ${serverLimit} DHCP servers; delete one first.`)
}

function deleteServer(context: Context, address: string | undefined): Outcome {
	if (address === undefined) return changeExternal(context, { servers: [] })
	const servers = externalOf(context).servers.filter(other => other !== address)
	if (servers.length < externalOf(context).servers.length) {
		return changeExternal(context, { servers })
	}
	return refused(`There is no DHCP server ${address}; "show configuration" lists those there are.`)
}

const interfaceWords = [
	ip,
	externalWord,
	keyword('interface', 'Interfaces with clients; every one where none is named'),
] as const
const interfaceParameter = parameter('name', interfaceName, 'Name of the interface', context => [
	...externalOf(context).interfaces,
])

function addInterface(context: Context, name: string): Outcome {
	const { interfaces } = externalOf(context)
	if (interfaces.includes(name)) return changeExternal(context, {})
	if (interfaces.length < dhcpLimits.interfaces) {
		return named(name, changeExternal(context, { interfaces: [...interfaces, name] }))
	}
	return refused(`At most ${dhcpLimits.interfaces} interfaces can be named; delete one first.`)
}

function deleteInterface(context: Context, name: string | undefined): Outcome {
	if (name === undefined) return changeExternal(context, { interfaces: [] })
	const interfaces = externalOf(context).interfaces.filter(other => other !== name)
	if (interfaces.length < externalOf(context).interfaces.length) {
		return changeExternal(context, { interfaces })
	}
	return refused(`The interface ${name} is not named; "show configuration" lists those that are.`)
}

const trustWords = [
	ip,
	externalWord,
	keyword('trust-all', 'Pass on option 82 of equipment between clients and the relay'),
] as const

/** In the order of a configuration: behind the pools, which the service keeps from being made. */
export const dhcpExternalCommands: readonly Command[] = [
	command({
		modes: global,
		syntax: [...serverWords, serverParameter],
		run: (context, { address }) => addServer(context, address),
		no: [...serverWords, optional(serverParameter)],
		undo: (context, { address }) => deleteServer(context, address),
		current: context => externalOf(context).servers.map(address => ({ address })),
	}),
	command({
		modes: global,
		syntax: [...interfaceWords, interfaceParameter],
		run: (context, { name }) => addInterface(context, name),
		no: [...interfaceWords, optional(interfaceParameter)],
		undo: (context, { name }) => deleteInterface(context, name),
		current: context => externalOf(context).interfaces.map(name => ({ name })),
	}),
	command({
		modes: global,
		syntax: trustWords,
		run: context => changeExternal(context, { trustAll: true }),
		no: trustWords,
		undo: context => changeExternal(context, { trustAll: false }),
		current: context => (externalOf(context).trustAll ? [{}] : []),
	}),
	command({
		modes: global,
		syntax: serviceWords,
		run: enable,
		no: serviceWords,
		undo: context => changeExternal(context, { enabled: false }),
		current: context => (externalOf(context).enabled ? [{}] : []),
	}),
]

// ---- show, baseline and clear ----

function configurationText({ enabled, servers, interfaces, trustAll }: DhcpExternal): string[] {
	const title = 'DHCP External Server Configuration'
	return [
		title,
		'-'.repeat(title.length),
		`Service: ${enabled ? 'enabled' : 'disabled'}`,
		`Server Addresses: ${servers.length === 0 ? '<none>' : servers.join(' ')}`,
		`Interfaces: ${interfaces.length === 0 ? 'all' : interfaces.join(' ')}`,
		`Option 82 Of Clients: ${trustAll ? 'passed on' : 'discarded'}`,
	]
}

export const dhcpExternalShowCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, ip, externalWord, keyword('configuration', 'What is configured of it')],
		run: context => ({ kind: 'print', lines: configurationText(externalOf(context)) }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			ip,
			externalWord,
			bindingWord,
			optional(parameter('address', ipAddress, 'Address of the client')),
		],
		run: (_, { address }) => {
			const query = address === undefined ? {} : { address }
			return { kind: 'show', what: { kind: 'dhcp-bindings', server: 'external', ...query } }
		},
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			ip,
			externalWord,
			bindingWord,
			keyword('mac', 'One client'),
			parameter('mac', macAddress, 'MAC address of the client'),
		],
		run: (_, { mac }) => ({
			kind: 'show',
			what: { kind: 'dhcp-bindings', server: 'external', mac },
		}),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, ip, externalWord, statistics, optional(delta), atTime],
		run: (_, bindings) => ({
			kind: 'show',
			what: {
				kind: 'dhcp-statistics',
				server: 'external',
				delta: bindings.delta !== undefined,
				...(bindings.at === undefined ? {} : { at: bindings.at }),
			},
		}),
	}),
]

const clearWords = [clear, ip, externalWord, bindingWord] as const

export const dhcpExternalExecCommands: readonly Command[] = [
	command({
		modes: privileged,
		exec: true,
		syntax: [baseline, ip, externalWord],
		run: () => ({ kind: 'baseline', scope: 'ip dhcp-external' }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [...clearWords, parameter('address', ipAddress, 'Address to be forgotten')],
		run: (_, { address }) => ({ kind: 'clear-bindings', server: 'external', address }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [...clearWords, keyword('all', 'Every address of the virtual router')],
		run: () => ({ kind: 'clear-bindings', server: 'external' }),
	}),
]
