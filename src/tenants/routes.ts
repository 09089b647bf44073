/** Every HTTP route about a tenant itself, its engines and templates, its users, its audit chain and its events. */
import type { App } from '../app.ts'
import { auditRoutes } from '../audit/routes.ts'
import type { Auth } from '../http/auth.ts'
import type { Rate } from '../http/limits.ts'
import type { Route } from '../http/route.ts'
import type { Tokens } from '../http/tokens.ts'
import { alertRoutes } from '../insight/alerts-routes.ts'
import { analyticsRoutes } from '../insight/analytics-routes.ts'
import { inboxRoutes } from '../insight/inbox-routes.ts'
import { logRoutes } from '../insight/logs-routes.ts'
import { eventRoutes } from '../insight/routes.ts'
import { blockRoutes } from './blocks.ts'
import type { Directory } from './directory.ts'
import { engines } from './engines.ts'
import { guestRoutes } from './guests.ts'
import { myTenantRoutes } from './mine.ts'
import { type Instantiators, instantiateRoutes, templates } from './templates.ts'
import { platformRoutes } from './tenants.ts'

export type TenantDeps = {
  app: App
  auth: Auth
  directory: Directory
  tokens: Tokens
  /** By `template_type`: how a game is made from a template. */
  instantiators?: Instantiators
  guest_rate?: Rate
}

export function tenantRoutes(deps: TenantDeps): Route[] {
  const { app, auth, directory, tokens, instantiators, guest_rate } = deps
  return [
    ...guestRoutes(directory, tokens, guest_rate),
    ...platformRoutes(app, directory),
    ...myTenantRoutes(app, directory),
    ...engines.routes,
    ...templates.routes,
    ...(instantiators ? instantiateRoutes(instantiators) : []),
    ...blockRoutes(auth),
    ...auditRoutes(),
    ...eventRoutes(),
    ...logRoutes(),
    ...inboxRoutes(),
    ...analyticsRoutes(),
    ...alertRoutes(),
  ]
}
