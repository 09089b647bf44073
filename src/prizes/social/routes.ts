/** Everything about prizes that are not only won and used: passed on, shared, given. */
import type { Route } from '../../http/route.ts'
import { dealRoutes } from './deal-routes.ts'
import { grantRoutes } from './grant-routes.ts'
import { type ShareRouteDeps, shareRoutes } from './share-routes.ts'

export function socialRoutes(deps: ShareRouteDeps): Route[] {
  return [...dealRoutes(), ...shareRoutes(deps), ...grantRoutes()]
}
