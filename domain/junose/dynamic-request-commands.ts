/**
 * The commands of RADIUS-initiated disconnect: the servers that may ask for it, and the access
 * points that are asked in turn. A part of the table in `commands.ts`.
 */
import {
	type DisconnectClient,
	type DynamicRequestServer,
	disconnectClientPort,
	dynamicRequestServerDefaults,
} from '../configuration.ts'
import {
	type Command,
	type Context,
	command,
	type Element,
	keyword,
	type Outcome,
	optional,
	parameter,
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
import type { Mode, ModeKind } from './mode.ts'
import { numberBetween, secretText, unicastAddress } from './parameter.ts'
import { dynamicRequestServersTable } from './tables.ts'

/** Upper bounds of what can be configured in one virtual router. */
const limits = { servers: 64, disconnectClients: 10_000 } as const

const dynamicMode: readonly ModeKind[] = ['radius-dynamic-request']
const dynamicRequest = keyword('dynamic-request', 'RADIUS-initiated disconnect and change')

// ---- Servers ----

function currentServer(context: Context): DynamicRequestServer | undefined {
	const { mode } = context
	if (mode.kind !== 'radius-dynamic-request') return undefined
	return virtualRouterOf(context).dynamicRequest.find(({ address }) => address === mode.server)
}

function changeServers(
	context: Context,
	dynamicRequest: readonly DynamicRequestServer[],
	mode: Mode = context.mode,
): Outcome {
	return changeRouter(context, { ...virtualRouterOf(context), dynamicRequest }, mode)
}

/** Changes the server whose mode it is. */
function changeServer(
	context: Context,
	change: (server: DynamicRequestServer) => DynamicRequestServer,
): Outcome {
	const found = currentServer(context)
	if (found === undefined) return refused(goneSentence(context.mode))
	const servers = virtualRouterOf(context).dynamicRequest
	return changeServers(
		context,
		servers.map(one => (one === found ? change(found) : one)),
	)
}

const serverAddress = parameter('address', unicastAddress, 'IP address of the server', context =>
	virtualRouterOf(context).dynamicRequest.map(({ address }) => address),
)

const serverCommand = command({
	modes: global,
	syntax: [radius, dynamicRequest, server, serverAddress],
	run: (context, { address }) => {
		const mode: Mode = { kind: 'radius-dynamic-request', server: address }
		const servers = virtualRouterOf(context).dynamicRequest
		if (servers.some(one => one.address === address)) return move(context, mode)
		if (servers.length >= limits.servers) {
			return refused(
				`A virtual router has at most ${limits.servers} dynamic-request servers; delete one first.`,
			)
		}
		return changeServers(context, [...servers, { address, ...dynamicRequestServerDefaults }], mode)
	},
	no: [radius, dynamicRequest, server, serverAddress],
	undo: (context, { address }) => {
		const servers = virtualRouterOf(context).dynamicRequest
		const left = servers.filter(one => one.address !== address)
		if (left.length < servers.length) return changeServers(context, left)
		return refused(
			`There is no dynamic-request server ${address}; "show radius dynamic-request servers" lists those there are.`,
		)
	},
	current: context => virtualRouterOf(context).dynamicRequest.map(({ address }) => ({ address })),
})

/** A command whose `no` form takes back what the command allows. */
function permission(
	field: 'subscriberDisconnect' | 'authorizationChange',
	words: readonly Element<unknown>[],
): Command {
	return command({
		modes: dynamicMode,
		syntax: words,
		run: context => changeServer(context, found => ({ ...found, [field]: true })),
		no: words,
		undo: context => changeServer(context, found => ({ ...found, [field]: false })),
		current: context => (currentServer(context)?.[field] === true ? [{}] : []),
	})
}

const serverCommands: readonly Command[] = [
	command({
		modes: dynamicMode,
		syntax: [
			keyWord,
			parameter('secret', secretText(200), 'Secret of up to 200 characters; in quotes with spaces'),
		],
		run: (context, { secret }) => changeServer(context, found => ({ ...found, key: secret })),
		no: [keyWord],
		undo: context => changeServer(context, ({ key: _, ...found }) => found),
		current: context => {
			const secret = currentServer(context)?.key
			return secret === undefined ? [] : [{ secret }]
		},
	}),
	setting<number>({
		modes: dynamicMode,
		words: [udpPortWord],
		value: udpPort,
		get: context => currentServer(context)?.udpPort,
		initial: () => dynamicRequestServerDefaults.udpPort,
		set: (context, udpPort) => changeServer(context, found => ({ ...found, udpPort })),
	}),
	permission('subscriberDisconnect', [
		keyword('subscriber', 'Subscribers of this virtual router'),
		keyword('disconnect', 'The server may end their sessions'),
	]),
	permission('authorizationChange', [
		keyword('authorization', 'Authorization of subscribers'),
		keyword('change', 'The server may send CoA-Requests'),
	]),
]

// ---- Access points that take Disconnect-Requests ----

const disconnectClientWords = [
	radius,
	relayWord,
	keyword('disconnect-client', 'Access point that is told to disconnect a subscriber'),
	parameter('address', unicastAddress, 'IP address of the access point', context =>
		virtualRouterOf(context).disconnectClients.map(({ address }) => address),
	),
] as const

function setDisconnectClient(context: Context, client: DisconnectClient): Outcome {
	const router = virtualRouterOf(context)
	const clients = router.disconnectClients
	const at = clients.findIndex(({ address }) => address === client.address)
	if (at < 0 && clients.length >= limits.disconnectClients) {
		return refused(
			`A virtual router has at most ${limits.disconnectClients} disconnect clients; delete one first.`,
		)
	}
	const disconnectClients = at < 0 ? [...clients, client] : clients.with(at, client)
	return changeRouter(context, { ...router, disconnectClients })
}

const disconnectClientCommand = command({
	modes: global,
	syntax: [
		...disconnectClientWords,
		keyWord,
		parameter('secret', secretText(200), 'Secret of up to 200 characters; in quotes with spaces'),
		optional(udpPortWord, parameter('port', numberBetween(1, 65535, 'A UDP port'), 'UDP port')),
	],
	run: (context, { address, secret, port }) =>
		setDisconnectClient(context, { address, key: secret, udpPort: port ?? disconnectClientPort }),
	no: disconnectClientWords,
	undo: (context, { address }) => {
		const router = virtualRouterOf(context)
		const disconnectClients = router.disconnectClients.filter(one => one.address !== address)
		if (disconnectClients.length < router.disconnectClients.length) {
			return changeRouter(context, { ...router, disconnectClients })
		}
		return refused(
			`There is no disconnect client ${address}; "show configuration" has those there are.`,
		)
	},
	current: context =>
		virtualRouterOf(context).disconnectClients.map(({ address, key, udpPort: port }) =>
			port === disconnectClientPort ? { address, secret: key } : { address, secret: key, port },
		),
})

/** The configuration of this subject, in the order in which it is written. */
export const dynamicRequestCommands: readonly Command[] = [
	disconnectClientCommand,
	serverCommand,
	...serverCommands,
]

// ---- show and baseline ----

export const dynamicRequestShowCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, radius, dynamicRequest, keyword('servers', 'Servers that may send requests')],
		run: context => ({
			kind: 'print',
			lines: dynamicRequestServersTable(virtualRouterOf(context).dynamicRequest),
		}),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, radius, dynamicRequest, statistics, optional(delta), atTime],
		run: (_, bindings) => ({
			kind: 'show',
			what: {
				kind: 'dynamic-request-statistics',
				delta: bindings.delta !== undefined,
				...(bindings.at === undefined ? {} : { at: bindings.at }),
			},
		}),
	}),
]

export const dynamicRequestBaselineCommand: Command = command({
	modes: privileged,
	exec: true,
	syntax: [baseline, radius, dynamicRequest],
	run: () => ({ kind: 'baseline', scope: 'radius dynamic-request' }),
})
