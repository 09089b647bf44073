/** Every statement over guess games, their guesses and what is written of them. One exported function per statement. */
import type { Tx } from '../../db/tx.ts'
import type { EntryFacts, EntryRules } from './entry-rules.ts'
import type { GuessPolicy, MatchRule, Mode, RewardType } from './rules.ts'

export type GameStatus =
  | 'draft'
  | 'scheduled'
  | 'open'
  | 'closed'
  | 'drawing'
  | 'drawn'
  | 'settled'
  | 'cancelled'

export type GameRow = {
  id: string
  creator_id: string
  company_id: string | null
  title: string
  description: string | null
  image_url: string | null
  link_url: string | null
  mode: Mode
  rule: MatchRule | null
  guess_min: number | null
  guess_max: number | null
  guess_policy: GuessPolicy
  guesses_per_user: number
  number_of_winners: number
  number_of_alternates: number
  reward_type: RewardType
  reward_text: string | null
  prize_id: number | null
  reel_id: string | null
  is_public: boolean
  entry_rules: EntryRules | null
  opens_at: Date | null
  closes_at: Date
  claim_window_hours: number
  status: GameStatus
  draw_id: string | null
  hash_value: string | null
  submission_count: number
  participant_count: number
  wallet_game_id: number | null
  creator_name: string | null
  published_at: Date | null
  created_at: Date
  updated_at: Date
  row_version: number
}

const COLUMNS = `id, creator_id, company_id, title, description, image_url, link_url, mode, rule, guess_min, guess_max, guess_policy,
  guesses_per_user, number_of_winners, number_of_alternates, reward_type, reward_text, prize_id, reel_id, is_public, entry_rules, opens_at,
  closes_at, claim_window_hours, status, draw_id, hash_value, submission_count, participant_count, wallet_game_id,
  creator_name, published_at, created_at, updated_at, row_version`

/** A game that was not deleted. */
export function loadGame(tx: Tx, id: string) {
  return tx.one<GameRow>(`select ${COLUMNS} from games where id = $1 and is_active`, [id], 'guess_game')
}

/** The same with its row locked, deleted or not: what was promised is kept. */
export function loadGameForUpdate(tx: Tx, id: string) {
  return tx.one<GameRow>(
    `select ${COLUMNS} from games where id = $1 for no key update`,
    [id],
    'guess_game_lock',
  )
}

/** Games by id, for a batch of guesses. */
export function loadGames(tx: Tx, ids: readonly string[]) {
  return tx.rows<GameRow>(
    `select ${COLUMNS} from games where id = any($1::uuid[]) and is_active`,
    [ids],
    'guess_games',
  )
}

/** Published games that somebody may see, newest close last; those that run come first. */
export function loadActiveGames(tx: Tx, now: Date, limit: number) {
  return tx.rows<GameRow>(
    `select ${COLUMNS} from games
     where is_active and status in ('scheduled', 'open') and closes_at > $1
     order by closes_at, id limit $2`,
    [now, limit],
    'guess_games_active',
  )
}

/** Published games that are not over, the one that closes first first. */
export function loadListedGames(tx: Tx) {
  return tx.rows<GameRow>(
    `select ${COLUMNS} from games
     where is_active and status in ('scheduled', 'open', 'closed', 'drawing', 'drawn') order by closes_at, id limit 500`,
    [],
    'guess_games_listed',
  )
}

/** The game of a reel: the active one, else the newest that was. */
export function loadGameOfReel(tx: Tx, reel_id: string) {
  return tx.one<GameRow>(
    `select ${COLUMNS} from games
     where reel_id = $1 and is_active and status <> 'draft'
     order by status in ('settled', 'cancelled'), published_at desc limit 1`,
    [reel_id],
    'guess_game_of_reel',
  )
}

const CHANGEABLE = [
  'status',
  'draw_id',
  'hash_value',
  'published_at',
  'opens_at',
  'closes_at',
  'wallet_game_id',
  'creator_name',
] as const

/** Changes what is named. The caller holds the row's lock. */
export async function updateGame(
  tx: Tx,
  id: string,
  change: Partial<Pick<GameRow, (typeof CHANGEABLE)[number]>>,
): Promise<void> {
  const names = CHANGEABLE.filter((name) => change[name] !== undefined)
  await tx.rows(
    `update games set ${names.map((name, i) => `${name} = $${i + 3}`).join(', ')}, updated_at = $2, row_version = row_version + 1
     where id = $1`,
    [id, tx.now, ...names.map((name) => change[name])],
  )
}

