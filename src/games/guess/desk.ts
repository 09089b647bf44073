/** The lists of the operator's desk over guess games (S0-27): what is in a row, and where the next page begins. */
import type { Tx, UseCase } from '../../db/tx.ts'
import {
  type DeskPage,
  loadDeskGameHistory,
  loadDeskGames,
  loadDeskSubmissions,
  loadDeskWinnerHistory,
  loadDeskWinningNumbers,
} from './desk-store.ts'

/** `is_export`: as a file. Who took one stands in the audit chain, as it leaves the house with names in it. */
export type DeskWish<F> = F & DeskPage & { is_export: boolean }
export type DeskAnswer = { data: Record<string, unknown>[]; next_cursor: string | null }

function deskList<F extends object>(
  name: string,
  load: (tx: Tx, wish: F & DeskPage) => Promise<Record<string, any>[]>,
  placeOf: (row: Record<string, any>) => string,
  view: (row: Record<string, any>) => Record<string, unknown> = (row) => row,
): UseCase<DeskWish<F>, DeskAnswer> {
  return async (tx, wish) => {
    // One more than asked for tells whether there is a next page.
    const rows = await load(tx, { ...wish, limit: wish.limit + 1 })
    const page = rows.slice(0, wish.limit)
    const next_cursor = rows.length > wish.limit ? placeOf(page.at(-1)!) : null
    if (wish.is_export) {
      const { is_export: _, ...asked } = wish
      tx.audit({
        action: 'export',
        entity_type: name,
        new_values: { ...JSON.parse(JSON.stringify(asked)), rows: page.length },
      })
    }
    return { data: page.map(view), next_cursor }
  }
}

const byId = (row: Record<string, any>): string => row['id']

export const readDeskGames = deskList('game', loadDeskGames, byId)
export const readDeskSubmissions = deskList('game_submission', loadDeskSubmissions, byId)
export const readDeskWinnerHistory = deskList(
  'winner_history',
  loadDeskWinnerHistory,
  ({ game_id, place }) => `${game_id}.${place}`,
)
export const readDeskWinningNumbers = deskList(
  'winning_number',
  loadDeskWinningNumbers,
  ({ game_id, position }) => `${game_id}.${position}`,
)
export const readDeskGameHistory = deskList(
  'game_history',
  loadDeskGameHistory,
  ({ game_id }) => game_id,
  ({ game_id, record, created_at }) => ({
    game_id,
    title: record['title'],
    mode: record['mode'],
    submission_count: record['submission_count'],
    participant_count: record['participant_count'],
    number_of_winners: record['number_of_winners'],
    not_awarded: record['not_awarded'],
    winning_numbers: record['winning_numbers'],
    closes_at: record['closes_at'],
    drawn_at: record['drawn_at'],
    commit_hash: record['commit_hash'],
    verify: record['verify'],
    created_at,
    record,
  }),
)
