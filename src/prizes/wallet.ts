/**
 * The wallet as its owner has it: what was won, looked at and opened. A prize moves by the table of
 * migrations/0005_wallet.sql; what it does on orders is in redemption.ts.
 */
import type { App } from '../app.ts'
import { makeBatcher } from '../db/batch.ts'
import { type Actor, type Tx, together } from '../db/tx.ts'
import { refuse } from '../errors.ts'
import { systemActor } from '../system.ts'
import { unpack } from './bundle.ts'
import { storedCodes } from './codes.ts'
import { whyNotOpen } from './conditions.ts'
import { type Drawn, resolveMystery } from './mystery.ts'
import { ownerOf, prizeOf, prizeView, refuseFor, takePlay, timeText } from './play.ts'
import {
  loadMovedPrizes,
  loadPlayByCode,
  loadPrizeCounts,
  loadPrizeCountsOf,
  loadPrizePages,
  loadTerms,
  type PlayRow,
  sayMove,
  unlockPlay,
} from './store.ts'

/** What a list can be asked for: the four stored states, `used` for applied (features F7), or all. */
export const STATUS_FILTERS = ['all', 'locked', 'unlocked', 'applied', 'used', 'expired'] as const
export type StatusFilter = (typeof STATUS_FILTERS)[number]

/** What somebody asks of the own list. `page` counts from 1. */
export type ListRequest = { user_id: string; status: StatusFilter; page: number; per_page: number }

/** Pages of prizes as seeds/002 shows them, newest first: one per request, by two statements for all of them. */
export async function readPrizeLists(tx: Tx, asked: readonly ListRequest[]) {
  const requests = asked.map(({ user_id, status, page, per_page }) => ({
    user_id,
    status: status === 'all' ? null : status === 'used' ? ('applied' as const) : status,
    limit: per_page,
    offset: (page - 1) * per_page,
  }))
  const [terms, counts, rows] = await together(
    loadTerms(tx),
    loadPrizeCountsOf(tx, [...new Set(asked.map(({ user_id }) => user_id))]),
    loadPrizePages(tx, requests),
  )
  const pages = Map.groupBy(rows, ({ request }) => request)
  return requests.map(({ user_id, status, limit, offset }, i) => {
    const { locked, unlocked, applied, expired } = counts(user_id)
    const total_items =
      status === null ? locked + unlocked + applied + expired : { locked, unlocked, applied, expired }[status]
    return {
      data: (pages.get(i + 1) ?? []).map((row) => prizeView(row, tx.now, terms)),
      pagination: {
        current_page: offset / limit + 1,
        total_pages: Math.max(1, Math.ceil(total_items / limit)),
        total_items,
      },
    }
  })
}

export type PrizeList = Awaited<ReturnType<typeof readPrizeLists>>[number]

/** A page of the actor's prizes: a batch of one. */
export async function readMyPrizes(tx: Tx, request: Omit<ListRequest, 'user_id'>): Promise<PrizeList> {
  return (await readPrizeLists(tx, [{ user_id: tx.actor.userId, ...request }]))[0]!
}

/** Lists that are asked for at the same time are read together: one transaction for all that wait. */
export function makePrizeLists(
  app: App,
): (actor: Actor, request: Omit<ListRequest, 'user_id'>) => Promise<PrizeList> {
  const batcher = makeBatcher<ListRequest, PrizeList>({
    run: async (tenantId, items) => {
      const lists = await app.run(systemActor(tenantId), readPrizeLists, items)
      return lists.map((answer) => ({ answer }))
    },
  })
  return ({ tenantId, userId: user_id }, request) =>
    batcher.submit(tenantId, user_id, { user_id, ...request })
}

/** How many prizes the actor has, of each status and all together: what the tabs of a wallet show (S2-46, S2-48). */
export async function countMyPrizes(tx: Tx) {
  const { locked, unlocked, applied, expired } = await loadPrizeCounts(tx, tx.actor.userId)
  return { data: { all: locked + unlocked + applied + expired, locked, unlocked, applied, expired } }
}

/** The actor's prizes that moved last, each as the wallet shows it, with the version of its row. */
export async function readMovedPrizes(tx: Tx, { limit }: { limit: number }) {
  const terms = await loadTerms(tx)
  const rows = await loadMovedPrizes(tx, tx.actor.userId, limit)
  return rows.map((row) => ({ row_version: row.row_version, prize: prizeView(row, tx.now, terms) }))
}

/** The prize with a code: the owner's own, for staff anybody's. Undefined when there is none to be seen. */
export async function findByCode(tx: Tx, { prize_code }: { prize_code: string }) {
  const row = await loadPlayByCode(tx, storedCodes(prize_code), ownerOf(tx))
  return row && { data: prizeView(row, tx.now, await loadTerms(tx)) }
}

/**
 * Opens a prize of the actor, once: a second call answers what the first did. Refuses not_found (also for plays of
 * others), prize_not_won, prize_applied, prize_expired, prize_in_escrow; for a mystery, which is drawn here,
 * pool_exhausted, fairness_locked where draws are locked, and what `resolveMystery` says.
 */
export async function unlockPrize(tx: Tx, { play_id, client_entropy = '-', can_draw = true }: UnlockInput) {
  const row = (await takePlay(tx, play_id, tx.actor.userId)) ?? refuse('not_found')
  const { time_zone } = await loadTerms(tx)
  const reasons = whyNotOpen(prizeOf(row), null, tx.now, time_zone)
  // Opened is opened: a prize that is held or given away since is answered as it was.
  if (row.prize_status === 'unlocked' && reasons.every(({ code }) => code !== 'prize_expired'))
    return unlockAnswer(row.unlocked_at!, row.prize_snapshot!)
  // What is under review can be opened, and not used.
  refuseFor(reasons.filter(({ code }) => code !== 'prize_locked' && code !== 'prize_under_review'))

  await sayMove(tx, 'unlock')
  const snapshot = await openedOf(tx, row, client_entropy, can_draw)
  const unlocked_at = await unlockPlay(tx, row.id)
  tx.audit({
    action: 'unlock',
    entity_type: 'game_play',
    entity_id: row.uuid,
    old_values: { prize_status: 'locked' },
    new_values: { prize_status: 'unlocked', play_id: row.id, unlocked_at: unlocked_at.toISOString() },
  })
  if (row.prize_snapshot!['type'] === 'bundle') await unpack(tx, row)
  return unlockAnswer(unlocked_at, snapshot)
}

/** The prize that is opened: the one that was issued, or what a mystery turns out to be. */
async function openedOf(tx: Tx, row: PlayRow, client_entropy: string, can_draw: boolean) {
  if (row.prize_snapshot!['type'] !== 'mystery') return row.prize_snapshot!
  if (!can_draw) refuse('fairness_locked')
  return resolveMystery(tx, row, client_entropy)
}

/** `client_entropy` is the player's own part of a draw; `can_draw` is false while draws are locked. */
export type UnlockInput = { play_id: number; client_entropy?: string | undefined; can_draw?: boolean }

function unlockAnswer(unlocked_at: Date, snapshot: Record<string, any>) {
  const mystery = snapshot['mystery'] as Drawn | undefined
  return {
    success: true,
    message: 'Prize unlocked successfully!',
    data: {
      prize_status: 'unlocked',
      unlocked_at: timeText(unlocked_at),
      ...(mystery && {
        mystery: {
          event_id: mystery.event_id,
          prize_name: snapshot['name'],
          verify: `/api/v1/verify/${mystery.event_id}`,
        },
      }),
    },
  }
}
