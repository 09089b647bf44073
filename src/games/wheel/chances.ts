/** Spin chances: granted by people or services, by a page visit once a day, by a reward. */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { localDay, nextDayStart } from '../../schedule.ts'
import { insertGrant, insertVisit, loadWheel, sumChances } from './store.ts'

export type ChancesAnswer = { chances_left: number; next_expires_at: string | null }

/** What the actor can spend on a wheel, or on any wheel without one. Refuses game_not_found. */
export async function readChances(tx: Tx, { game }: { game?: string }): Promise<ChancesAnswer> {
  const wheelId = game === undefined ? null : await wheelIdOf(tx, game)
  const sum = await sumChances(tx, tx.actor.userId, wheelId)
  return { chances_left: sum.chances_left, next_expires_at: sum.next_expires_at?.toISOString() ?? null }
}

/**
 * The chances of a page visit: once per player, wheel and day of the tenant, and good for that day.
 * Refuses game_not_found, wheel_paused. A second visit of the day awards 0.
 */
export async function visitWheel(
  tx: Tx,
  { game }: { game: string },
): Promise<{ awarded: number; chances_left: number }> {
  const wheel = await loadWheel(tx, game)
  if (wheel === undefined || wheel.config_version === 0) refuse('game_not_found')
  if (wheel.wheel_status !== 'live') refuse('wheel_paused', { facts: { wheel_status: wheel.wheel_status } })
  const count = wheel.spin_chance_for_page_visit
  const visit = {
    id: newId(),
    user_id: tx.actor.userId,
    wheel_id: wheel.id,
    count,
    expires_at: nextDayStart(tx.now, wheel.time_zone),
    visit_day: localDay(tx.now, wheel.time_zone),
  }
  const given = count > 0 && (await insertVisit(tx, visit))
  if (given) {
    tx.audit({
      action: 'award_visit',
      entity_type: 'spin_chance',
      entity_id: visit.id,
      new_values: { user_id: visit.user_id, wheel_game_id: wheel.id, count },
    })
  }
  const { chances_left } = await sumChances(tx, visit.user_id, wheel.id)
  return { awarded: given ? count : 0, chances_left }
}

export type GrantInput = {
  user_id: string
  count: number
  reason: string
  game?: string
  expires_at?: string
}

/** Grants chances to a player. Refuses game_not_found, and invalid_input for an expiry that is over. */
export async function grantChances(tx: Tx, input: GrantInput) {
  const wheel_id = input.game === undefined ? null : await wheelIdOf(tx, input.game)
  const expires_at = input.expires_at === undefined ? null : new Date(input.expires_at)
  if (expires_at !== null && expires_at <= tx.now) {
    refuse('invalid_input', {
      errors: [{ pointer: '/expires_at', detail: 'The expiry must lie in the future.' }],
    })
  }
  const row = await insertGrant(tx, {
    id: newId(),
    user_id: input.user_id,
    wheel_id,
    reason: input.reason,
    count: input.count,
    expires_at,
  })
  tx.audit({
    action: 'grant_chances',
    entity_type: 'spin_chance',
    entity_id: row.id,
    new_values: {
      user_id: input.user_id,
      wheel_game_id: wheel_id,
      count: input.count,
      reason: input.reason,
      expires_at: expires_at?.toISOString() ?? null,
    },
  })
  return row
}

async function wheelIdOf(tx: Tx, game: string): Promise<string> {
  const wheel = await loadWheel(tx, game)
  if (wheel === undefined) refuse('game_not_found')
  return wheel.id
}