/** The wallet's name for a game, made once. */
export async function insertWalletGame(tx: Tx, game: Pick<GameRow, 'id' | 'title'>): Promise<number> {
  const row = await tx.one<{ id: number }>(
    `insert into gamification_games (game_name, game_type, settings, created_at, updated_at)
     values ($1, 'guess', $2, $3, $3) returning id`,
    [game.title, JSON.stringify({ game_id: game.id }), tx.now],
  )
  return row!.id
}

export type SubmissionRow = {
  id: string
  game_id: string
  seq: number
  user_id: string
  /** Null for a bonus entry, which nobody asked for, like its answer. */
  request_id: string | null
  guess: number | null
  replaced_by: string | null
  /** The label of the rule that brought it; null for an entry of the user's own. */
  bonus: string | null
  answer: string | null
  created_at: Date
}

export type GuessKey = { game_id: string; user_id: string; request_id: string }

/** What these requests were answered, if they were. */
export function loadAnsweredGuesses(tx: Tx, keys: readonly GuessKey[]) {
  return tx.rows<GuessKey & Pick<SubmissionRow, 'guess'> & { answer: string }>(
    `select s.game_id, s.user_id, s.request_id, s.guess, s.answer
     from unnest($1::uuid[], $2::text[], $3::text[]) as k(game_id, user_id, request_id)
     join game_submissions s using (game_id, user_id, request_id)`,
    [keys.map((k) => k.game_id), keys.map((k) => k.user_id), keys.map((k) => k.request_id)],
    'guess_answered',
  )
}

/** How many guesses of their own users have in force in games, and which. */
export function loadOwnGuesses(tx: Tx, pairs: readonly { game_id: string; user_id: string }[]) {
  return tx.rows<{ id: string; game_id: string; user_id: string }>(
    `select s.id, s.game_id, s.user_id
     from (select distinct game_id, user_id from unnest($1::uuid[], $2::text[]) as k(game_id, user_id)) k
     join game_submissions s using (game_id, user_id)
     where s.replaced_by is null and s.bonus is null order by s.game_id, s.seq`,
    [pairs.map((p) => p.game_id), pairs.map((p) => p.user_id)],
    'guess_own',
  )
}

/** Which of these numbers somebody has, in games where a number may be chosen once. */
export function loadTakenGuesses(tx: Tx, wanted: readonly { game_id: string; guess: number }[]) {
  return tx.rows<{ game_id: string; guess: number }>(
    `select s.game_id, s.unique_guess as guess
     from unnest($1::uuid[], $2::int[]) as k(game_id, guess)
     join game_submissions s on s.game_id = k.game_id and s.unique_guess = k.guess`,
    [wanted.map((w) => w.game_id), wanted.map((w) => w.guess)],
    'guess_taken',
  )
}

/** What is known of users that the entry rules of a game may ask for. A win counts once its game is settled. */
export function loadEntryFacts(tx: Tx, pairs: readonly { game_id: string; user_id: string }[]) {
  return tx.rows<EntryFacts & { game_id: string; user_id: string }>(
    `select k.game_id, k.user_id, f.order_count, coalesce(f.segments, '{}') as segments,
            g.creator_id = k.user_id
              or exists (select from company_members m where m.company_id = g.company_id and m.user_id = k.user_id) as is_maker,
            (select max(d.settled_at) from game_participants p join games w on w.id = p.game_id join draws d on d.id = w.draw_id
             where p.user_id = k.user_id and p.is_winner) as last_won_at
     from (select distinct game_id, user_id from unnest($1::uuid[], $2::text[]) as k(game_id, user_id)) k
     join games g on g.id = k.game_id left join customer_facts f on f.user_id = k.user_id`,
    [pairs.map((p) => p.game_id), pairs.map((p) => p.user_id)],
    'guess_entry_facts',
  )
}

export type NewSubmission = Omit<SubmissionRow, 'replaced_by' | 'created_at'> & {
  unique_guess: number | null
}

/**
 * Writes guesses with all that counts them: participants, the guesses that they replace, the totals of their games.
 * Answers how many were written of each; the caller compares.
 */
