/** The tables about subscribers: who they are, their attempts, sessions and accounting. */
import { anyCase, fixed, integer, maybe, type RowOf, table, text } from '../../domain/view.ts'

const virtualRouter = fixed(text('Virtual router.'))
const mac = fixed(text('MAC address of the subscriber, such as 02-00-00-00-00-01.'))
const position = (what: string) => fixed(integer(`Position in the journal of ${what}.`))
const octets = (way: string) =>
	integer(`Octets ${way}, summed over the session's WAPs; at most 9007199254740991.`)

export const subscriber = table(
	'subscriber',
	'One row for each subscriber who was ever heard of.',
	{
		id: position('the first event about the subscriber'),
		virtual_router: virtualRouter,
		mac,
		first_at: fixed(integer('Time of the first event.')),
		last_at: integer('Time of the newest event.'),
		last_position: integer('Position of the newest event.'),
		user: maybe(text('User-Name that was heard last.')),
		wap: maybe(text('WAP where the subscriber was heard last (MAC of Called-Station-Id).')),
		ssid: maybe(text('SSID that was heard last.')),
		attempt: maybe(integer('The newest attempt: attempt.id.')),
		session: maybe(integer('The live session: session.id; NULL where there is none.')),
	},
	['id'],
	[{ columns: ['mac', 'virtual_router'] }],
)

export const attempt = table(
	'attempt',
	'One row for each attempt to get onto the network: all rounds of one authentication.',
	{
		id: position('the first Access-Request of the attempt'),
		virtual_router: virtualRouter,
		mac,
		began_at: fixed(integer('Time of the first Access-Request.')),
		wap: fixed(text('WAP (MAC of Called-Station-Id).')),
		ssid: fixed(maybe(text('SSID (name of the wireless network).'))),
		client: fixed(text('Address that the request came from.')),
		user: maybe(text("User-Name: the answer's, else the request's.")),
		reauthentication: fixed(integer('1 where the subscriber had a live session already.')),
		rounds: integer('Access-Requests: one, or more where the server challenged (EAP).'),
		exchange: integer('Position of the newest Access-Request.'),
		outcome: maybe(
			text(
				'accepted, rejected, unanswered, or challenged (the subscriber has to go on, or has given up); NULL while a server is asked.',
			),
		),
		reason: maybe(text('Reply-Message of a rejection; why nothing was answered.')),
		server: maybe(text('Home server that answered last, else the one that was asked first.')),
		server_us: integer('Microseconds that home servers took for their answers, summed up.'),
		transmissions: integer('Packets sent to home servers: more than rounds means repeats.'),
		ended_at: maybe(integer('Time of the newest answer, or of giving up.')),
		end_position: maybe(integer('Position of the newest answer.')),
		duration_ms: maybe(integer('From the first Access-Request to the newest answer.')),
		session: maybe(integer('The session that an accepted attempt began or renewed: session.id.')),
	},
	['id'],
	[{ columns: ['mac', 'id'] }, { columns: [anyCase('user'), 'id'] }, { columns: ['wap', 'id'] }],
)

export const session = table(
	'session',
	'One row for each session, live or ended.',
	{
		id: position('the event that began the session'),
		virtual_router: virtualRouter,
		mac,
		began_at: fixed(integer('Time at which the session began.')),
		began_by: fixed(text('access (an Access-Accept) or accounting (a Start without one).')),
		ended_at: maybe(integer('Time at which it ended; NULL while it lives.')),
		end_position: maybe(integer('Position of its SubscriberTerminated.')),
		cause: maybe(
			text(
				'Why it ended: accounting-stop, accounting-on, accounting-off, idle-timeout, disconnect, operator.',
			),
		),
		user: maybe(text('User-Name as accepted, else as accounted.')),
		wap: text('WAP where the subscriber is, or was last.'),
		ssid: fixed(maybe(text('SSID at the beginning.'))),
		client: text('Address of that WAP.'),
		waps: integer('Visits at WAPs: more than 1 means that the subscriber roamed.'),
		attempts: integer('Accepted attempts: more than 1 means reauthentication.'),
		class: fixed(maybe(text('Class [25].'))),
		service_bundle: fixed(maybe(text('Service-Bundle [26-31].'))),
		server: fixed(maybe(text('Home server that accepted.'))),
		accounting_session: maybe(text('Acct-Session-Id of the newest Start.')),
		multi_session: maybe(text('Acct-Multi-Session-Id of the newest Start.')),
		accounting_wap: maybe(text('WAP that gave these two.')),
		framed_address: maybe(text('Framed-IP-Address of the answer, else as accounted.')),
		address: maybe(text('Address that was leased to the subscriber last during the session.')),
		pool: maybe(text('Pool of that address.')),
		heard_at: integer('Time of the newest recorded accounting, which is the idle clock.'),
		input_octets: octets('from the subscriber'),
		output_octets: octets('to the subscriber'),
		input_packets: integer('Packets from the subscriber.'),
		output_packets: integer('Packets to the subscriber.'),
	},
	['id'],
	[
		{ columns: ['mac', 'id'] },
		{ columns: [anyCase('user'), 'id'] },
		{ columns: ['framed_address', 'id'], where: 'framed_address IS NOT NULL' },
		{ columns: ['began_at'] },
		{ columns: ['ended_at'] },
	],
)

