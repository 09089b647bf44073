/** The raffle as a game that closes: config, list, outcome, awards. What it decides with is FAIR/1's rule for raffles. */
import { z } from 'zod'
import type { Tx } from '../../db/tx.ts'
import type { DrawGame, NewDrawInput, NewEntry } from '../../draws/game.ts'
import { type DrawRow, loadWinners, type WinnerRow } from '../../draws/store.ts'
import { refuse } from '../../errors.ts'
import type { Leaf } from '../../fairness/transcript.ts'
import { deriveFrom } from '../../fairness/transcript.ts'
import { newId } from '../../ids.ts'
import { postTransfer } from '../../ledger/post.ts'
import { move, TENANT_OWNER } from '../../ledger/rules.ts'
import { loadSeedByCommit } from '../../proofs/store.ts'
import { tellLobby } from '../lobby.ts'
import { raffleEntry } from './lobby.ts'
import { type CampaignConfig, campaignStatus } from './rules.ts'
import { poolOf } from './sale.ts'
import {
  type CampaignRow,
  countRedraws,
  insertRaffleDraws,
  loadCampaign,
  loadCampaignsForUpdate,
  loadEverPlaced,
  loadListToCopy,
  loadRaffleDraw,
  loadRaffleDraws,
  loadRaffleWinners,
  loadRevenue,
  loadStanding,
  loadTickets,
  mirrorDraw,
  type RaffleDrawRow,
  setCampaignStatus,
} from './store.ts'
import { endWinner, grantStanding, isStanding, recordWinners } from './winners.ts'

const configSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('raffle'),
  prizes: z
    .array(z.strictObject({ id: z.string(), qty: z.int().min(1).max(1_000), prizeId: z.int().nullable() }))
    .min(1)
    .max(1_000),
  reserves: z.int().min(0).max(1_000),
  onePrizePerEntrant: z.literal(true).optional(),
  /** What is on the list: every ticket, or every person once. */
  unit: z.enum(['ticket', 'person']),
  carryOver: z.enum(['all', 'exclude_tickets', 'exclude_winners']),
  claimDays: z.int(),
  reveal: z.strictObject({ leadMs: z.int(), stepMs: z.int() }),
  /** SHA-256 of the seed that the numbers which win at once are drawn from, and how many there are. */
  instant: z.strictObject({ seedHash: z.string(), count: z.int() }).optional(),
})
export type RaffleConfig = z.infer<typeof configSchema>

const placeCount = ({ prizes, reserves }: RaffleConfig): number =>
  prizes.reduce((sum, { qty }) => sum + qty, reserves)

/** What a draw of a campaign commits to. */
export function configOf(
  campaign: { campaign_config: CampaignConfig },
  draw: Pick<RaffleDrawRow, 'prizes' | 'alternates'>,
  instant?: RaffleConfig['instant'],
): RaffleConfig {
  const { unit, repeat_winners, carry_over, claim_days, reveal_lead_ms, reveal_step_ms } =
    campaign.campaign_config
  return {
    v: 1,
    kind: 'raffle',
    prizes: draw.prizes.map(({ prize_id, qty }, i) => ({ id: `p${i + 1}`, qty, prizeId: prize_id })),
    reserves: draw.alternates,
    ...(!repeat_winners && { onePrizePerEntrant: true as const }),
    unit,
    carryOver: carry_over,
    claimDays: claim_days,
    reveal: { leadMs: reveal_lead_ms, stepMs: reveal_step_ms },
    ...(instant && { instant }),
  }
}

