/** Statements over what is owed to winners. */
import type { Tx } from '../db/tx.ts'
import type { FulfilmentStatus } from './fulfilment-rules.ts'

export type FulfilmentRow = {
  id: string
  play_id: number
  order_id: string | null
  fulfilment_type: 'claim' | 'queue' | 'item'
  fulfilment_status: FulfilmentStatus
  prize_name: string
  item_stock_id: number | null
  claim_details: Record<string, string> | null
  claimed_at: Date | null
  delivered_at: Date | null
  created_at: Date
}

const COLUMNS = `f.id, f.play_id, f.order_id, f.fulfilment_type, f.fulfilment_status, f.prize_name, f.item_stock_id,
  f.claim_details, f.claimed_at, f.delivered_at, f.created_at`

/** What a play is owed without an order, locked. */
export function lockClaim(tx: Tx, play_id: number) {
  return tx.one<FulfilmentRow>(
    `select ${COLUMNS} from fulfilments f where f.play_id = $1 and f.order_id is null for no key update`,
    [play_id],
    'lock_claim',
  )
}

/** The winner says where to. The caller holds the row's lock. */
export async function claimFulfilment(tx: Tx, id: string, claim_details: unknown): Promise<void> {
  await tx.rows(
    `update fulfilments
     set fulfilment_status = 'claimed', claim_details = $2, claimed_at = $3, handled_by = $4, updated_at = $3, row_version = row_version + 1
     where id = $1`,
    [id, JSON.stringify(claim_details), tx.now, tx.actor.userId],
    'claim_fulfilment',
  )
}

/** A page of what a user is owed, of prizes that were opened, newest first. */
export function loadMyFulfilments(
  tx: Tx,
  user_id: string,
  after: { at: string; id: string } | null,
  limit: number,
) {
  return tx.rows<FulfilmentRow>(
    `select ${COLUMNS} from fulfilments f join gamification_game_plays p on p.id = f.play_id
     where p.user_id = $1 and p.unlocked_at is not null
       and ($2::timestamptz is null or (f.created_at, f.id) < ($2, $3::uuid))
     order by f.created_at desc, f.id desc limit $4`,
    [user_id, after?.at ?? null, after?.id ?? null, limit],
    'my_fulfilments',
  )
}

/** What was claimed is in the winner's hands: the result of the spin says so (seeds/001, claim_status). */
export async function payClaim(tx: Tx, play_id: number): Promise<void> {
  await tx.rows(
    `update spin_results r set claim_status = 'paid', updated_at = $2, row_version = r.row_version + 1
     from gamification_game_plays p where p.id = $1 and r.spin_session_id = p.event_id and r.claim_status = 'claimed'`,
    [play_id, tx.now],
    'pay_claim',
  )
}

/** Ends a prize that will not be handed over. The caller holds its lock, and it is locked or unlocked. */
export async function expirePlay(tx: Tx, id: number): Promise<void> {
  await tx.rows(
    `update gamification_game_plays set prize_status = 'expired', updated_at = $2, row_version = row_version + 1 where id = $1`,
    [id, tx.now],
    'expire_play',
  )
}