export const sessionWap = table(
	'session_wap',
	'One row for each visit of a session at a WAP: how a subscriber roamed.',
	{
		id: position('the event that showed the subscriber there'),
		session: fixed(integer('session.id')),
		virtual_router: virtualRouter,
		mac,
		wap: fixed(text('WAP (MAC of Called-Station-Id).')),
		client: fixed(text('Its address.')),
		from_at: fixed(integer('Time of arrival.')),
		to_at: maybe(integer('Time of leaving, or of the end of the session; NULL: still there.')),
		to_position: maybe(integer('Position of the event that said so.')),
	},
	['id'],
	[{ columns: ['wap', 'id'] }, { columns: ['session'] }],
)

export const accounting = table(
	'accounting',
	'One row for each accounting session of either domain: wap (RADIUS accounting of WAPs) and src (the SRC system).',
	{
		id: position('the first event of the accounting session'),
		virtual_router: virtualRouter,
		mac,
		domain: fixed(text('wap or src.')),
		session: fixed(maybe(integer('The session it belongs to: session.id; NULL: to none.'))),
		accounting_session: fixed(text('Acct-Session-Id, or the id of the SRC session.')),
		multi_session: maybe(text('Acct-Multi-Session-Id.')),
		wap: fixed(maybe(text('WAP that counted; for src where the subscriber was.'))),
		server: fixed(maybe(text('Home server that was told; for src the SRC server.'))),
		user: maybe(text('User-Name.')),
		class: maybe(text('Class: of the Access-Accept for wap, of the SRC service for src.')),
		service: maybe(text('SRC service; NULL for wap.')),
		address: maybe(text('Address that was accounted for (Framed-IP-Address).')),
		began_at: integer('Time of the Start; where none came, when it must have been.'),
		ended_at: maybe(integer('Time of the Stop, or of the end of the session without one.')),
		stopped: integer('1 when a Stop came.'),
		cause: maybe(text('Acct-Terminate-Cause as number; for src the cause of closing.')),
		heard_at: integer('Time of the newest record.'),
		last_position: integer('Position of the newest record.'),
		updates: integer('Interim-Updates.'),
		seconds: maybe(integer('Acct-Session-Time of the newest record.')),
		input_octets: integer('Octets from the subscriber; at most 9007199254740991.'),
		output_octets: integer('Octets to the subscriber; at most 9007199254740991.'),
		input_packets: integer('Packets from the subscriber.'),
		output_packets: integer('Packets to the subscriber.'),
	},
	['id'],
	[
		{ columns: ['mac', 'accounting_session'] },
		{ columns: ['session'], where: 'session IS NOT NULL' },
		{ columns: [anyCase('user'), 'id'], where: 'session IS NULL' },
		{ columns: ['wap', 'id'], where: 'session IS NULL' },
		{ columns: ['address'], where: 'address IS NOT NULL' },
	],
)

export type SubscriberRow = RowOf<typeof subscriber>
export type AttemptRow = RowOf<typeof attempt>
export type SessionRow = RowOf<typeof session>
export type SessionWapRow = RowOf<typeof sessionWap>
export type AccountingRow = RowOf<typeof accounting>
