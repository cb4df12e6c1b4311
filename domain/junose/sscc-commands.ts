/**
 * The commands of the SRC client: whom it asks for pools and tells of addresses. A part of the table
 * in `commands.ts`.
 */
import type { SrcSettings } from '../configuration.ts'
import { retryTimer, type ServerRole, serverRoles } from '../sae/servers.ts'
import {
	type Command,
	type Context,
	choice,
	command,
	keyword,
	type Outcome,
	optional,
	parameter,
} from './command.ts'
import {
	changeRouter,
	global,
	privileged,
	refused,
	setting,
	show,
	showModes,
	statistics,
	virtualRouterOf,
} from './command-parts.ts'
import {
	hostOrAddress,
	nameText,
	numberBetween,
	printableText,
	unicastAddress,
} from './parameter.ts'

/** NATS' own. The COPS transport of JunosE had 3288. */
const usualPort = 4222

const sscc = keyword('sscc', 'SRC client: the policy system that selects pools')

function changeSrc(context: Context, src: SrcSettings, warning?: string): Outcome {
	const outcome = changeRouter(context, { ...virtualRouterOf(context), src })
	return warning === undefined || outcome.kind !== 'configure' ? outcome : { ...outcome, warning }
}

// ---- Whether, and whom ----

const enableWords = [sscc, keyword('enable', 'Ask SRC, and tell it of addresses')] as const

/** Where SRC's choice of pools would never be asked for. */
function externalWarning(context: Context): string | undefined {
	const { name, dhcpExternal } = virtualRouterOf(context)
	if (!dhcpExternal.enabled) return undefined
	return `The DHCP external server of virtual router ${name} chooses the addresses: SRC is told of them, and selects no pool.`
}

/** What may keep SRC from being asked although it is on. */
function enableWarning(context: Context): string | undefined {
	const { src, dhcpLocal } = virtualRouterOf(context)
	const external = externalWarning(context)
	if (external !== undefined) return external
	if (dhcpLocal.service === 'standalone') {
		return 'A standalone DHCP server without "authenticate" asks nobody: SRC is told nothing.'
	}
	if (src.localRules !== undefined || serverRoles.some(role => src.servers[role] !== undefined)) {
		return undefined
	}
	return 'No SRC server is configured: until "sscc primary" or "sscc local rules" names one, pools are chosen here.'
}

const enableCommand = command({
	modes: global,
	syntax: enableWords,
	run: context =>
		changeSrc(context, { ...virtualRouterOf(context).src, enabled: true }, enableWarning(context)),
	no: enableWords,
	undo: context => changeSrc(context, { ...virtualRouterOf(context).src, enabled: false }),
	current: context => (virtualRouterOf(context).src.enabled ? [{}] : []),
})

const roleWord = choice('role', {
	primary: 'The server that is asked while it can be',
	secondary: 'The one in its place',
	tertiary: 'The one in the place of both',
})

type Server = NonNullable<SrcSettings['servers'][ServerRole]>

/** In the order of the roles, whatever the order in which they were given. */
function setServer(context: Context, role: ServerRole, server: Server | undefined): Outcome {
	const { src } = virtualRouterOf(context)
	const servers = serverRoles.flatMap(each => {
		const one = each === role ? server : src.servers[each]
		return one === undefined ? [] : [[each, one] as const]
	})
	return changeSrc(context, { ...src, servers: Object.fromEntries(servers) })
}

const serverCommand = command({
	modes: global,
	syntax: [
		sscc,
		roleWord,
		keyword('address', 'Its address'),
		parameter('address', hostOrAddress, 'IP address or host name of the NATS server'),
		optional(
			keyword('port', 'TCP port'),
			parameter('port', numberBetween(1, 65_535, 'A TCP port'), `TCP port (${usualPort})`),
		),
	],
	run: (context, { role, address, port = usualPort }) =>
		setServer(context, role, { address, port }),
	no: [sscc, roleWord],
	undo: (context, { role }) => {
		if (virtualRouterOf(context).src.servers[role] === undefined) {
			return refused(`There is no ${role} SRC server.`)
		}
		return setServer(context, role, undefined)
	},
	current: context =>
		serverRoles.flatMap(role => {
			const server = virtualRouterOf(context).src.servers[role]
			return server === undefined ? [] : [{ role, ...server }]
		}),
})

