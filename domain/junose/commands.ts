/**
 * The one table of commands. Its order is the order in which `show configuration` writes them.
 */
import {
	type Algorithm,
	initialConfiguration,
	type MessageAuthenticatorPolicy,
	newVirtualRouter,
	type RelayServer,
	relayServerDefaults,
	type Service,
	type UpstreamServer,
	upstreamServerDefaults,
} from '../configuration.ts'
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
	type Path,
	parameter,
	pathsOf,
	prefixed,
} from './command.ts'
import {
	atTime,
	baseline,
	changeRouter,
	delta,
	global,
	goneSentence,
	keyWord,
	move,
	privileged,
	radius,
	refused,
	relayWord,
	server,
	setting,
	show,
	showModes,
	statistics,
	udpPort,
	udpPortWord,
	virtualRouterOf,
} from './command-parts.ts'
import {
	dhcpBaselineCommand,
	dhcpClearCommands,
	dhcpCommands,
	dhcpShowCommands,
} from './dhcp-commands.ts'
import {
	dhcpExternalCommands,
	dhcpExternalExecCommands,
	dhcpExternalShowCommands,
} from './dhcp-external-commands.ts'
import {
	dynamicRequestBaselineCommand,
	dynamicRequestCommands,
	dynamicRequestShowCommands,
} from './dynamic-request-commands.ts'
import { configurationModes, isConfiguring, type Mode, type ModeKind } from './mode.ts'
import {
	addressNumber,
	addressText,
	filterExpression,
	hostOrAddress,
	ipAddress,
	listenAddress,
	nameText,
	networkMask,
	numberBetween,
	secretText,
	unicastAddress,
} from './parameter.ts'
import { type Parsed, parse } from './parse.ts'
import { ssccCommands, ssccExecCommands } from './sscc-commands.ts'
import { subscriberCommands, subscriberExecCommands } from './subscriber-commands.ts'
import { relayServersTable } from './tables.ts'

/** Upper bounds of what can be configured. */
export const limits = { virtualRouters: 256, clientNetworks: 10_000, upstreamServers: 64 } as const

const upstream: readonly ModeKind[] = ['radius']
const relay: readonly ModeKind[] = ['radius-relay']
const everyMode: readonly ModeKind[] = ['user-exec', ...showModes]

// Words that several commands share, so that each is described once.
const service = choice('service', {
	authentication: 'RADIUS authentication',
	accounting: 'RADIUS accounting',
})
const virtualRouterWord = keyword('virtual-router', 'Virtual router')
const virtualRouterName = parameter(
	'name',
	nameText(32, "A virtual router's name"),
	'Name of the virtual router',
	context => context.configuration.virtualRouters.map(router => router.name),
)

// ---- RADIUS relay servers ----

/** Changes the relay server whose mode it is. */
function changeRelay(context: Context, change: (server: RelayServer) => RelayServer): Outcome {
	const found = currentRelay(context)
	if (found === undefined) return refused(goneSentence(context.mode))
	const router = virtualRouterOf(context)
	const next = { ...router.relay, [found.service]: change(found.server) }
	return changeRouter(context, { ...router, relay: next })
}

function currentRelay(
	context: Context,
): { readonly service: Service; readonly server: RelayServer } | undefined {
	if (context.mode.kind !== 'radius-relay') return undefined
	const found = virtualRouterOf(context).relay[context.mode.service]
	return found === undefined ? undefined : { service: context.mode.service, server: found }
}

function relaySetting<F extends Exclude<keyof RelayServer, 'clients'>>(
	word: Element<unknown>,
	field: F,
	value: Element<{ readonly value: RelayServer[F] }>,
): Command {
	return setting({
		modes: relay,
		words: [word],
		value,
		get: context => currentRelay(context)?.server[field],
		initial: ({ mode }) => relayServerDefaults[serviceOf(mode)][field],
		set: (context, next) => changeRelay(context, found => ({ ...found, [field]: next })),
	})
}

function serviceOf(mode: Mode): Service {
	return 'service' in mode ? mode.service : 'authentication'
}

const networkAddress = parameter('address', ipAddress, 'Address of the client network')
const networkMaskValue = parameter('mask', networkMask, 'Mask of the client network')