export const RAFFLE_DRAW: DrawGame<RaffleConfig> = {
  game: 'raffle',
  kind: 'draw',
  configSchema,
  margin_ms: 60_000,
  // An hour of rounds at a time, for a day: then the draw is void rather than late for ever.
  fallback: { onOutage: 'void', deadlineS: 7 * 86_400, postponeBy: 1_200, maxPostpones: 24 },
  reveal: ({ reveal }) => ({ lead_ms: reveal.leadMs, step_ms: reveal.stepMs }),
  reads: ({ onePrizePerEntrant }) => (onePrizePerEntrant === true ? 'drawn' : 'none'),
  drawCount: placeCount,
  isEnough: (config, drawn) => new Set(drawn.map((leaf: Leaf) => leaf.e)).size >= placeCount(config),
  decide: (config, entries, rolls) => deriveFrom(rolls, { kind: 'draw', config, entries }).outcome,
  places(_config, outcome) {
    const won = outcome['prizes'].flatMap((prize: { id: string; entries: number[] }) =>
      prize.entries.map((entry_index) => ({ entry_index, prize: prize.id })),
    )
    return [...won, ...outcome['reserves'].map((entry_index: number) => ({ entry_index, prize: null }))]
  },
  entries: nextEntries,
  moved: mirror,
  async drawn(tx, draw, winners) {
    await recordWinners(tx, draw, (await loadCampaign(tx, draw.game_id))!, winners)
  },
  async award(tx, draw) {
    const campaign = (await loadCampaign(tx, draw.game_id))!
    await grantStanding(tx, draw, campaign)
    await closeBooks(tx, campaign)
  },
  /** Tickets are given back when no draw of the campaign is left: they took part in the others. */
  async refund(tx, draw) {
    await closeBooks(tx, (await loadCampaign(tx, draw.game_id))!)
  },
  async forfeit(tx, draw, { place, user_id, reason }) {
    const winners = (await loadRaffleWinners(tx, draw.id)).filter(isStanding)
    const winner = winners.find((each) =>
      user_id === null ? each.place === place : each.user_id === user_id,
    )
    if (winner === undefined) refuse('forfeit_refused')
    const campaign = (await loadCampaign(tx, draw.game_id))!
    return endWinner(tx, draw, campaign, winner, user_id === null ? 'replaced' : 'declined', reason)
  },
  vacancies: async (tx, draw) => (await vacanciesOf(tx, draw.id)).map(({ place }) => place),
  redraw,
  async shown(tx, winners, draw) {
    const tickets = new Map(
      (
        await loadTickets(
          tx,
          winners.map((each) => each.ref_id),
        )
      ).map((row) => [row.id, row]),
    )
    const rows = new Map((await loadRaffleWinners(tx, draw.id)).map((row) => [row.place, row]))
    return winners.map(({ place, ref_id }) => {
      const { winner_status, ended_as, prize_place, prize_id } = rows.get(place)!
      const { ticket_number, via } = tickets.get(ref_id)!
      return { ticket_number, via, status: ended_as ?? winner_status, prize_place, prize_id }
    })
  },
}

/** The list of a later draw, or of a redraw: the first list in its order, without those whom the rule leaves out. */
async function nextEntries(tx: Tx, draw: DrawRow, after: string | null, limit: number) {
  const campaign = (await loadCampaign(tx, draw.game_id))!
  const left_out = await leftOut(tx, draw, campaign)
  const source = { draw_id: campaign.first_draw_id!, after: Number(after ?? -1), limit, ...left_out }
  const rows = await loadListToCopy(tx, source)
  const entries = rows
    .filter((row) => row.is_on)
    .map(({ user_id, ref_id, ticket_number, via }): NewEntry => {
      return { user_id, ref_id, facts: { t: Number(ticket_number), via } }
    })
  return { entries, after: rows.length < limit ? null : String(rows.at(-1)!.entry_index) }
}

async function leftOut(
  tx: Tx,
  draw: DrawRow,
  campaign: CampaignRow,
): Promise<{ without_tickets: string[]; without_users: string[] }> {
  if (draw.redraw_of !== null) {
    // Who was drawn before, stood or not, is not drawn again.
    const draws = (await loadRaffleDraws(tx, campaign.id)).map((each) => each.id)
    const placed = await loadEverPlaced(
      tx,
      draws.filter((id) => id !== draw.id),
    )
    return { without_tickets: [], without_users: [...new Set(placed.map((row) => row.user_id))] }
  }
  const standing = await loadStanding(tx, campaign.id)
  const rule = campaign.campaign_config.carry_over
  return {
    without_tickets: rule === 'exclude_tickets' ? standing.map((row) => row.raffle_ticket_id) : [],
    without_users: rule === 'exclude_winners' ? [...new Set(standing.map((row) => row.user_id))] : [],
  }
}

/** The raffle's own rows follow the draw, in the same transaction. */
async function mirror(tx: Tx, draw: DrawRow): Promise<void> {
  const draw_results = draw.status === 'settled' ? await resultsOf(tx, draw) : null
  await mirrorDraw(tx, draw.id, {
    draw_status: draw.status,
    frozen_at: draw.frozen_at,
    total_tickets: draw.entries_root === null ? 0 : draw.entry_count,
    draw_results,
  })
  const [campaign] = await loadCampaignsForUpdate(tx, [draw.game_id])
  const draws = (await loadRaffleDraws(tx, draw.game_id)).filter((each) => each.redraw_of === null)
  const statuses = draws.map((each) => each.draw_status)
  if (statuses.includes('draft')) return
  const status = campaignStatus(statuses)
  if (status === campaign!.campaign_status) return
  await setCampaignStatus(tx, campaign!.id, status)
  tx.emit({ gameId: campaign!.id, type: 'raffle.status', data: { status } })
  tellLobby(tx, raffleEntry({ ...campaign!, campaign_status: status }))
}

