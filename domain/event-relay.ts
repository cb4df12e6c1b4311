/** The part of the catalogue (`event.ts`) about the relay itself: its runs, its clock, its configuration, its journal. */
import * as t from 'io-ts'

export const relayEvents = {
	/**
	 * The wall clock moved by this much without time having passed, or the relay was not there to see
	 * it pass (`stopped`): deadlines move with it, so that nothing ends early.
	 */
	ClockStepped: {
		version: 1,
		personal: [],
		data: t.type({ byMs: t.number, reason: t.union([t.literal('step'), t.literal('stopped')]) }),
	},
	RelayStarted: {
		version: 1,
		personal: [],
		/** `configuration`: the commands in force, every secret replaced by `<secret>`. */
		data: t.type({ release: t.string, configuration: t.array(t.string) }),
	},
	RelayStopped: { version: 1, personal: [], data: t.type({ reason: t.string }) },
	ConfigurationChanged: {
		version: 1,
		personal: [],
		/** `context`: the configuration mode's path, e.g. `radius relay authentication server`. */
		data: t.type({ context: t.string, command: t.string }),
	},
	BaselineSet: {
		version: 1,
		personal: [],
		data: t.type({
			scope: t.union([
				t.literal('radius relay'),
				t.literal('radius'),
				t.literal('radius dynamic-request'),
				t.literal('ip dhcp-local'),
				t.literal('ip dhcp-external'),
			]),
		}),
	},
	/**
	 * Personal data of one subscriber was taken out of the journal's events up to `upTo`, and a
	 * pseudonym put in the MAC's place. `digest`: SHA-256 over the leaf hashes of what is left of them.
	 */
	SubscriberErased: {
		version: 1,
		personal: [],
		data: t.type({
			pseudonym: t.string,
			reason: t.string,
			upTo: t.number,
			events: t.number,
			byType: t.record(t.string, t.number),
			digest: t.string,
		}),
	},
	/**
	 * `retention` took personal data out of events up to `upTo`; of so many `subscribers` nothing is
	 * left but a pseudonym. `run` names it; `digest` as in SubscriberErased.
	 */
	RetentionApplied: {
		version: 1,
		personal: [],
		data: t.type({
			run: t.string,
			upTo: t.number,
			events: t.number,
			byType: t.record(t.string, t.number),
			subscribers: t.number,
			digest: t.string,
		}),
	},
} as const
