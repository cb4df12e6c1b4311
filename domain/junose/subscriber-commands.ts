/** The commands about subscribers' sessions. A part of the table in `commands.ts`. */
import {
	idleTimeoutSecondsDefault,
	type RetentionClass,
	retentionClasses,
} from '../configuration.ts'
import { retentionDaysMax } from '../retention.ts'
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
import { macAddress, numberBetween, printableText } from './parameter.ts'

const year = 365 * 24 * 3600

const retentionHelp: Readonly<Record<RetentionClass, string>> = {
	authentication: 'Requests for access and their answers',
	accounting: 'Accounting',
	lease: 'Addresses, and how their pools were chosen',
}

/** `retention CLASS days N`; `no retention CLASS` keeps for ever. */
function retention(kind: RetentionClass): Command {
	const words = [
		keyword('retention', 'How long personal data stay in the history'),
		keyword(kind, retentionHelp[kind]),
	]
	const days = keyword('days', 'Whole days, after which they are taken out')
	return setting<number | undefined>({
		modes: global,
		words: [...words, days],
		no: [...words, optional(days)],
		value: parameter('value', numberBetween(1, retentionDaysMax, 'A number of days'), 'Days'),
		get: context => virtualRouterOf(context).retentionDays?.[kind],
		initial: () => undefined,
		set: (context, days) => {
			const router = virtualRouterOf(context)
			const { [kind]: _, ...others } = router.retentionDays ?? {}
			const retentionDays = days === undefined ? others : { ...others, [kind]: days }
			return changeRouter(context, { ...router, retentionDays })
		},
	})
}

/** The configuration of this subject. */
export const subscriberCommands: readonly Command[] = [
	...retentionClasses.map(retention),
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
			radius,
			relayWord,
			keyword('integrity', 'How far the history is sealed and signed'),
		],
		run: () => ({ kind: 'show', what: { kind: 'integrity' } }),
	}),
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
	command({
		modes: showModes,
		exec: true,
		filterable: true,
		syntax: [show, keyword('retention', 'How long personal data stay, and what was taken out')],
		run: () => ({ kind: 'show', what: { kind: 'retention' } }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [
			keyword('retention', 'Personal data that are older than is set'),
			keyword('apply', 'Take them out of the history now, not within the hour'),
		],
		run: () => ({ kind: 'apply-retention' }),
	}),
	command({
		modes: privileged,
		exec: true,
		syntax: [
			keyword('erase', 'Take personal data out of the history'),
			keyword('subscriber', 'The data of one subscriber'),
			parameter('mac', macAddress, 'MAC address of the subscriber'),
			keyword('reason', 'Why; it is recorded'),
			parameter('why', printableText(200, 'A reason'), 'The reason, in quotes'),
		],
		run: (_, { mac, why }) => ({ kind: 'erase-subscriber', mac, reason: why }),
	}),
]