/** Refuses host bits: `10.1.2.3 255.255.255.0` means either a network or a host, not both. */
function networkFault(address: string, mask: string): string | undefined {
	const bits = addressNumber(address)!
	const network = (bits & addressNumber(mask)!) >>> 0
	if (network === bits) return undefined
	return `${address} is a host of the network ${addressText(network)} ${mask}; give ${addressText(network)} for the whole network, or the mask 255.255.255.255 for the one host.`
}

function setClient(context: Context, address: string, mask: string, secret: string): Outcome {
	const fault = networkFault(address, mask)
	if (fault !== undefined) return refused(fault)
	const client = { address, mask, secret }
	const clients = currentRelay(context)?.server.clients ?? []
	const at = clients.findIndex(c => c.address === address && c.mask === mask)
	if (at < 0 && clients.length >= limits.clientNetworks) {
		return refused(
			`A relay server has at most ${limits.clientNetworks} client networks; delete one with "no key" first.`,
		)
	}
	const next = at < 0 ? [...clients, client] : clients.with(at, client)
	return changeRelay(context, found => ({ ...found, clients: next }))
}

function deleteClient(context: Context, address: string, mask: string): Outcome {
	const clients = currentRelay(context)?.server.clients ?? []
	const left = clients.filter(c => c.address !== address || c.mask !== mask)
	if (currentRelay(context) !== undefined && left.length === clients.length) {
		return refused(
			`There is no key for ${address} ${mask}; "show radius relay servers" lists those there are.`,
		)
	}
	return changeRelay(context, found => ({ ...found, clients: left }))
}

const relayCommands: readonly Command[] = [
	relaySetting(udpPortWord, 'udpPort', udpPort),
	relaySetting(
		keyword('listen-address', 'Address that the server listens on'),
		'listenAddress',
		parameter('value', listenAddress, 'Local address; 0.0.0.0 for all of them'),
	),
	relaySetting<'messageAuthenticator'>(
		keyword('message-authenticator', 'Whether requests must be signed'),
		'messageAuthenticator',
		choice('value', messageAuthenticatorWords()),
	),
	command({
		modes: relay,
		syntax: [
			keyWord,
			networkAddress,
			networkMaskValue,
			parameter('secret', secretText(32), 'Secret of up to 32 characters; in quotes with spaces'),
		],
		run: (context, { address, mask, secret }) => setClient(context, address, mask, secret),
		no: [keyWord, networkAddress, networkMaskValue],
		undo: (context, { address, mask }) => deleteClient(context, address, mask),
		current: context => currentRelay(context)?.server.clients ?? [],
	}),
]

function messageAuthenticatorWords(): Readonly<Record<MessageAuthenticatorPolicy, string>> {
	return {
		require: 'Discard every Access-Request without Message-Authenticator',
		auto: 'Require it of a client from its first one on',
		optional: 'Require it with EAP alone',
	}
}

const relayServerCommand = command({
	modes: global,
	syntax: [radius, relayWord, service, server],
	run: (context, bindings) => {
		const router = virtualRouterOf(context)
		const mode: Mode = { kind: 'radius-relay', service: bindings.service }
		if (router.relay[bindings.service] !== undefined) return move(context, mode)
		const added = { [bindings.service]: relayServerDefaults[bindings.service] }
		return changeRouter(context, { ...router, relay: { ...router.relay, ...added } }, mode)
	},
	no: [radius, relayWord, optional(service, server)],
	undo: (context, bindings) => {
		const router = virtualRouterOf(context)
		if (bindings.service === undefined) return changeRouter(context, { ...router, relay: {} })
		const { [bindings.service]: _, ...left } = router.relay
		return changeRouter(context, { ...router, relay: left })
	},
	current: context => {
		const { relay: servers } = virtualRouterOf(context)
		return (['authentication', 'accounting'] as const)
			.filter(name => servers[name] !== undefined)
			.map(name => ({ service: name }))
	},
})

// ---- Upstream RADIUS servers ----

function currentUpstream(context: Context): UpstreamServer | undefined {
	const { mode } = context
	if (mode.kind !== 'radius') return undefined
	return virtualRouterOf(context).upstream[mode.service].find(s => s.address === mode.server)
}

