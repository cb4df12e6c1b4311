/** What SRC is owed follows the leases that begin its logins. */
import { type NewEvent, virtualRouterOf } from '../../domain/event.ts'
import { loginKey } from '../../domain/sae/logins.ts'
import { routerState } from '../../domain/state.ts'
import type { Engine } from './engine.ts'
import { enqueue } from './queue.ts'

/** A login that an event has begun is to be reported. Called for every event, once it is folded. */
export function followLogin(engine: Engine, event: NewEvent): void {
	switch (event.type) {
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseObserved': {
			if (!event.data.src) return
			const router = virtualRouterOf(event.stream)
			const bridge = engine.src.get(router)
			if (bridge === undefined) return
			const { mac, address } = event.data
			const key = loginKey({ mac, address, since: event.at })
			const login = routerState(engine.state, router).src.unreported.get(key)
			if (login !== undefined) enqueue(bridge.telling.reports, login)
			return
		}
		default:
			return
	}
}
