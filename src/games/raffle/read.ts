/** What people see of a raffle: its board, its numbers, their tickets with proof, the numbers that won at once. */
import type { GameEvent, Tx } from '../../db/tx.ts'
import type { DrawGames } from '../../draws/game.ts'
import { leafHashOfText, receiptOf } from '../../draws/list.ts'
import { type DrawView, drawView } from '../../draws/read.ts'
import { type DrawRow, loadDraw, loadDrawsOfGame } from '../../draws/store.ts'
import { refuse } from '../../errors.ts'
import { toHex } from '../../fairness/bytes.ts'
import { type CommitDoc, type TrustLabel, trustLabel } from '../../fairness/commit.ts'
import { eventOf } from '../lobby.ts'
import { playerNames } from '../players.ts'
import { loadEventsSince, loadGameVersion } from '../wheel/store.ts'
import { type CampaignConfig, saleEnd } from './rules.ts'
import {
  type CampaignRow,
  countHeld,
  loadAllInstantWins,
  loadCampaign,
  loadNumbers,
  loadOwnTickets,
  loadPrizeFacts,
  loadRaffleWinners,
  loadTickets,
  loadWinnerHistory,
} from './store.ts'

/** A raffle that anybody may see. Refuses game_not_found for a draft and an unknown one. */
export async function publishedRaffle(tx: Tx, ref: string): Promise<CampaignRow> {
  const campaign = await loadCampaign(tx, ref)
  if (campaign === undefined || campaign.campaign_status === 'draft') refuse('game_not_found')
  return campaign
}

export type RaffleBoard = {
  version: number
  raffle: {
    id: string
    slug: string
    name: string
    description: string | null
    status: string
    ticket_price: number
    currency: string
    total_tickets: number
    sold_tickets: number
    tickets_left: number
    opens_at: string
    closes_at: string
    rules: Pick<
      CampaignConfig,
      'unit' | 'repeat_winners' | 'carry_over' | 'bundles' | 'per_user_max' | 'number_ranges' | 'claim_days'
    >
    instant_hash: string | null
    commit_hash: string
    trust: TrustLabel
    is_public: boolean
    cancelled_why: string | null
  }
  prizes: { id: number; name: string; type: string }[]
  draws: DrawView[]
  server_time: string
}

/** Everything that a room or a page shows of a raffle. Refuses game_not_found. */
export async function readBoard(
  tx: Tx,
  { ref, games }: { ref: string; games: DrawGames },
): Promise<RaffleBoard> {
  const campaign = await publishedRaffle(tx, ref)
  // Read first: what comes in between is folded twice, which changes nothing.
  const version = await loadGameVersion(tx, campaign.id)
  const rows = await loadDrawsOfGame(tx, campaign.id)
  const draws: DrawView[] = []
  for (const row of rows) draws.push(await drawView(tx, row, games))
  const first = rows.find((row) => row.id === campaign.first_draw_id)!
  const { unit, repeat_winners, carry_over, bundles, per_user_max, number_ranges, claim_days } =
    campaign.campaign_config
  const prize_ids = rows.flatMap((row) => prizeIdsOf(row))
  return {
    version,
    raffle: {
      id: campaign.id,
      slug: campaign.campaign_slug,
      name: campaign.campaign_name,
      description: campaign.campaign_description,
      status: campaign.campaign_status,
      ticket_price: campaign.ticket_price,
      currency: campaign.currency,
      total_tickets: campaign.total_tickets,
      sold_tickets: campaign.sold_tickets,
      tickets_left: campaign.total_tickets - campaign.issued_tickets - (await countHeld(tx, campaign.id)),
      opens_at: campaign.start_time.toISOString(),
      closes_at: saleEnd(campaign.end_time, [first.closes_at]).toISOString(),
      rules: { unit, repeat_winners, carry_over, bundles, per_user_max, number_ranges, claim_days },
      instant_hash: campaign.instant_hash,
      commit_hash: first.commit_hash,
      trust: trustLabel(JSON.parse(first.doc) as CommitDoc, {}),
      is_public: campaign.is_public,
      cancelled_why: campaign.cancelled_why,
    },
    prizes: (await loadPrizeFacts(tx, [...new Set(prize_ids)])).map(({ id, name, type }) => ({
      id,
      name,
      type,
    })),
    draws,
    server_time: tx.now.toISOString(),
  }
}

function prizeIdsOf(row: DrawRow): number[] {
  const config = JSON.parse(row.config) as { prizes: { prizeId: number | null }[] }
  return config.prizes.flatMap(({ prizeId }) => prizeId ?? [])
}

/** More changes than this are cheaper as a new board. */
const EVENT_COUNT_MAX = 500

/** What happened after a version, or the board when that is too much. Refuses game_not_found. */
export async function readRaffleSince(
  tx: Tx,
  { ref, version, games }: { ref: string; version: number; games: DrawGames },
): Promise<{ version: number; events: GameEvent[] } | { snapshot: RaffleBoard }> {
  const { id } = await publishedRaffle(tx, ref)
  const rows = await loadEventsSince(tx, id, version, EVENT_COUNT_MAX + 1)
  if (rows.length > EVENT_COUNT_MAX) return { snapshot: await readBoard(tx, { ref, games }) }
  const events = rows.map((row) => eventOf(tx.actor.tenantId, id, row))
  return { version: events.at(-1)?.seq ?? version, events }
}

