/** Every route that gives rows. */
import { addressRoutes } from './address-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { relayRoutes } from './relay-routes.ts'
import type { RowRoute } from './route.ts'
import { seriesRoutes } from './series-routes.ts'
import { subscriberHistoryRoutes } from './subscriber-history.ts'
import { subscriberRoutes } from './subscriber-routes.ts'

export const rowRoutes: readonly RowRoute[] = [
	...subscriberRoutes,
	...subscriberHistoryRoutes,
	...addressRoutes,
	...relayRoutes,
	...seriesRoutes,
	...eventRoutes,
]
