/** The modes of the command line, and what the prompt says about them. */
import type { Service } from '../configuration.ts'
import { quoteWord } from './quotation.ts'

export type Mode =
	| { readonly kind: 'user-exec' }
	| { readonly kind: 'privileged-exec' }
	| { readonly kind: 'configuration' }
	/** RADIUS Configuration: one upstream server. */
	| { readonly kind: 'radius'; readonly service: Service; readonly server: string }
	/** RADIUS Relay Configuration. */
	| { readonly kind: 'radius-relay'; readonly service: Service }
	/** RADIUS Configuration as well: one server that may send Disconnect- and CoA-Requests. */
	| { readonly kind: 'radius-dynamic-request'; readonly server: string }
	/** DHCP Local Pool Configuration. */
	| { readonly kind: 'dhcp-pool'; readonly pool: string }

export type ModeKind = Mode['kind']

export const configurationModes: readonly ModeKind[] = [
	'configuration',
	'radius',
	'radius-relay',
	'radius-dynamic-request',
	'dhcp-pool',
]

export function isConfiguring(mode: Mode): boolean {
	return configurationModes.includes(mode.kind)
}

/** The command that leads from Global Configuration into the mode; empty for all others. */
export function modePath(mode: Mode): string {
	switch (mode.kind) {
		case 'user-exec':
		case 'privileged-exec':
		case 'configuration':
			return ''
		case 'radius':
			return `radius ${mode.service} server ${mode.server}`
		case 'radius-relay':
			return `radius relay ${mode.service} server`
		case 'radius-dynamic-request':
			return `radius dynamic-request server ${mode.server}`
		case 'dhcp-pool':
			return `ip dhcp-local pool ${quoteWord(mode.pool)}`
		default:
			return mode satisfies never
	}
}

/** `host1#`, `host1(config-radius-relay)#`, `host1:vr1(config)#`. */
export function promptText(hostname: string, virtualRouter: string, mode: Mode): string {
	const where = virtualRouter === 'default' ? hostname : `${hostname}:${virtualRouter}`
	return where + promptEnd(mode)
}

function promptEnd(mode: Mode): string {
	switch (mode.kind) {
		case 'user-exec':
			return '>'
		case 'privileged-exec':
			return '#'
		case 'configuration':
			return '(config)#'
		case 'radius':
		case 'radius-dynamic-request':
			return '(config-radius)#'
		case 'radius-relay':
			return '(config-radius-relay)#'
		case 'dhcp-pool':
			return '(config-dhcp-local)#'
		default:
			return mode satisfies never
	}
}