/** Changes the upstream server whose mode it is. */
function changeUpstream(
	context: Context,
	change: (server: UpstreamServer) => UpstreamServer,
): Outcome {
	const found = currentUpstream(context)
	if (found === undefined) return refused(goneSentence(context.mode))
	const of = serviceOf(context.mode)
	return changeServers(context, of, list => list.map(s => (s === found ? change(found) : s)))
}

function changeServers(
	context: Context,
	of: Service,
	change: (servers: readonly UpstreamServer[]) => readonly UpstreamServer[],
	mode = context.mode,
): Outcome {
	const router = virtualRouterOf(context)
	const servers = { ...router.upstream, [of]: change(router.upstream[of]) }
	return changeRouter(context, { ...router, upstream: servers }, mode)
}

function upstreamSetting<F extends Exclude<keyof UpstreamServer, 'address' | 'key'>>(
	word: Element<unknown>,
	field: F,
	value: Element<{ readonly value: UpstreamServer[F] }>,
): Command {
	return setting({
		modes: upstream,
		words: [word],
		value,
		get: context => currentUpstream(context)?.[field],
		initial: ({ mode }) => upstreamServerDefaults[serviceOf(mode)][field],
		set: (context, next) => changeUpstream(context, found => ({ ...found, [field]: next })),
	})
}

function upstreamNumber(
	word: string,
	field: 'timeoutSeconds' | 'retransmit' | 'deadtimeMinutes' | 'maxSessions',
	range: Parameter<number>,
	help: string,
): Command {
	return upstreamSetting(keyword(word, help), field, parameter('value', range, help))
}

const upstreamCommands: readonly Command[] = [
	command({
		modes: upstream,
		syntax: [
			keyWord,
			parameter('secret', secretText(200), 'Secret of up to 200 characters; in quotes with spaces'),
		],
		run: (context, { secret }) => changeUpstream(context, found => ({ ...found, key: secret })),
		no: [keyWord],
		undo: context => changeUpstream(context, ({ key: _, ...found }) => found),
		current: context => {
			const secret = currentUpstream(context)?.key
			return secret === undefined ? [] : [{ secret }]
		},
	}),
	upstreamSetting(udpPortWord, 'udpPort', udpPort),
	upstreamNumber(
		'timeout',
		'timeoutSeconds',
		numberBetween(1, 1000, 'A timeout in seconds'),
		'Seconds to wait for an answer before sending again',
	),
	upstreamNumber(
		'retransmit',
		'retransmit',
		numberBetween(0, 100, 'A number of retransmissions'),
		'Transmissions beyond the first one',
	),
	upstreamNumber(
		'deadtime',
		'deadtimeMinutes',
		numberBetween(0, 1440, 'A dead time in minutes'),
		'Minutes to leave out a server that stopped answering',
	),
	upstreamNumber(
		'max-sessions',
		'maxSessions',
		numberBetween(10, 32000, 'A number of sessions'),
		'Requests that may await an answer at once',
	),
]

const upstreamAddress = parameter(
	'address',
	hostOrAddress,
	'IP address or host name of the server',
	context => {
		const { upstream: servers } = virtualRouterOf(context)
		return [...servers.authentication, ...servers.accounting].map(s => s.address)
	},
)

const upstreamServerCommand = command({
	modes: global,
	syntax: [radius, service, server, upstreamAddress],
	run: (context, { service: of, address }) => {
		const mode: Mode = { kind: 'radius', service: of, server: address }
		const servers = virtualRouterOf(context).upstream[of]
		if (servers.some(s => s.address === address)) return move(context, mode)
		if (servers.length >= limits.upstreamServers) {
			return refused(
				`A virtual router has at most ${limits.upstreamServers} ${of} servers; delete one first.`,
			)
		}
		const added = { address, ...upstreamServerDefaults[of] }
		return changeServers(context, of, list => [...list, added], mode)
	},
	no: [radius, service, server, upstreamAddress],
	undo: (context, { service: of, address }) => {
		const servers = virtualRouterOf(context).upstream[of]
		if (!servers.some(s => s.address === address)) {
			return refused(
				`There is no RADIUS ${of} server ${address}; "show radius servers" lists those there are.`,
			)
		}
		return changeServers(context, of, list => list.filter(s => s.address !== address))
	},
	current: context => {
		const { upstream: servers } = virtualRouterOf(context)
		return (['authentication', 'accounting'] as const).flatMap(of =>
			servers[of].map(({ address }) => ({ service: of, address })),
		)
	},
})

