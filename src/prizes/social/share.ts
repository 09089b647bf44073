/**
 * A card of a win that anybody with its address may see: what was won and the proof of it. It has no code, no user id,
 * no order, and of a locked prize nothing but that there is one.
 */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { playerNames } from '../../games/players.ts'
import { newCode, newId } from '../../ids.ts'
import { takePlay } from '../play.ts'
import { endShare, insertShare, loadShare, loadShared } from './share-store.ts'

/** 26 symbols of 32 are 130 bits: nobody finds a card by trying (ASVS 11.5.1 asks for 128). */
const TOKEN_LENGTH = 26

/** The part of an address behind `/share/`: the tenant's code and the token. */
export const SHARE_ADDRESS = /^([a-z0-9-]{1,64})\.([0-9A-HJKMNP-TV-Z]{26})$/

export type Share = { token: string; url: string; page_url: string }

/**
 * The card of a prize of the actor; one stands at a time, a repetition answers it. Refuses not_found (also for plays of
 * others), prize_not_won.
 */
export async function sharePrize(
  tx: Tx,
  { play_id, tenant_code }: { play_id: number; tenant_code: string },
): Promise<Share> {
  const row = (await takePlay(tx, play_id, tx.actor.userId)) ?? refuse('not_found')
  if (!row.is_winner) refuse('prize_not_won')
  const standing = await loadShare(tx, play_id)
  if (standing !== undefined) return shareView(tenant_code, standing.token)
  const share = { id: newId(), token: newCode(TOKEN_LENGTH), play_id }
  await insertShare(tx, share)
  tx.audit({ action: 'share', entity_type: 'prize_share', entity_id: share.id, new_values: { play_id } })
  return shareView(tenant_code, share.token)
}

function shareView(tenant_code: string, token: string): Share {
  const address = `${tenant_code}.${token}`
  return { token: address, url: `/api/v1/share/${address}`, page_url: `/share/${address}` }
}

/** Takes the card of a prize of the actor back, for good: a new one has another address. Refuses not_found. */
export async function unsharePrize(tx: Tx, { play_id }: { play_id: number }): Promise<void> {
  if ((await takePlay(tx, play_id, tx.actor.userId)) === undefined) refuse('not_found')
  const ended = (await endShare(tx, play_id)) ?? refuse('not_found')
  tx.audit({ action: 'unshare', entity_type: 'prize_share', entity_id: ended.id, new_values: { play_id } })
}

export type Card = {
  player: string
  /** Whether the one who shares it won it, and did not receive it from somebody. */
  is_winner: boolean
  game_name: string
  game_type: string
  won_at: string
  is_locked: boolean
  prize_name: string | null
  prize_description: string | null
  display_value: string | null
  prize_color: string | null
  prize_image: string | null
  rarity: string | null
  /** The transcript of the chance event, for anybody to check; null for what was given and not drawn, and while it is locked. */
  verify_url: string | null
  verify_page_url: string | null
}

/** The card behind a token. Refuses not_found for one that is unknown, was taken back, or whose prize is somebody else's. */
export async function readCard(tx: Tx, { token }: { token: string }): Promise<Card> {
  const row = (await loadShared(tx, token)) ?? refuse('not_found')
  const shown: Record<string, any> = (row.unlocked_at !== null && row.prize_snapshot) || {}
  const is_locked = row.unlocked_at === null
  // The transcript names what was drawn, which a locked prize does not tell.
  const proof_id = is_locked ? null : row.proof_id
  return {
    player: (await playerNames(tx))(row.shared_by),
    is_winner: row.won_by === null,
    game_name: row.game_name,
    game_type: row.game_type,
    won_at: row.created_at.toISOString(),
    is_locked,
    prize_name: shown['name'] ?? null,
    prize_description: shown['description'] ?? null,
    display_value: shown['display_value'] ?? null,
    prize_color: shown['prize_color'] ?? null,
    prize_image: shown['prize_image'] ?? null,
    rarity: is_locked ? null : (shown['rarity'] ?? 'common'),
    verify_url: proof_id && `/api/v1/verify/${proof_id}`,
    verify_page_url: proof_id && `/verify?event=${proof_id}`,
  }
}