export async function insertGuesses(
  tx: Tx,
  guesses: readonly NewSubmission[],
  replaced: readonly { id: string; by: string }[],
): Promise<{ guesses: number; replaced: number }> {
  const row = await tx.one<{ guesses: number; replaced: number }>(
    `with given as (
       select * from json_to_recordset($1::json) as r(id uuid, game_id uuid, seq int, user_id text, request_id text, guess int,
                                                      unique_guess int, bonus text, answer text)
     ), counted as (
       select game_id, user_id, count(*)::int as n from given group by 1, 2
     ), participant as (
       insert into game_participants as p (game_id, user_id, submission_count, created_at, updated_at)
       select game_id, user_id, n, $3, $3 from counted order by 1, 2
       on conflict (tenant_id, game_id, user_id) do update
         set submission_count = p.submission_count + excluded.submission_count, updated_at = $3
       returning game_id, submission_count
     ), game as (
       update games g
          set submission_count = g.submission_count + c.n, participant_count = g.participant_count + c.new_count, updated_at = $3
         from (select c.game_id, sum(c.n)::int as n,
                      count(*) filter (where not exists (select from game_participants p
                                                         where p.game_id = c.game_id and p.user_id = c.user_id))::int as new_count
               from counted c group by 1) c
        where g.id = c.game_id
     ), written as (
       insert into game_submissions (id, game_id, seq, user_id, request_id, guess, unique_guess, bonus, answer, created_at)
       select id, game_id, seq, user_id, request_id, guess, unique_guess, bonus, answer, $3 from given order by game_id, seq
       returning 1
     ), superseded as (
       update game_submissions s set replaced_by = r.by
         from json_to_recordset($2::json) as r(id uuid, by uuid)
        where s.id = r.id and s.replaced_by is null
       returning 1
     )
     select (select count(*)::int from written) as guesses, (select count(*)::int from superseded) as replaced`,
    [JSON.stringify(guesses), JSON.stringify(replaced), tx.now],
    'guess_insert',
  )
  return row!
}

/** Guesses in force after a place in the order of acceptance. */
export function loadSubmissionsInForce(tx: Tx, game_id: string, after_seq: number, limit: number) {
  return tx.rows<Pick<SubmissionRow, 'id' | 'seq' | 'user_id' | 'guess'>>(
    `select id, seq, user_id, guess from game_submissions
     where game_id = $1 and seq > $2 and replaced_by is null order by seq limit $3`,
    [game_id, after_seq, limit],
    'guess_in_force',
  )
}

export function loadSubmissionsOf(tx: Tx, ids: readonly string[]) {
  return tx.rows<Pick<SubmissionRow, 'id' | 'guess'>>(
    'select id, guess from game_submissions where id = any($1::uuid[])',
    [ids],
    'guess_by_id',
  )
}

export type OwnGuessRow = {
  id: string
  seq: number
  guess: number | null
  bonus: string | null
  replaced_by: string | null
  entry_index: number | null
  entrant: string | null
  salt: string | null
  created_at: Date
}

/** A user's guesses in a game, first one first, each with its place on the list where it has one. */
export function loadMyGuesses(tx: Tx, game_id: string, draw_id: string, user_id: string) {
  return tx.rows<OwnGuessRow>(
    `select s.id, s.seq, s.guess, s.bonus, s.replaced_by, e.entry_index, n.entrant, n.entrant_salt as salt, s.created_at
     from game_submissions s
     left join draw_entries e on e.draw_id = $2 and e.ref_id = s.id
     left join draw_entrants n on n.draw_id = $2 and n.user_id = s.user_id
     where s.game_id = $1 and s.user_id = $3 order by s.seq`,
    [game_id, draw_id, user_id],
    'guess_mine',
  )
}

export async function insertWinningNumbers(
  tx: Tx,
  game_id: string,
  numbers: readonly number[],
): Promise<void> {
  if (numbers.length === 0) return
  await tx.rows(
    `insert into winning_numbers (game_id, position, winning_number, created_at)
     select $1, ordinality, n, $3 from unnest($2::int[]) with ordinality as t(n, ordinality)`,
    [game_id, numbers, tx.now],
  )
}

export type HistoryWinner = {
  id: string
  user_id: string
  place: number
  submission_id: string
  guess: number | null
  is_alternate: boolean
}

export async function insertWinnerHistory(
  tx: Tx,
  game_id: string,
  winners: readonly HistoryWinner[],
): Promise<void> {
  if (winners.length === 0) return
  await tx.rows(
    `insert into winner_history (id, game_id, user_id, place, submission_id, guess, is_alternate, created_at)
     select id, $1, user_id, place, submission_id, guess, is_alternate, $3
     from json_to_recordset($2::json) as r(id uuid, user_id text, place int, submission_id uuid, guess int, is_alternate boolean)`,
    [game_id, JSON.stringify(winners), tx.now],
  )
}

