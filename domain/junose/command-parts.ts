/**
 * What commands of every subject are made of: the modes they are typed in, the words they share,
 * and the ways in which they change the virtual router that they work on.
 */
import type { VirtualRouter } from '../configuration.ts'
import {
	type Command,
	type Context,
	choice,
	command,
	type Element,
	keyword,
	type Outcome,
	optional,
	parameter,
} from './command.ts'
import { configurationModes, type Mode, type ModeKind, modePath } from './mode.ts'
import { numberBetween, pointInTime } from './parameter.ts'

export const global: readonly ModeKind[] = ['configuration']
export const privileged: readonly ModeKind[] = ['privileged-exec']
/** The router takes `show` in every mode but User Exec. */
export const showModes: readonly ModeKind[] = ['privileged-exec', ...configurationModes]

export const show = keyword('show', 'Show what is configured and what happens')
export const baseline = keyword('baseline', 'Set a baseline to count from')
export const clear = keyword('clear', 'Give up what is kept of subscribers and clients')
/** `at T`: how things stood at a time. */
export const atTime = optional(
	keyword('at', 'As it was at a time'),
	parameter('at', pointInTime, 'A time; in quotes where it has blanks'),
)
export const statistics = keyword('statistics', 'What was counted')
export const delta = choice('delta', { delta: 'Count from the baseline on' })

export const radius = keyword('radius', 'RADIUS servers and the RADIUS relay')
export const relayWord = keyword(
	'relay',
	'RADIUS relay servers, which wireless access points talk to',
)
export const server = keyword('server', 'RADIUS server')
export const keyWord = keyword('key', 'Secret shared with the other side')
export const udpPortWord = keyword('udp-port', 'UDP port')
export const udpPort = parameter('value', numberBetween(1, 65535, 'A UDP port'), 'UDP port')

/** For a command in the mode of a server that another session has deleted. */
export function goneSentence(mode: Mode): string {
	return `The server was deleted in the meantime; enter "${modePath(mode)}" to make it anew.`
}

export function refused(why: string): Outcome {
	return { kind: 'refused', why }
}

export function move(context: Context, mode: Mode): Outcome {
	return { kind: 'move', mode, virtualRouter: context.virtualRouter }
}

/** The virtual router that the command works on; a session is moved when it is deleted. */
export function virtualRouterOf(context: Context): VirtualRouter {
	const found = context.configuration.virtualRouters.find(r => r.name === context.virtualRouter)
	return found ?? context.configuration.virtualRouters[0]!
}

export function changeRouter(
	context: Context,
	router: VirtualRouter,
	mode = context.mode,
): Outcome {
	const virtualRouters = context.configuration.virtualRouters.map(other =>
		other.name === router.name ? router : other,
	)
	const configuration = { ...context.configuration, virtualRouters }
	return { kind: 'configure', configuration, mode, virtualRouter: context.virtualRouter }
}

/** A command that sets one value; its `no` form restores the initial one. */
export function setting<T>(spec: {
	readonly modes: readonly ModeKind[]
	readonly words: readonly Element<unknown>[]
	readonly value: Element<{ readonly value: T }>
	/** The words of the `no` form, where they are others. */
	readonly no?: readonly Element<unknown>[]
	/** Undefined where there is nothing that could have the value. */
	get(context: Context): T | undefined
	initial(context: Context): T
	set(context: Context, value: T): Outcome
}): Command {
	const { modes, words, get, initial, set } = spec
	return command({
		modes,
		syntax: [...words, spec.value],
		run: (context, { value }) => set(context, value),
		no: spec.no ?? words,
		undo: context => set(context, initial(context)),
		current: context => {
			const value = get(context)
			return value === undefined || value === initial(context) ? [] : [{ value }]
		},
	})
}