/** What a draw leaves in its row: enough to re-derive it (S1-32). */
async function resultsOf(tx: Tx, draw: DrawRow): Promise<Record<string, unknown>> {
  const winners = await loadWinners(tx, draw.id)
  const tickets = new Map(
    (
      await loadTickets(
        tx,
        winners.map((each) => each.ref_id),
      )
    ).map((row) => [row.id, row.ticket_number]),
  )
  const told = ({ place, entry_index, ref_id, prize }: WinnerRow) => ({
    place,
    entry_index,
    ticket_number: tickets.get(ref_id)!,
    ...(prize !== null && { prize }),
  })
  const seed = await loadSeedByCommit(tx, draw.commit_hash)
  return {
    algorithm: 'fair/1',
    commit_hash: draw.commit_hash,
    entries_root: draw.entries_root,
    entry_count: draw.entry_count,
    server_seed: seed?.server_seed ?? null,
    beacon: draw.beacon,
    ctx: draw.ctx,
    order: draw.outcome!['order'],
    winners: winners.filter((each) => !each.is_alternate).map(told),
    alternates: winners.filter((each) => each.is_alternate).map(told),
  }
}

/** When everything is over and something was drawn, what was paid becomes the tenant's. */
async function closeBooks(tx: Tx, campaign: CampaignRow): Promise<void> {
  if (campaign.campaign_status !== 'settled') return
  const amount_minor = await loadRevenue(tx, campaign.id)
  if (amount_minor === 0) return
  await postTransfer(tx, {
    obligation: `raffle-revenue:${campaign.id}`,
    transfer_type: 'raffle.revenue',
    reason: campaign.campaign_name,
    postings: move(amount_minor, campaign.currency, poolOf(campaign.id), {
      account_kind: 'house',
      owner_id: TENANT_OWNER,
    }),
  })
}

type Vacancy = { place: number; prize_id: number | null }

/** Prizes of a draw that nobody stands for and no alternate, and no redraw, can take. */
async function vacanciesOf(tx: Tx, draw_id: string): Promise<Vacancy[]> {
  const rows = await loadRaffleWinners(tx, draw_id)
  const draw = (await loadRaffleDraw(tx, draw_id))!
  if (rows.some((row) => row.winner_status === 'alternate')) return []
  if (draw.redraw_of === null && (await countRedraws(tx, draw_id)) > 0) return []
  const stood = new Set(rows.filter(isStanding).map((row) => row.prize_place))
  const prizes = draw.prizes.flatMap(({ prize_id, qty }) => Array.from({ length: qty }, () => prize_id))
  return prizes.map((prize_id, i) => ({ place: i + 1, prize_id })).filter(({ place }) => !stood.has(place))
}

/** People have this long to notice that it is drawn again. */
const REDRAW_AFTER_MS = 60_000

async function redraw(tx: Tx, draw: DrawRow, places: readonly number[]): Promise<NewDrawInput> {
  const campaign = (await loadCampaign(tx, draw.game_id))!
  const before = (await loadRaffleDraw(tx, draw.id))!
  const vacant = (await vacanciesOf(tx, draw.id)).filter(({ place }) => places.includes(place))
  const all = await loadRaffleDraws(tx, campaign.id)
  const at = new Date(tx.now.getTime() + REDRAW_AFTER_MS)
  const made = {
    id: newId(),
    draw_order: Math.max(...all.map((each) => each.draw_order)) + 1,
    draw_name: `${before.draw_name.slice(0, 100)} (redraw ${(await countRedraws(tx, draw.id)) + 1})`,
    draw_time: at,
    winning_tickets: vacant.length,
    alternates: Math.max(1, before.alternates),
    prizes: vacant.map(({ prize_id }) => ({ prize_id, qty: 1 })),
    redraw_of: draw.id,
  }
  await insertRaffleDraws(tx, campaign.id, [made])
  const { id, draw_name } = made
  const config = configOf(campaign, made)
  return { id, game_id: campaign.id, draw_name, config, opens_at: tx.now, closes_at: at, draw_at: at }
}
