/**
 * What stands behind the commands: the relay as an operator sees it. `src/` implements it; the
 * shell, the configuration file and the tests only know this interface.
 */
import type { Configuration, Service } from '../configuration.ts'

/** What the relay must be asked for; all that follows from the configuration is rendered here. */
export type Show =
	| {
			readonly kind: 'relay-statistics'
			readonly service?: Service
			/** Address of one client as dotted text. */
			readonly client?: string
			readonly delta: boolean
			/** As they were at a time, as it was typed; undefined: now. */
			readonly at?: string
	  }
	| { readonly kind: 'udp-checksum' }
	| { readonly kind: 'mirrors' }
	| { readonly kind: 'radius-servers' }
	| { readonly kind: 'radius-statistics'; readonly delta: boolean; readonly at?: string }
	| {
			readonly kind: 'dhcp-bindings'
			readonly server: DhcpServerKind
			/** One address as dotted text, or one MAC in normal form; all where both are left out. */
			readonly address?: string
			readonly mac?: string
	  }
	| { readonly kind: 'dhcp-pools'; readonly pool?: string }
	| {
			readonly kind: 'dhcp-statistics'
			readonly server: DhcpServerKind
			readonly delta: boolean
			readonly at?: string
	  }
	| { readonly kind: 'dynamic-request-statistics'; readonly delta: boolean; readonly at?: string }
	/** `mac` in normal form; every subscriber where it is left out. `at`: a time, as it was typed. */
	| { readonly kind: 'subscribers'; readonly mac?: string; readonly at?: string }
	| { readonly kind: 'sscc-info' }
	| { readonly kind: 'sscc-statistics' }
	/** The two accounting domains of a subscriber, or where they differ. */
	| { readonly kind: 'accounting-domains'; readonly mac?: string }
	/** How far the history is sealed. */
	| { readonly kind: 'integrity' }
	/** How long personal data stay, and what was taken out. */
	| { readonly kind: 'retention' }
	| { readonly kind: 'version' }

/** Whose leases: those of the DHCP local server, or what is known of an external one's. */
export type DhcpServerKind = 'local' | 'external'

export type BaselineScope =
	| 'radius relay'
	| 'radius'
	| 'radius dynamic-request'
	| 'ip dhcp-local'
	| 'ip dhcp-external'

/** Where a change was typed, and the command in full, every secret replaced by `<secret>`. */
export type Change = {
	readonly virtualRouter: string
	/** The configuration mode's path, e.g. `radius relay authentication server`; empty: global. */
	readonly context: string
	readonly command: string
}

export type Operator = {
	configuration(): Configuration
	/** Saved, recorded and in force when it resolves to undefined; a sentence when refused. */
	configure(next: Configuration, change: Change): Promise<string | undefined>
	/** Whether the machine has the interface, up and with an IPv4 address; true where nobody knows. */
	hasInterface(name: string): boolean
	/** Sets a baseline; a sentence when refused. */
	baseline(virtualRouter: string, scope: BaselineScope): Promise<string | undefined>
	/** Ends the lease of an address, or every one; recorded when it resolves, a sentence if refused. */
	clearBindings(
		virtualRouter: string,
		server: DhcpServerKind,
		address: string | undefined,
	): Promise<string | undefined>
	/** Ends a subscriber's session; recorded when it resolves, a sentence when there is none. */
	clearSubscriber(virtualRouter: string, mac: string): Promise<string | undefined>
	/** `sscc restart`: the SRC client begins with its primary server again; a sentence if refused. */
	restartSrc(virtualRouter: string): Promise<string | undefined>
	/** Takes a subscriber's personal data out of the journal; says what was done, or why it was not. */
	eraseSubscriber(
		mac: string,
		reason: string,
	): Promise<{ readonly lines: readonly string[] } | { readonly refused: string }>
	/** Does what `retention` says now instead of within the hour; says what was done, or why not. */
	applyRetention(): Promise<{ readonly lines: readonly string[] } | { readonly refused: string }>
	/** The lines that a `show` command prints. */
	show(virtualRouter: string, what: Show): Promise<readonly string[]>
}