const updateSourceWords = [
	radius,
	keyword('update-source-addr', 'Address that upstream servers see requests come from'),
] as const

const radiusCommands: readonly Command[] = [
	setting<Algorithm>({
		modes: global,
		words: [radius, keyword('algorithm', 'Order in which upstream servers are asked')],
		value: choice('value', {
			direct: 'The first server that answers, in their order',
			'round-robin': 'Every server in its turn',
		}),
		get: context => virtualRouterOf(context).algorithm,
		initial: () => 'direct',
		set: (context, algorithm) => changeRouter(context, { ...virtualRouterOf(context), algorithm }),
	}),
	command({
		modes: global,
		syntax: [...updateSourceWords, parameter('address', unicastAddress, 'Local address')],
		run: (context, { address }) =>
			changeRouter(context, { ...virtualRouterOf(context), updateSourceAddress: address }),
		no: updateSourceWords,
		undo: context => {
			const { updateSourceAddress: _, ...router } = virtualRouterOf(context)
			return changeRouter(context, router)
		},
		current: context => {
			const address = virtualRouterOf(context).updateSourceAddress
			return address === undefined ? [] : [{ address }]
		},
	}),
	upstreamServerCommand,
	relayServerCommand,
]

// ---- The router ----

/** Stands in the configuration once, before the virtual routers. */
export const hostnameCommand: Command = setting<string>({
	modes: global,
	words: [keyword('hostname', 'Name of this system, which the prompt shows')],
	value: parameter('value', nameText(64, 'A host name'), 'Name of this system'),
	get: context => context.configuration.hostname,
	initial: () => initialConfiguration().hostname,
	set: (context, hostname) => ({
		kind: 'configure',
		configuration: { ...context.configuration, hostname },
		mode: context.mode,
		virtualRouter: context.virtualRouter,
	}),
})

/** Heads the part of the configuration that belongs to a virtual router. */
export const virtualRouterCommand: Command = command({
	modes: global,
	syntax: [virtualRouterWord, virtualRouterName],
	run: (context, { name }) => {
		const { configuration, mode } = context
		const existing = configuration.virtualRouters
		if (existing.some(r => r.name === name)) return { kind: 'move', mode, virtualRouter: name }
		if (existing.length >= limits.virtualRouters) {
			return refused(
				`There are at most ${limits.virtualRouters} virtual routers; delete one first.`,
			)
		}
		const next = { ...configuration, virtualRouters: [...existing, newVirtualRouter(name)] }
		return { kind: 'configure', configuration: next, mode, virtualRouter: name }
	},
	no: [virtualRouterWord, virtualRouterName],
	undo: (context, { name }) => {
		const { configuration, mode } = context
		if (name === 'default') return refused('The virtual router default cannot be deleted.')
		const left = configuration.virtualRouters.filter(r => r.name !== name)
		if (left.length === configuration.virtualRouters.length) return refused(unknownRouter(name))
		const virtualRouter = context.virtualRouter === name ? 'default' : context.virtualRouter
		const next = { ...configuration, virtualRouters: left }
		return { kind: 'configure', configuration: next, mode, virtualRouter }
	},
})

function unknownRouter(name: string): string {
	return `There is no virtual router ${name}; "virtual-router ${name}" in Global Configuration mode makes one.`
}

const execVirtualRouter = command({
	modes: privileged,
	syntax: [virtualRouterWord, virtualRouterName],
	run: (context, { name }) => {
		const known = context.configuration.virtualRouters.some(r => r.name === name)
		if (!known) return refused(unknownRouter(name))
		return { kind: 'move', mode: context.mode, virtualRouter: name }
	},
})

// ---- Moving between modes, and the terminal ----

