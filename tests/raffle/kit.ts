/** Raffles without doors: campaigns as an operator writes them, players with credit, and a clock that tests move. */
import { drawGames } from '../../src/draws/game.ts'
import { readDraw } from '../../src/draws/read.ts'
import { type Draws, makeDraws } from '../../src/draws/service.ts'
import { DRAW_GAMES } from '../../src/games/index.ts'
import { makeRaffle, type Raffle, type TicketRequest } from '../../src/games/raffle/raffle.ts'
import {
  raffleConfigurationResource,
  rafflePolicyResource,
  raffleResource,
} from '../../src/games/raffle/resource.ts'
import { loadCampaign, loadRaffleWinners } from '../../src/games/raffle/store.ts'
import { postTransfer } from '../../src/ledger/post.ts'
import { move, TENANT_OWNER } from '../../src/ledger/rules.ts'
import { localEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { standStill } from '../draws/kit.ts'
import { type Process, startStage } from '../games/kit.ts'

export type RaffleWish = {
  name?: string
  price?: number
  total?: number
  /** Seconds from now. */
  sale_s?: number
  config?: Record<string, unknown>
  draws?: {
    name?: string
    at_s?: number
    winners?: number
    alternates?: number
    prize_id?: number | null
    prizes?: { prize_id: number | null; qty: number }[]
  }[]
  config_name?: string
  is_published?: boolean
}

export async function startRaffles(options: { entropy?: RoundEntropy } = {}) {
  const stage = await startStage(options)
  standStill(stage.clock)
  const games = drawGames(DRAW_GAMES)
  const service = (process: Pick<Process, 'app' | 'checkpoints'>): { draws: Draws; raffle: Raffle } => {
    const draws = makeDraws({
      app: process.app,
      checkpoints: process.checkpoints,
      entropy: options.entropy ?? localEntropy,
      games,
      report: (where, error) => void stage.reports.push([where, error]),
    })
    return { draws, raffle: makeRaffle({ app: process.app, draws }) }
  }
  const { draws, raffle } = service(stage)
  const tenantId = stage.tenants.get('demo')!
  const resources = {
    raffles: raffleResource(),
    configurations: raffleConfigurationResource(),
    policies: rafflePolicyResource(),
  }
  let count = 0

  async function aRaffle(wish: RaffleWish = {}) {
    const { price = 200, total = 100, sale_s = 3_600, config = {}, is_published = true } = wish
    const now = stage.clock.now().getTime()
    const at = (s: number) => new Date(now + s * 1000).toISOString()
    const created: any = await stage.inTenant((tx) =>
      resources.raffles.create(tx, {
        input: {
          campaign_name: wish.name ?? `Spring ${++count}`,
          campaign_description: null,
          campaign_type: 'raffle',
          is_public: true,
          ticket_price: price,
          currency: 'EUR',
          total_tickets: total,
          start_time: at(0),
          end_time: at(sale_s),
          campaign_config: { reveal_lead_ms: 1_000, reveal_step_ms: 1_000, ...config },
          ...(wish.config_name && { config_name: wish.config_name }),
          draws: (wish.draws ?? [{}]).map((draw, i) => ({
            draw_name: draw.name ?? `Draw ${i + 1}`,
            draw_time: at(draw.at_s ?? sale_s + 60 * i),
            winning_tickets: draw.winners ?? 3,
            alternates: draw.alternates ?? 2,
            prize_id: draw.prize_id ?? null,
            ...(draw.prizes && { prizes: draw.prizes }),
          })),
        },
      }),
    )
    const draw_ids: string[] = created.draws.map((draw: any) => draw.id)
    if (is_published) await raffle.publish(stage.boss(), created.id)
    return {
      id: created.id as string,
      slug: created.campaign_slug as string,
      draw_ids,
      draw_id: draw_ids[0]!,
    }
  }

  const house = { account_kind: 'house', owner_id: TENANT_OWNER } as const
  /** Credit for these users, each of them so much. */
  async function give(users: readonly string[], amount_minor: number): Promise<void> {
    for (let from = 0; from < users.length; from += 500) {
      const part = users.slice(from, from + 500)
      await stage.inTenant((tx) =>
        postTransfer(tx, {
          obligation: `gift:${++count}`,
          transfer_type: 'test.gift',
          postings: [
            { ...house, currency: 'EUR', amount_minor: -amount_minor * part.length },
            ...part.map((owner_id) => ({
              account_kind: 'wallet_credit' as const,
              owner_id,
              currency: 'EUR',
              amount_minor,
            })),
          ],
        }),
      )
    }
  }

  async function balance(owner_id: string, account_kind = 'wallet_credit'): Promise<number> {
    const [row] = await stage.rows(
      'select balance_minor from ledger_accounts where owner_id = $1 and account_kind = $2',
      [owner_id, account_kind],
    )
    return row?.balance_minor ?? 0
  }

  const buy = (user: string, ref: string, request: Partial<TicketRequest> = {}, from: Raffle = raffle) =>
    from.buy(stage.actor(user), ref, {
      request_id: `r-${++count}`,
      ...(request.numbers ? {} : { quantity: 1 }),
      ...request,
    })

  async function pass(duration_s: number, ...draw_ids: string[]): Promise<void> {
    stage.clock.advance(duration_s * 1000)
    for (const id of draw_ids) await draws.advance(tenantId, id)
  }

  /** Past the close and the show. */
  async function toTheEnd(...draw_ids: string[]): Promise<void> {
    for (const id of draw_ids) {
      await pass(3_700, id)
      await pass(200, id)
    }
  }

  return {
    ...stage,
    tenantId,
    games,
    draws,
    raffle,
    service,
    resources,
    aRaffle,
    give,
    balance,
    move,
    buy,
    pass,
    toTheEnd,
    view: (draw_id: string) => stage.inTenant((tx) => readDraw(tx, { draw_id, games })),
    campaign: async (ref: string) => (await stage.inTenant((tx) => loadCampaign(tx, ref)))!,
    winners: (draw_id: string) => stage.inTenant((tx) => loadRaffleWinners(tx, draw_id)),
  }
}

export type RaffleStage = Awaited<ReturnType<typeof startRaffles>>
