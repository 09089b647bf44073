/**
 * What staff reads of guess games, newest game first. A guess of a game that is not drawn, a number and a winner before
 * their showing do not leave the database: staff may not know them earlier than everybody (I30).
 */
import type { Tx } from '../../db/tx.ts'

/** A page begins behind `after`, which is the place of the last row of the page before. */
export type DeskPage = { after: string | null; limit: number; from: Date | null; to: Date | null }

export type DeskGameFilter = {
  status: string | null
  mode: string | null
  title: string | null
  creator_id: string | null
  company_id: string | null
  reel_id: string | null
  is_active: boolean | null
}

/** Deleted games too: what they promised is kept. */
export function loadDeskGames(tx: Tx, filter: DeskGameFilter & DeskPage) {
  return tx.rows(
    `select id, title, mode, rule, status, creator_id, company_id, reel_id, guess_min, guess_max, guess_policy, guesses_per_user,
            number_of_winners, number_of_alternates, reward_type, reward_text, opens_at, closes_at, submission_count,
            participant_count, draw_id, hash_value, is_public, is_active, created_at, published_at
     from games
     where ($1::uuid is null or id < $1) and ($3::timestamptz is null or created_at >= $3)
       and ($4::timestamptz is null or created_at < $4) and ($5::text is null or status = $5) and ($6::text is null or mode = $6)
       and ($7::text is null or position(lower($7) in lower(title)) > 0) and ($8::text is null or creator_id = $8)
       and ($9::uuid is null or company_id = $9) and ($10::text is null or reel_id = $10)
       and ($11::boolean is null or is_active = $11)
     order by id desc limit $2`,
    [
      filter.after,
      filter.limit,
      filter.from,
      filter.to,
      filter.status,
      filter.mode,
      filter.title,
      filter.creator_id,
      filter.company_id,
      filter.reel_id,
      filter.is_active,
    ],
  )
}

export type DeskSubmissionFilter = {
  game_id: string | null
  user_id: string | null
  is_in_force: boolean | null
}

/** Guesses are public with the list, which is when the winners are drawn; until then they are sealed. */
export function loadDeskSubmissions(tx: Tx, filter: DeskSubmissionFilter & DeskPage) {
  return tx.rows(
    `select s.id, s.game_id, g.title, g.status as game_status, s.seq, s.user_id, e.entry_index,
            case when g.status in ('drawn', 'settled') then s.guess end as guess,
            g.status not in ('drawn', 'settled') as is_sealed, s.replaced_by is null as is_in_force, s.replaced_by, s.created_at
     from game_submissions s join games g on g.id = s.game_id
     left join draw_entries e on e.draw_id = g.draw_id and e.ref_id = s.id
     where ($1::uuid is null or s.id < $1) and ($3::timestamptz is null or s.created_at >= $3)
       and ($4::timestamptz is null or s.created_at < $4) and ($5::uuid is null or s.game_id = $5)
       and ($6::text is null or s.user_id = $6) and ($7::boolean is null or (s.replaced_by is null) = $7)
     order by s.id desc limit $2`,
    [filter.after, filter.limit, filter.from, filter.to, filter.game_id, filter.user_id, filter.is_in_force],
  )
}

export type DeskGameIdFilter = { game_id: string | null }

/** Numbers are shown when every winner was. `after` is a game and a position in it. */
export function loadDeskWinningNumbers(tx: Tx, filter: DeskGameIdFilter & DeskPage) {
  const [game_id = null, position = null] = filter.after?.split('.') ?? []
  return tx.rows(
    `select n.game_id, g.title, g.draw_id, n.position, n.winning_number, g.hash_value, n.created_at
     from winning_numbers n join games g on g.id = n.game_id
     where g.status = 'settled' and ($1::uuid is null or n.game_id < $1 or (n.game_id = $1 and n.position > $2::int))
       and ($4::timestamptz is null or n.created_at >= $4) and ($5::timestamptz is null or n.created_at < $5)
       and ($6::uuid is null or n.game_id = $6)
     order by n.game_id desc, n.position limit $3`,
    [game_id, position, filter.limit, filter.from, filter.to, filter.game_id],
  )
}

/** Closed games as they were filed. */
export function loadDeskGameHistory(tx: Tx, filter: DeskGameIdFilter & DeskPage) {
  return tx.rows<{ game_id: string; record: Record<string, unknown>; created_at: Date }>(
    `select game_id, record, created_at from game_history
     where ($1::uuid is null or game_id < $1) and ($3::timestamptz is null or created_at >= $3)
       and ($4::timestamptz is null or created_at < $4) and ($5::uuid is null or game_id = $5)
     order by game_id desc limit $2`,
    [filter.after, filter.limit, filter.from, filter.to, filter.game_id],
  )
}

export type DeskWinnerFilter = {
  game_id: string | null
  user_id: string | null
  is_alternate: boolean | null
}

/** Winners whose time to be shown has come, of each game the best place first. `after` is a game and a place in it. */
export function loadDeskWinnerHistory(tx: Tx, filter: DeskWinnerFilter & DeskPage) {
  const [game_id = null, place = null] = filter.after?.split('.') ?? []
  return tx.rows(
    `select h.id, h.game_id, g.title, h.place, h.user_id, h.guess, h.is_alternate, h.submission_id, g.draw_id, g.reward_type,
            w.reveal_at, h.created_at
     from winner_history h join games g on g.id = h.game_id
     join draw_winners w on w.draw_id = g.draw_id and w.place = h.place
     where w.reveal_at <= $8 and ($1::uuid is null or h.game_id < $1 or (h.game_id = $1 and h.place > $9::int))
       and ($3::timestamptz is null or h.created_at >= $3) and ($4::timestamptz is null or h.created_at < $4)
       and ($5::uuid is null or h.game_id = $5) and ($6::text is null or h.user_id = $6)
       and ($7::boolean is null or h.is_alternate = $7)
     order by h.game_id desc, h.place limit $2`,
    [
      game_id,
      filter.limit,
      filter.from,
      filter.to,
      filter.game_id,
      filter.user_id,
      filter.is_alternate,
      tx.now,
      place,
    ],
  )
}