function leave(context: Context): Outcome {
	switch (context.mode.kind) {
		case 'user-exec':
		case 'privileged-exec':
			return { kind: 'close' }
		case 'configuration':
			return move(context, { kind: 'privileged-exec' })
		case 'radius':
		case 'radius-relay':
		case 'radius-dynamic-request':
		case 'dhcp-pool':
			return move(context, { kind: 'configuration' })
		default:
			return context.mode satisfies never
	}
}

const helpLines: readonly string[] = [
	'Type "?" for what can follow, also in the middle of a word, and Tab to complete a word.',
	'A command may be shortened as long as it stays unique; "no" negates a command.',
	'Behind a show command, "| {begin | include | exclude} REGEX" filters its output.',
]

const sessionCommands: readonly Command[] = [
	command({
		modes: ['user-exec', 'privileged-exec'],
		syntax: [keyword('enable', 'Enter Privileged Exec mode')],
		run: context => move(context, { kind: 'privileged-exec' }),
	}),
	command({
		modes: privileged,
		syntax: [keyword('disable', 'Return to User Exec mode')],
		run: context => move(context, { kind: 'user-exec' }),
	}),
	command({
		modes: privileged,
		syntax: [
			keyword('configure', 'Enter Global Configuration mode'),
			optional(keyword('terminal', 'Configure from the terminal')),
		],
		run: context => move(context, { kind: 'configuration' }),
	}),
	command({
		modes: everyMode,
		syntax: [keyword('exit', 'Leave the mode, or the session')],
		run: leave,
	}),
	command({
		modes: configurationModes,
		syntax: [keyword('end', 'Return to Privileged Exec mode')],
		run: context => move(context, { kind: 'privileged-exec' }),
	}),
	command({
		modes: everyMode,
		syntax: [keyword('help', 'Describe how to get help')],
		run: () => ({ kind: 'print', lines: helpLines }),
	}),
	...terminalCommands(),
]

function terminalCommands(): readonly Command[] {
	const terminal = keyword('terminal', 'Settings of this terminal')
	const length = keyword('length', 'Lines of a page')
	const rows = numberBetween(0, 512, 'The length of a terminal')
	return [
		command({
			modes: ['user-exec', 'privileged-exec'],
			exec: true,
			syntax: [terminal, length, parameter('rows', rows, 'Lines; 0 does not stop between pages')],
			run: (_, bindings) => ({ kind: 'page-length', rows: bindings.rows }),
			no: [terminal, length],
			undo: () => ({ kind: 'page-length', rows: undefined }),
		}),
	]
}

// ---- show and baseline ----

const showCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			radius,
			relayWord,
			optional(service),
			keyword('servers', 'Client networks, secrets and ports'),
		],
		run: (context, bindings) => {
			const lines = relayServersTable(virtualRouterOf(context), bindings.service)
			return { kind: 'print', lines }
		},
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			radius,
			relayWord,
			optional(service),
			statistics,
			optional(parameter('client', unicastAddress, 'Address of one RADIUS relay client')),
			optional(delta),
			atTime,
		],
		run: (_, bindings) => {
			const what = {
				kind: 'relay-statistics',
				...(bindings.service === undefined ? {} : { service: bindings.service }),
				...(bindings.client === undefined ? {} : { client: bindings.client }),
				delta: bindings.delta !== undefined,
				...(bindings.at === undefined ? {} : { at: bindings.at }),
			} as const
			return { kind: 'show', what }
		},
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, radius, relayWord, keyword('udp-checksum', 'Whether UDP checksums are in use')],
		run: () => ({ kind: 'show', what: { kind: 'udp-checksum' } }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			radius,
			relayWord,
			keyword('mirrors', 'Copies of the history on other machines'),
		],
		run: () => ({ kind: 'show', what: { kind: 'mirrors' } }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, radius, keyword('servers', 'Upstream servers and their settings')],
		run: () => ({ kind: 'show', what: { kind: 'radius-servers' } }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, radius, statistics, optional(delta), atTime],
		run: (_, bindings) => {
			return {
				kind: 'show',
				what: {
					kind: 'radius-statistics',
					delta: bindings.delta !== undefined,
					...(bindings.at === undefined ? {} : { at: bindings.at }),
				},
			}
		},
	}),
	command({
		modes: everyMode,
		exec: true,
		filterable: true,
		syntax: [show, keyword('version', 'Release that is running')],
		run: () => ({ kind: 'show', what: { kind: 'version' } }),
	}),
	command({
		modes: everyMode,
		exec: true,
		filterable: true,
		syntax: [show, keyword('history', 'Commands of this session')],
		run: () => ({ kind: 'history' }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, keyword('configuration', 'What is configured, as commands')],
		run: () => ({ kind: 'configuration' }),
	}),
]

