/** What the HTTP API gives, as far as this page shows it. */

export type Page<T> = { readonly items: readonly T[]; readonly next: string | null }

export type Relay = {
	readonly release: string
	readonly hostname: string
	/** What this is a copy of; null: the relay itself. */
	readonly follows: string | null
	readonly fleet: readonly { readonly name: string; readonly port: number }[]
	readonly startedAt: string
	readonly position: number
	readonly failure: string | null
	readonly virtualRouters: readonly string[]
	readonly sessions: number
}

export type Statistic = {
	readonly virtualRouter: string
	readonly service: string | null
	readonly peer: string | null
	readonly statistic: string
	readonly label: string
	readonly gauge: boolean
	readonly total: number
	readonly delta: number
	readonly baselineAt: string | null
}

export type Session = {
	readonly id: number
	readonly virtualRouter: string
	readonly mac: string
	readonly user: string | null
	readonly state: 'live' | 'ended'
	readonly beganAt: string
	readonly endedAt: string | null
	readonly cause: string | null
	readonly wap: string
	readonly ssid: string | null
	readonly address: string | null
	readonly framedAddress: string | null
	readonly pool: string | null
	readonly class: string | null
	readonly serviceBundle: string | null
	readonly heardAt: string
	readonly inputOctets: number | null
	readonly outputOctets: number | null
}

export type Attempt = {
	readonly id: number
	readonly beganAt: string
	readonly endedAt: string | null
	readonly outcome: string | null
	readonly reason: string | null
	readonly server: string | null
	readonly wap: string
	readonly user: string | null
	readonly reauthentication: boolean
}

export type Lease = {
	readonly id: number
	readonly address: string
	readonly pool: string
	readonly state: string
	readonly offeredAt: string
	readonly grantedAt: string | null
	readonly expiresAt: string | null
	readonly endedAt: string | null
	readonly cause: string | null
}

export type Accounting = {
	readonly id: number
	readonly domain: 'wap' | 'src'
	readonly accountingSession: string
	readonly user: string | null
	readonly class: string | null
	readonly service: string | null
	readonly wap: string | null
	readonly address: string | null
	readonly beganAt: string
	readonly endedAt: string | null
	readonly cause: string | null
	readonly inputOctets: number | null
	readonly outputOctets: number | null
}

export type Subscriber = {
	readonly mac: string
	readonly virtualRouter: string
	readonly user: string | null
	readonly wap: string | null
	readonly ssid: string | null
	readonly firstAt: string
	readonly lastAt: string
	readonly session: number | null
}

export type SubscriberState = Subscriber & {
	readonly at: string | null
	readonly live: Session | null
	readonly attempt: Attempt | null
	readonly leases: readonly Lease[]
	readonly accounting: readonly Accounting[]
}

export type RecordedEvent = {
	readonly position: number
	readonly stream: string
	readonly type: string
	readonly at: string
	readonly data: Readonly<Record<string, unknown>>
}

export type Upstream = {
	readonly virtualRouter: string
	readonly service: string
	readonly server: string
	readonly udpPort: number
	readonly state: string
	readonly pending: number | null
}

export type Peer = {
	readonly kind: 'src' | 'eventstore' | 'nats'
	readonly virtualRouter: string | null
	readonly name: string
	readonly state: string
	readonly position: number | null
	readonly behind: number | null
	readonly trouble: string | null
}

export type Pool = {
	readonly virtualRouter: string
	readonly pool: string
	readonly size: number
	readonly bound: number
	readonly highWater: number | null
	readonly usedPercent: number | null
	readonly warningAt: number
}

export type Minute = { readonly at: string } & Readonly<Record<string, number | string | null>>

export type Integrity = {
	readonly state: 'signed' | 'sealed' | 'behind' | 'off'
	readonly position: number
	readonly sealed: number
	readonly signed: number
	readonly signedAt: string | null
	readonly checkpoint: string | null
	readonly key: string | null
}