export type OwnTicket = {
  ticket_id: string
  ticket_number: string
  status: string
  via: string
  purchased_at: string
  purchase_id: string
  draw_id: string
  entry_index: number | null
  entry: Record<string, unknown> | null
  leaf_hash: string | null
  salt: string | null
  receipt: string | null
  /** Where the proof that it is on the sealed list can be had, once sales are closed. */
  proof: string | null
}

/**
 * The caller's tickets of a raffle, newest first, each with the receipt that proves it. A ticket has won when its win was
 * shown. Refuses game_not_found.
 */
export async function readOwnTickets(
  tx: Tx,
  { ref, cursor, limit }: { ref: string; cursor?: string; limit: number },
): Promise<{ data: OwnTicket[]; next_cursor: string | null }> {
  const campaign = await publishedRaffle(tx, ref)
  const draw = (await loadDraw(tx, campaign.first_draw_id!))!
  const rows = await loadOwnTickets(tx, campaign.id, tx.actor.userId, cursor ?? null, limit + 1)
  const data = rows.slice(0, limit).map((row): OwnTicket => {
    const { entry_index, leaf } = row
    const leaf_hash = leaf === null ? null : leafHashOfText(leaf)
    return {
      ticket_id: row.id,
      ticket_number: row.ticket_number,
      status: row.ticket_status,
      via: row.via,
      purchased_at: row.ticket_purchased_at.toISOString(),
      purchase_id: row.purchase_id,
      draw_id: draw.id,
      entry_index,
      entry: leaf === null ? null : (JSON.parse(leaf) as Record<string, unknown>),
      leaf_hash,
      salt: row.entrant_salt,
      receipt:
        entry_index === null || leaf_hash === null ? null : receiptOf(tx, draw, { entry_index, leaf_hash }),
      proof: entry_index === null ? null : `/api/v1/draws/${draw.id}/proof?entry=${entry_index}`,
    }
  })
  return { data, next_cursor: rows.length > limit ? data.at(-1)!.ticket_id : null }
}

/** The numbers between two that are gone, and those that are held for somebody. Refuses game_not_found. */
export async function readNumbers(tx: Tx, { ref, from, to }: { ref: string; from: number; to: number }) {
  const campaign = await publishedRaffle(tx, ref)
  const rows = await loadNumbers(tx, campaign.id, from, to)
  return {
    from,
    to,
    gone: rows.filter((row) => !row.is_held).map((row) => row.number),
    held: rows.filter((row) => row.is_held).map((row) => row.number),
  }
}

/** The numbers that win at once: those that were hit, and all of them with the seed when everything is over. */
export async function readInstantWins(tx: Tx, { ref }: { ref: string }) {
  const campaign = await publishedRaffle(tx, ref)
  const rows = await loadAllInstantWins(tx, campaign.id)
  const nameOf = await playerNames(tx)
  const is_over = campaign.campaign_status === 'settled' || campaign.campaign_status === 'cancelled'
  const seed =
    is_over && campaign.instant_seed !== null
      ? tx.keys.open(campaign.instant_seed, { gameId: campaign.id, seedHash: campaign.instant_hash! })
      : null
  return {
    seed_hash: campaign.instant_hash,
    count: rows.length,
    seed: seed === null ? null : toHex(seed),
    wins: rows
      .filter((row) => is_over || row.user_id !== null)
      .map(({ number, prize_id, user_id, won_at }) => ({
        number,
        prize_id,
        player: user_id === null ? null : nameOf(user_id),
        won_at: won_at?.toISOString() ?? null,
      })),
  }
}

/** Staff's list of the winners of a draw, with every step, its time and who made it. Refuses not_found, not_yet_revealed. */
export async function readWinnerDesk(tx: Tx, { draw_id }: { draw_id: string }) {
  const draw = await loadDraw(tx, draw_id)
  if (draw === undefined || draw.game !== 'raffle') refuse('not_found')
  if (draw.status !== 'settled') refuse('not_yet_revealed', { facts: { status: draw.status } })
  const rows = await loadRaffleWinners(tx, draw_id)
  const tickets = new Map(
    (
      await loadTickets(
        tx,
        rows.map((row) => row.raffle_ticket_id),
      )
    ).map((row) => [row.id, row]),
  )
  const history = await loadWinnerHistory(tx, draw_id)
  return {
    data: rows.map((row) => ({
      place: row.place,
      user_id: row.user_id,
      ticket_number: tickets.get(row.raffle_ticket_id)!.ticket_number,
      status: row.ended_as ?? row.winner_status,
      prize_place: row.prize_place,
      prize_id: row.prize_id,
      play_id: row.play_id,
      prize_note: row.prize_note,
      contact_count: row.contact_count,
      claim_until: row.claim_until?.toISOString() ?? null,
      history: history
        .filter((each) => each.place === row.place)
        .map(({ from_status, to_status, ended_as, moved_at, moved_by, why }) => ({
          from: from_status,
          to: ended_as ?? to_status,
          at: moved_at.toISOString(),
          by: moved_by,
          why,
        })),
    })),
  }
}