export function loadWinnerHistory(tx: Tx, game_id: string) {
  return tx.rows<HistoryWinner>(
    `select id, user_id, place, submission_id, guess, is_alternate from winner_history where game_id = $1 order by place`,
    [game_id],
  )
}

/** Every participant is told, once: won or not. */
export async function markWinners(tx: Tx, game_id: string, user_ids: readonly string[]): Promise<void> {
  await tx.rows(
    `update game_participants set is_winner = (user_id = any($2::text[])), updated_at = $3 where game_id = $1 and is_winner is null`,
    [game_id, user_ids, tx.now],
  )
}

/** A play for every guess that got no prize into the wallet: S2-01 counts losing plays too. */
export async function insertLostPlays(
  tx: Tx,
  { game_id, wallet_game_id, except }: { game_id: string; wallet_game_id: number; except: readonly string[] },
): Promise<void> {
  await tx.rows(
    `insert into gamification_game_plays (id, uuid, game_id, user_id, is_winner, game_data, event_id, created_at, updated_at)
     select nextval('play_ids'), gen_random_uuid(), $2, s.user_id, false,
            jsonb_build_object('game', 'guess', 'guess', s.guess, 'seq', s.seq), s.id, $4, $4
     from game_submissions s
     where s.game_id = $1 and s.replaced_by is null and s.id <> all($3::uuid[])`,
    [game_id, wallet_game_id, except, tx.now],
  )
}

export async function insertGameHistory(
  tx: Tx,
  game_id: string,
  record: Record<string, unknown>,
): Promise<void> {
  await tx.rows('insert into game_history (game_id, record, created_at) values ($1, $2, $3)', [
    game_id,
    JSON.stringify(record),
    tx.now,
  ])
}

export async function loadGameHistory(tx: Tx, game_id: string): Promise<Record<string, unknown> | undefined> {
  return (
    await tx.one<{ record: Record<string, unknown> }>('select record from game_history where game_id = $1', [
      game_id,
    ])
  )?.record
}

/** Whether a user acts for a company. */
export async function isMember(tx: Tx, company_id: string, user_id: string): Promise<boolean> {
  const row = await tx.one<{ found: boolean }>(
    `select exists (select from company_members m join companies c on c.id = m.company_id and c.is_active
                    where m.company_id = $1 and m.user_id = $2) as found`,
    [company_id, user_id],
  )
  return row!.found
}

export type PlayerStats = { entries: number; wins: number; games: number; streak: number }

/** A player's record over a span of time, recounted from the rows. The streak is the newest run of won games. */
export async function loadPlayerStats(tx: Tx, user_id: string, from: Date, to: Date): Promise<PlayerStats> {
  const row = await tx.one<PlayerStats>(
    `with played as (
       select p.game_id, p.is_winner, p.submission_count, d.settled_at
       from game_participants p join games g on g.id = p.game_id join draws d on d.id = g.draw_id
       where p.user_id = $1 and d.settled_at >= $2 and d.settled_at < $3
     ), ranked as (
       select is_winner, row_number() over (order by settled_at desc, game_id desc) as n from played
     )
     select coalesce(sum(submission_count), 0)::int as entries, count(*)::int as games,
            count(*) filter (where is_winner)::int as wins,
            (select count(*)::int from ranked r
             where is_winner and n < coalesce((select min(n) from ranked where not is_winner), 2147483647)) as streak
     from played`,
    [user_id, from, to],
  )
  return row!
}

export type LeaderRow = { user_id: string; wins: number; games: number }

/**
 * Who won most games over a span of time. Of equals ranks higher who reached the number first, which is when the newest
 * game that counts was settled; of those who reached it in one game, who has the better place in it (S0-33b).
 */
export function loadLeaders(tx: Tx, from: Date, to: Date, limit: number) {
  return tx.rows<LeaderRow>(
    `select p.user_id, count(*) filter (where p.is_winner)::int as wins, count(*)::int as games
     from game_participants p join games g on g.id = p.game_id join draws d on d.id = g.draw_id
     left join (select game_id, user_id, min(place) as place from winner_history where not is_alternate group by 1, 2) w
       on w.game_id = p.game_id and w.user_id = p.user_id
     where d.settled_at >= $1 and d.settled_at < $2
     group by 1 having count(*) filter (where p.is_winner) > 0
     order by 2 desc, max(d.settled_at) filter (where p.is_winner),
              (array_agg(w.place order by d.settled_at desc, w.place) filter (where p.is_winner))[1], 1 limit $3`,
    [from, to, limit],
  )
}
