/** The harness with every route of the product, and a published wheel to play with. */
import assert from 'node:assert/strict'
import { claimRoutes } from '../../src/claims/routes.ts'
import { companyRoutes } from '../../src/companies/routes.ts'
import { customerRoutes } from '../../src/customers/routes.ts'
import { type AdminLink, adminLinkRoutes, makeAdminLink } from '../../src/demo/admin-link.ts'
import { creditRoutes } from '../../src/demo/credit.ts'
import { shopRoutes } from '../../src/demo/shop-routes.ts'
import { drawGames } from '../../src/draws/game.ts'
import { drawRoutes } from '../../src/draws/routes.ts'
import { type Draws, makeDraws } from '../../src/draws/service.ts'
import { DRAW_GAMES, makeGames } from '../../src/games/index.ts'
import type { Raffle } from '../../src/games/raffle/raffle.ts'
import { wheelResource } from '../../src/games/wheel/resource.ts'
import { wheelRoutes } from '../../src/games/wheel/routes.ts'
import { makeWheelInstantiator } from '../../src/games/wheel/templates.ts'
import { makeWheel } from '../../src/games/wheel/wheel.ts'
import { makeSpinLog, type SpinLog } from '../../src/insight/spin-log.ts'
import { ledgerRoutes } from '../../src/ledger/routes.ts'
import { prizeResource } from '../../src/prizes/definitions.ts'
import { fulfilmentRoutes } from '../../src/prizes/fulfilment-routes.ts'
import { gameRoutes } from '../../src/prizes/game-resource.ts'
import { makeMysteries } from '../../src/prizes/mysteries.ts'
import { mysteryRoutes } from '../../src/prizes/mystery-routes.ts'
import { partnerRoutes } from '../../src/prizes/partner-routes.ts'
import { walletRoutes } from '../../src/prizes/routes.ts'
import { socialRoutes } from '../../src/prizes/social/routes.ts'
import { type Checkpoints, makeCheckpoints } from '../../src/proofs/checkpoints.ts'
import { localEntropy } from '../../src/proofs/round-entropy.ts'
import { proofRoutes } from '../../src/proofs/routes.ts'
import { webhookRoutes } from '../../src/webhooks/routes.ts'
import { type HttpHarness, type HttpOptions, startHttp } from './harness.ts'

export type Product = HttpHarness & {
  /** What moves draws on; no keeper runs here. */
  draws: Draws
  raffle: Raffle
  spinLog: SpinLog
  adminLink: AdminLink
  /** Makes a prize and a wheel of half wins in tenant `acme`, and publishes it. */
  aWheel(slug: string): Promise<{ wheel_id: string; prize_id: number; reward_ids: string[] }>
  grant(user_id: string, count: number): Promise<void>
}

/** As composition.ts does it, without rooms. */
export async function startProduct(options: HttpOptions = {}): Promise<Product> {
  let checkpoints: Checkpoints | undefined
  let draws: Draws | undefined
  let raffle: Raffle | undefined
  let spinLog: SpinLog | undefined
  const adminLink = makeAdminLink()
  const http = await startHttp({
    ...options,
    instantiators: { wheel: makeWheelInstantiator(wheelResource()) },
    routes: ({ app, directory, tokens }) => {
      const report = () => {}
      checkpoints = makeCheckpoints(app, report)
      const shared = { app, checkpoints, entropy: localEntropy, report }
      spinLog = makeSpinLog(app, report)
      const wheel = makeWheel({ ...shared, answered: spinLog.note })
      const mysteries = makeMysteries(app, checkpoints)
      draws = makeDraws({ ...shared, games: drawGames(DRAW_GAMES) })
      const games = makeGames({ app, draws, locked: () => false })
      raffle = games.serviceOf('raffle')
      return [
        ...prizeResource().routes,
        ...walletRoutes(app, mysteries),
        ...mysteryRoutes(mysteries),
        ...fulfilmentRoutes(),
        ...partnerRoutes(),
        ...gameRoutes(),
        ...socialRoutes({ app, directory }),
        ...ledgerRoutes(),
        ...customerRoutes(),
        ...webhookRoutes({ allows_loopback: true }),
        ...wheelRoutes({ app, wheel, crowdOf: () => ({ players: 0, spectators: 0 }) }),
        ...games.routes,
        ...drawRoutes({ app, draws }),
        ...companyRoutes(),
        ...claimRoutes({ app }),
        ...proofRoutes({ app, wheel, checkpoints }),
        ...shopRoutes(app, directory),
        ...creditRoutes(directory),
        ...adminLinkRoutes(adminLink, { app, directory, tokens }),
      ]
    },
  })
  const operator = await http.token('operator', { sub: 'product-operator' })
  const made = async (path: string, json?: unknown, headers: Record<string, string> = {}) => {
    const answer = await http.ask('POST', `/api/v1/${path}`, {
      token: operator,
      headers,
      ...(json !== undefined && { json }),
    })
    assert.ok(answer.status === 200 || answer.status === 201, `${path}: ${answer.text}`)
    return answer.body
  }
  return {
    ...http,
    draws: draws!,
    raffle: raffle!,
    spinLog: spinLog!,
    adminLink,
    async aWheel(slug) {
      const prize = await made('prizes', {
        name: '10% off',
        type: 'discount_percentage',
        value: '10.00',
        expires_in_days: 7,
      })
      const wheel = await made('wheels', {
        wheel_name: slug,
        wheel_slug: slug,
        rewards: [
          { reward_slug: 'ten', reward_label: '10% OFF', probability: '0.5', prize_id: prize.id },
          { reward_slug: 'none', reward_label: 'Try again', probability: '0.5' },
        ],
      })
      await made(`wheels/${slug}/publish`)
      return { wheel_id: wheel.id, prize_id: prize.id, reward_ids: wheel.rewards.map((each: any) => each.id) }
    },
    async grant(user_id, count) {
      await made(
        'spin-chances',
        { user_id, count, reason: 'test' },
        { 'idempotency-key': `${user_id}-${count}` },
      )
    },
    async close() {
      await spinLog?.flush()
      await checkpoints?.stop()
      await http.close()
    },
  }
}