const localWords = [
	sscc,
	keyword('local', 'SRC inside this process'),
	keyword('rules', 'Classification rules, in place of SRC servers'),
] as const

const localCommand = command({
	modes: global,
	syntax: [
		...localWords,
		parameter(
			'file',
			printableText(512, 'A file'),
			"File, looked for in the configuration's folder",
		),
	],
	run: (context, { file }) =>
		changeSrc(
			context,
			{ ...virtualRouterOf(context).src, localRules: file },
			externalWarning(context),
		),
	no: localWords,
	undo: context => {
		const { localRules, ...src } = virtualRouterOf(context).src
		if (localRules === undefined) return refused('There are no local rules.')
		return changeSrc(context, src)
	},
	current: context => {
		const { localRules } = virtualRouterOf(context).src
		return localRules === undefined ? [] : [{ file: localRules }]
	},
})

// ---- How ----

const retryCommand = setting<number>({
	modes: global,
	words: [sscc, keyword('retryTimer', 'How long a better server is left alone')],
	value: parameter(
		'value',
		numberBetween(retryTimer.minimum, retryTimer.maximum, 'A retry timer in seconds'),
		'Seconds',
	),
	get: context => virtualRouterOf(context).src.retrySeconds,
	initial: () => retryTimer.usual,
	set: (context, retrySeconds) =>
		changeSrc(context, { ...virtualRouterOf(context).src, retrySeconds }),
})

const sourceWords = [
	sscc,
	keyword('sourceAddress', 'Address that the connections to the servers come from'),
] as const

const sourceCommand = command({
	modes: global,
	syntax: [
		...sourceWords,
		parameter('address', unicastAddress, 'IP address of one of the interfaces'),
	],
	run: (context, { address }) =>
		changeSrc(context, { ...virtualRouterOf(context).src, sourceAddress: address }),
	no: sourceWords,
	undo: context => {
		const { sourceAddress: _, ...src } = virtualRouterOf(context).src
		return changeSrc(context, src)
	},
	current: context => {
		const { sourceAddress } = virtualRouterOf(context).src
		return sourceAddress === undefined ? [] : [{ address: sourceAddress }]
	},
})

const transportWords = [
	sscc,
	keyword('transportRouter', 'Virtual router whose address the connections come from'),
] as const

/** It names another virtual router, which may stand further down in a configuration. */
export const transportCommand = command({
	modes: global,
	syntax: [
		...transportWords,
		parameter('router', nameText(32, 'A virtual router'), 'Name of the virtual router', context =>
			context.configuration.virtualRouters.map(({ name }) => name),
		),
	],
	run: (context, { router }) =>
		changeSrc(context, { ...virtualRouterOf(context).src, transportRouter: router }),
	no: transportWords,
	undo: context => {
		const { transportRouter: _, ...src } = virtualRouterOf(context).src
		return changeSrc(context, src)
	},
	current: context => {
		const { transportRouter } = virtualRouterOf(context).src
		return transportRouter === undefined ? [] : [{ router: transportRouter }]
	},
})

const restartSyntax = [sscc, keyword('restart', 'Begin with the primary server again')] as const

const restartCommand = command({
	modes: global,
	syntax: restartSyntax,
	run: () => ({ kind: 'restart-src' }),
})

/** The configuration of this subject. */
export const ssccCommands: readonly Command[] = [
	serverCommand,
	localCommand,
	retryCommand,
	sourceCommand,
	transportCommand,
	enableCommand,
	restartCommand,
]

export const ssccExecCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, sscc, keyword('info', 'Servers, and how the connection is')],
		run: () => ({ kind: 'show', what: { kind: 'sscc-info' } }),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, sscc, statistics],
		run: () => ({ kind: 'show', what: { kind: 'sscc-statistics' } }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: restartSyntax,
		run: () => ({ kind: 'restart-src' }),
	}),
]
