/** A player's own past: spins, chances, plays. Newest first, in pages. */
import type { Tx } from '../../db/tx.ts'
import { refuse } from '../../errors.ts'
import { statusOf } from '../../prizes/play.ts'
import type { SpinAnswer } from './spin.ts'
import { loadGrantPage, loadPlayPage, loadSpinPage, loadWheel, type PlayRow } from './store.ts'

type Page = { limit: number; cursor?: string }

type Place = { at: string; id: string }

const encode = (place: Place): string => Buffer.from(`${place.at} ${place.id}`).toString('base64url')

const UUID = /^[0-9a-f-]{36}$/
const PLAY_ID = /^\d{1,15}$/

function decode(cursor: string | undefined, id_pattern: RegExp): Place | null {
  if (cursor === undefined) return null
  const [at, id] = Buffer.from(cursor, 'base64url').toString().split(' ')
  if (at === undefined || id === undefined || Number.isNaN(Date.parse(at)) || !id_pattern.test(id))
    return refuseCursor()
  return { at, id }
}

function refuseCursor(): never {
  refuse('invalid_input', { errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }] })
}

/** One page of what `load` finds beyond the limit. */
function paged<R, V>(rows: readonly R[], limit: number, view: (row: R) => V, cursorOf: (row: R) => string) {
  const page = rows.slice(0, limit)
  return { data: page.map(view), next_cursor: rows.length > limit ? cursorOf(page.at(-1)!) : null }
}

/** The actor's spins of a wheel. Refuses game_not_found. */
export async function readMySpins(tx: Tx, { game, limit, cursor }: Page & { game: string }) {
  const wheel = (await loadWheel(tx, game)) ?? refuse('game_not_found')
  const rows = await loadSpinPage(tx, wheel.id, tx.actor.userId, decode(cursor, UUID), limit + 1)
  return paged(
    rows,
    limit,
    ({ answer, spin_started_at, reward_label, config_version, client_entropy, revealed }) => ({
      ...(JSON.parse(answer) as SpinAnswer),
      at: spin_started_at.toISOString(),
      reward_label,
      config_version,
      client_entropy,
      revealed,
    }),
    (row) => encode({ at: row.spin_started_at.toISOString(), id: row.id }),
  )
}

/** The actor's chances, used up and expired ones too. */
export async function readGrants(tx: Tx, { limit, cursor }: Page) {
  const rows = await loadGrantPage(tx, tx.actor.userId, decode(cursor, UUID), limit + 1)
  return paged(
    rows,
    limit,
    ({ created_at: _at, awarded_at, expires_at, ...row }) => ({
      ...row,
      awarded_at: awarded_at.toISOString(),
      expires_at: expires_at?.toISOString() ?? null,
    }),
    (row) => encode({ at: row.created_at.toISOString(), id: row.id }),
  )
}

/** The actor's plays, by when they were made: ids are taken in blocks. What a locked prize is stays hidden until it is unlocked (S2-04). */
export async function readMyPlays(tx: Tx, { limit, cursor, won_only }: Page & { won_only: boolean }) {
  const rows = await loadPlayPage(tx, tx.actor.userId, won_only, decode(cursor, PLAY_ID), limit + 1)
  return paged(
    rows,
    limit,
    (row) => playView(row, tx.now),
    (row) => encode({ at: row.created_at.toISOString(), id: String(row.id) }),
  )
}

function playView(row: PlayRow, now: Date) {
  // A prize that was never opened stays hidden when it expires (S2-04).
  const shown = row.unlocked_at === null ? null : row.prize_snapshot
  return {
    play_id: row.id,
    uuid: row.uuid,
    game_name: row.game_name,
    game_type: row.game_type,
    is_winner: row.is_winner,
    prize_name: (shown?.['name'] as string | undefined) ?? null,
    display_value: (shown?.['display_value'] as string | null | undefined) ?? null,
    prize_status: statusOf(row, now),
    won_at: row.created_at.toISOString(),
    expires_at: row.expires_at?.toISOString() ?? null,
    event_id: row.event_id,
    proof_id: row.proof_id,
  }
}