const baselineCommands: readonly Command[] = [
	command({
		modes: privileged,
		exec: true,
		syntax: [baseline, radius],
		run: () => ({ kind: 'baseline', scope: 'radius' }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [baseline, radius, relayWord],
		run: () => ({ kind: 'baseline', scope: 'radius relay' }),
	}),
]

/** Every command that there is. */
export const commands: readonly Command[] = [
	hostnameCommand,
	virtualRouterCommand,
	...radiusCommands,
	...upstreamCommands,
	...relayCommands,
	...subscriberCommands,
	...dynamicRequestCommands,
	...dhcpCommands,
	...dhcpExternalCommands,
	...ssccCommands,
	execVirtualRouter,
	...sessionCommands,
	...baselineCommands,
	dynamicRequestBaselineCommand,
	dhcpBaselineCommand,
	...dhcpClearCommands,
	...dhcpExternalExecCommands,
	...subscriberExecCommands,
	...ssccExecCommands,
	...showCommands,
	...dynamicRequestShowCommands,
	...dhcpShowCommands,
	...dhcpExternalShowCommands,
]

// ---- The table, by mode ----

const filterWords = choice('how', {
	begin: 'Begin with the first line that matches',
	include: 'Only lines that match',
	exclude: 'Only lines that do not match',
})
const filterRows = filterWords.alternatives.map(row => [
	...row,
	...parameter('matcher', filterExpression, 'Regular expression').alternatives[0]!,
])

function pathsIn(kind: ModeKind): readonly Path[] {
	const own = commands.filter(c => c.modes.includes(kind)).flatMap(c => pathsOf(c, filterRows))
	if (!configurationModes.includes(kind)) return own
	const exec = commands.filter(c => c.exec).flatMap(c => pathsOf(c, filterRows))
	const help = 'Issue an Exec mode command'
	return [
		...own,
		...exec.flatMap(path => [prefixed(path, 'do', help), prefixed(path, 'run', help)]),
	]
}

const paths: Readonly<Record<ModeKind, readonly Path[]>> = {
	'user-exec': pathsIn('user-exec'),
	'privileged-exec': pathsIn('privileged-exec'),
	configuration: pathsIn('configuration'),
	radius: pathsIn('radius'),
	'radius-relay': pathsIn('radius-relay'),
	'radius-dynamic-request': pathsIn('radius-dynamic-request'),
	'dhcp-pool': pathsIn('dhcp-pool'),
}

/** Where a line may be understood: the mode's own commands first, then Global Configuration's. */
export type Scope = { readonly mode: Mode; readonly paths: readonly Path[] }

export function scopesOf(mode: Mode): readonly Scope[] {
	const own = { mode, paths: paths[mode.kind] }
	if (mode.kind === 'configuration' || !isConfiguring(mode)) return [own]
	return [own, { mode: { kind: 'configuration' }, paths: paths.configuration }]
}

/** What a line means in a mode, and the mode whose command it is. */
export function parseIn(
	mode: Mode,
	line: string,
): { readonly parsed: Parsed; readonly mode: Mode } {
	const tries = scopesOf(mode).map(scope => ({
		parsed: parse(scope.paths, line),
		mode: scope.mode,
	}))
	const understood = tries.find(({ parsed }) => parsed.kind !== 'invalid')
	if (understood !== undefined) return understood
	const column = (t: (typeof tries)[number]) => (t.parsed.kind === 'invalid' ? t.parsed.column : 0)
	return tries.reduce((furthest, next) => (column(next) > column(furthest) ? next : furthest))
}
