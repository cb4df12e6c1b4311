/**
 * The state as it is saved: in pieces of JSON values, each small, so that a state of any size is
 * written and read in little memory. What a piece says is about the virtual router named last.
 */
import { restoreLeases, type SavedLeases, savedLeases } from './lease-snapshot.ts'
import type { PoolBound } from './lease-state.ts'
import { restoreSrc, type SavedSrc, savedSrc } from './sae/login-snapshot.ts'
import {
	restoreAccessPoints,
	restoreSessions,
	type SavedAccessPoints,
	type SavedSessions,
	savedAccessPoints,
	savedSessions,
} from './session-snapshot.ts'
import { initialState, ownRouterState, type RouterState, type State } from './state.ts'

/** Raise it when a snapshot of the old shape cannot be read as the new one. */
export const stateVersion = 7

export type StatePiece =
	| {
			readonly kind: 'state'
			readonly position: number
			readonly lastAt: number
			readonly clockShiftMs: number
	  }
	| {
			readonly kind: 'router'
			readonly name: string
			readonly messageAuthenticatorSeen: readonly number[]
			readonly warned: readonly string[]
			readonly boundIn: readonly (readonly [pool: string, PoolBound])[]
	  }
	| ({ readonly kind: 'sessions' } & SavedSessions)
	| { readonly kind: 'access-points'; readonly accessPoints: SavedAccessPoints }
	| ({ readonly kind: 'leases' } & SavedLeases)
	| ({ readonly kind: 'src' } & SavedSrc)

const rowsPerPiece = 4096

export function* statePieces(state: State): Generator<StatePiece> {
	const { position, lastAt, clockShiftMs } = state
	yield { kind: 'state', position, lastAt, clockShiftMs }
	for (const router of state.routers.values()) {
		const { name, leases } = router
		const messageAuthenticatorSeen = [...router.messageAuthenticatorSeen]
		const warned = [...leases.warned]
		const boundIn = [...leases.boundIn].map(([pool, counts]) => [pool, { ...counts }] as const)
		yield { kind: 'router', name, messageAuthenticatorSeen, warned, boundIn }
		for (const part of savedSessions(router, rowsPerPiece)) yield { kind: 'sessions', ...part }
		yield { kind: 'access-points', accessPoints: savedAccessPoints(router) }
		for (const part of savedLeases(leases, rowsPerPiece)) yield { kind: 'leases', ...part }
		for (const part of savedSrc(router.src, rowsPerPiece)) yield { kind: 'src', ...part }
	}
}

/** The state from what `statePieces` gave; a snapshot is a cache of ours, so its shape is known. */
export function stateFromPieces(pieces: Iterable<unknown>): State {
	const state = initialState()
	let router: RouterState | undefined
	for (const piece of pieces as Iterable<StatePiece>) {
		if (piece.kind === 'state') {
			state.position = piece.position
			state.lastAt = piece.lastAt
			state.clockShiftMs = piece.clockShiftMs
		} else if (piece.kind === 'router') {
			router = ownRouterState(state, piece.name)
			restoreRouter(router, piece)
		} else if (router === undefined) throw new Error('it names no virtual router.')
		else restorePart(router, piece)
	}
	return state
}

function restoreRouter(router: RouterState, piece: StatePiece & { readonly kind: 'router' }): void {
	for (const client of piece.messageAuthenticatorSeen) router.messageAuthenticatorSeen.add(client)
	for (const pool of piece.warned) router.leases.warned.add(pool)
	for (const [pool, { highWater, highWaterAt }] of piece.boundIn) {
		// What is bound now is counted again as the leases come.
		router.leases.boundIn.set(pool, { bound: 0, highWater, highWaterAt })
	}
}

function restorePart(
	router: RouterState,
	piece: Exclude<StatePiece, { readonly kind: 'state' | 'router' }>,
): void {
	switch (piece.kind) {
		case 'sessions':
			restoreSessions(router, piece)
			return
		case 'access-points':
			restoreAccessPoints(router, piece.accessPoints)
			return
		case 'leases':
			restoreLeases(router.leases, piece)
			return
		case 'src':
			restoreSrc(router.src, piece)
			return
		default:
			piece satisfies never
	}
}
