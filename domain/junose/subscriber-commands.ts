/** The commands about subscribers' sessions. A part of the table in `commands.ts`. */
import { idleTimeoutSecondsDefault } from '../configuration.ts'
import { type Command, command, keyword, optional, parameter } from './command.ts'
import {
	atTime,
	changeRouter,
	clear,
	global,
	privileged,
	radius,
	relayWord,
	setting,
	show,
	showModes,
	virtualRouterOf,
} from './command-parts.ts'
import { macAddress, numberBetween } from './parameter.ts'

const year = 365 * 24 * 3600

/** The configuration of this subject. */
export const subscriberCommands: readonly Command[] = [
	setting<number>({
		modes: global,
		words: [
			radius,
			relayWord,
			keyword('idle-timeout', 'Seconds without accounting after which a session ends'),
		],
		value: parameter('value', numberBetween(1, year, 'An idle timeout in seconds'), 'Seconds'),
		get: context => virtualRouterOf(context).idleTimeoutSeconds,
		initial: () => idleTimeoutSecondsDefault,
		set: (context, idleTimeoutSeconds) =>
			changeRouter(context, { ...virtualRouterOf(context), idleTimeoutSeconds }),
	}),
]

export const subscriberExecCommands: readonly Command[] = [
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			keyword('subscribers', 'Subscribers who are on the network'),
			optional(
				keyword('mac', 'One subscriber alone'),
				parameter('mac', macAddress, 'MAC address of the subscriber'),
			),
			atTime,
		],
		run: (_, { mac, at }) => ({
			kind: 'show',
			what: {
				kind: 'subscribers',
				...(mac === undefined ? {} : { mac }),
				...(at === undefined ? {} : { at }),
			},
		}),
	}),
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [
			show,
			radius,
			relayWord,
			keyword('accounting-domains', 'What access points and what SRC account for, side by side'),
			optional(
				keyword('mac', 'One subscriber alone'),
				parameter('mac', macAddress, 'MAC address of the subscriber'),
			),
		],
		run: (_, { mac }) => ({
			kind: 'show',
			what:
				mac === undefined ? { kind: 'accounting-domains' } : { kind: 'accounting-domains', mac },
		}),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [
			clear,
			keyword('subscriber', "End a subscriber's session"),
			parameter('mac', macAddress, 'MAC address of the subscriber'),
		],
		run: (_, { mac }) => ({ kind: 'clear-subscriber', mac }),
	}),
]
