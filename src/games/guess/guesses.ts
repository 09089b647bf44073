/**
 * Guessing: many players' guesses in one transaction. The row of the draw is the queue that they stand in, so what is
 * counted, taken or replaced is decided by whoever holds it.
 */
import type { Verdict } from '../../db/batch.ts'
import type { Actor, Tx } from '../../db/tx.ts'
import type { NewEntry } from '../../draws/game.ts'
import { type Accepted, addEntries, receiptOf } from '../../draws/list.ts'
import { type DrawRow, loadDrawsForUpdate } from '../../draws/store.ts'
import { type ErrorCode, Refusal, type RefusalDetail } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { acceptedReceipt } from '../../proofs/shared-draw.ts'
import { bonusOf, type EntryFacts, judgeEntry } from './entry-rules.ts'
import { guessesOf, whyNotGuess } from './rules.ts'
import {
  type GameRow,
  insertGuesses,
  loadAnsweredGuesses,
  loadEntryFacts,
  loadGames,
  loadOwnGuesses,
  loadTakenGuesses,
  type NewSubmission,
} from './store.ts'

/** `value` is null for a game of mode draw. */
export type GuessInput = { actor: Actor; game_id: string; request_id: string; value: number | null }

export type GuessAnswer = {
  submission_id: string
  game_id: string
  seq: number
  value: number | null
  replaces: string | null
  guesses_left: number
  entry_count: number
  /** Place on the list; null where the list is made at the close. */
  entry_index: number | null
  entrant: string | null
  salt: string | null
  accepted_at: string
  receipt: string
  /** Entries that the rules of the game add to this one, each on the list under its label. */
  bonus_entries: BonusEntry[]
}

export type BonusEntry = { label: string; submission_id: string; entry_index: number; receipt: string }

/** `text` is the reply as it is stored: a repeated request is answered with the same bytes. */
export type GuessReply = { text: string; replayed: boolean }

type Member = { input: GuessInput; verdict?: Verdict<GuessReply>; twin?: Member }

/** One guess that was let in, before it is written. */
type Taken = {
  member: Member
  id: string
  seq: number
  replaces: string | null
  guesses_left: number
  bonus: { id: string; seq: number; label: string }[]
}

const keyOf = (of: { game_id: string; user_id: string }, more: string | number): string =>
  `${of.game_id}\n${of.user_id}\n${more}`

/**
 * Takes each of `inputs`, in order, in the transaction's tenant. Answers each with its own receipt or refusal.
 *
 * Refuses, in this order: idempotency_key_reused, game_not_found, game_not_open, game_paused, not_eligible, guess_invalid,
 * no_guesses_left, guess_taken. Source: fair-1.md 9.4 and 10; features F13, P-06, P-07.
 */
export async function guessBatch(tx: Tx, inputs: readonly GuessInput[]): Promise<Verdict<GuessReply>[]> {
  const members: Member[] = inputs.map((input) => ({ input }))
  const games = new Map(
    (await loadGames(tx, [...new Set(inputs.map((input) => input.game_id))])).map((row) => [row.id, row]),
  )
  const draws = new Map(
    (
      await loadDrawsForUpdate(
        tx,
        [...games.values()].flatMap(({ draw_id }) => draw_id ?? []),
      )
    ).map((row) => [row.id, row]),
  )
  // After the lock: the same request may have been answered while this one waited.
  await answerRepeats(tx, members)
  const open = members.filter((member) => member.verdict === undefined && member.twin === undefined)
  const book = await bookOf(tx, open, games)
  for (const game of games.values()) {
    const draw = game.draw_id === null ? undefined : draws.get(game.draw_id)
    const mine = open.filter((member) => member.input.game_id === game.id)
    if (mine.length > 0) await takeForGame(tx, game, draw, mine, book)
  }
  for (const member of open) if (member.verdict === undefined) refuseMember(member, 'game_not_found')
  return members.map(verdictOf)
}

function verdictOf(member: Member): Verdict<GuessReply> {
  if (member.twin === undefined) return member.verdict!
  const first = member.twin.verdict!
  return 'answer' in first ? { answer: { ...first.answer, replayed: true } } : first
}

function refuseMember(member: Member, code: ErrorCode, detail: RefusalDetail = {}): void {
  member.verdict = { refusal: new Refusal(code, detail) }
}

async function answerRepeats(tx: Tx, members: readonly Member[]): Promise<void> {
  const keys = members.map(({ input }) => ({
    game_id: input.game_id,
    user_id: input.actor.userId,
    request_id: input.request_id,
  }))
  const answered = new Map(
    (await loadAnsweredGuesses(tx, keys)).map((row) => [keyOf(row, row.request_id), row]),
  )
  const first = new Map<string, Member>()
  members.forEach((member, i) => {
    const key = keyOf(keys[i]!, keys[i]!.request_id)
    const done = answered.get(key)
    const twin = first.get(key)
    const { value } = member.input
    if (done !== undefined) {
      if (done.guess === value) member.verdict = { answer: { text: done.answer, replayed: true } }
      else refuseMember(member, 'idempotency_key_reused')
    } else if (twin !== undefined) {
      if (twin.input.value === value) member.twin = twin
      else refuseMember(member, 'idempotency_key_reused')
    } else first.set(key, member)
  })
}

/**
 * What users have in force, and which numbers are gone; kept up to date as a batch goes on. And what is known of them, for
 * games with entry rules.
 */
type Book = { own: Map<string, string[]>; taken: Set<string>; facts: Map<string, EntryFacts> }

async function bookOf(
  tx: Tx,
  members: readonly Member[],
  games: ReadonlyMap<string, GameRow>,
): Promise<Book> {
  const pairs = members.map(({ input }) => ({ game_id: input.game_id, user_id: input.actor.userId }))
  const own = new Map<string, string[]>()
  for (const row of await loadOwnGuesses(tx, pairs)) {
    const key = keyOf(row, '')
    own.set(key, [...(own.get(key) ?? []), row.id])
  }
  const wanted = members.flatMap(({ input: { game_id, value } }) =>
    value === null || !Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1
      ? []
      : { game_id, guess: value },
  )
  const taken = new Set((await loadTakenGuesses(tx, wanted)).map((row) => `${row.game_id}\n${row.guess}`))
  const ruled = pairs.filter(({ game_id }) => games.get(game_id)?.entry_rules != null)
  const facts = ruled.length === 0 ? [] : await loadEntryFacts(tx, ruled)
  return { own, taken, facts: new Map(facts.map((row) => [keyOf(row, ''), row])) }
}

async function takeForGame(
  tx: Tx,
  game: GameRow,
  draw: DrawRow | undefined,
  members: readonly Member[],
  book: Book,
): Promise<void> {
  if (draw === undefined) return
  const is_unique = game.guess_policy === 'number_unique_globally'
  const taken: Taken[] = []
  let seq = game.submission_count
  for (const member of members) {
    const { actor, value } = member.input
    const key = keyOf({ game_id: game.id, user_id: actor.userId }, '')
    const own = book.own.get(key) ?? []
    const facts = book.facts.get(key)
    const bonus = facts === undefined ? null : bonusOf(game.entry_rules, facts)
    const state = {
      // A list that is being made from the guesses takes no more of them.
      status:
        draw.fill_after === null && (draw.is_filled || game.guess_policy === 'replace_until_close')
          ? draw.status
          : 'closed',
      opens_at: draw.opens_at,
      closes_at: draw.closes_at,
      paused_until: draw.paused_until,
      terms: game,
      entry: facts === undefined ? [] : judgeEntry(game.entry_rules, facts, tx.now),
      bonus,
      own_count: own.length,
      is_taken: is_unique && book.taken.has(`${game.id}\n${value}`),
    }
    const refusal = whyNotGuess(state, value, tx.now)
    if (refusal !== null) {
      refuseMember(member, refusal.code, refusal.detail)
      continue
    }
    const is_replacing = game.guess_policy === 'replace_until_close'
    const replaces = is_replacing ? (own.at(-1) ?? null) : null
    const id = newId()
    book.own.set(key, is_replacing ? [id] : [...own, id])
    if (is_unique) book.taken.add(`${game.id}\n${value}`)
    const guesses_left = is_replacing ? 1 : guessesOf(state) - own.length - 1
    // In a draw a bonus is more entries, which come with the first one.
    const granted = game.mode === 'draw' && own.length === 0 ? (bonus?.granted ?? []) : []
    const labels = granted.flatMap(({ label, entries }) => Array<string>(entries).fill(label))
    const place = seq++
    const added = labels.map((label) => ({ id: newId(), seq: seq++, label }))
    taken.push({ member, id, seq: place, replaces, guesses_left, bonus: added })
  }
  if (taken.length > 0) await write(tx, game, draw, taken, seq)
}

async function write(
  tx: Tx,
  game: GameRow,
  draw: DrawRow,
  taken: readonly Taken[],
  entry_count: number,
): Promise<void> {
  const is_listed = game.guess_policy !== 'replace_until_close'
  // In the order of their places: each entry, then what the rules add to it.
  const rows = taken.flatMap(({ member: { input }, id, seq, bonus }) => {
    const base = { game_id: game.id, user_id: input.actor.userId }
    const { request_id, value: guess } = input
    const unique_guess = game.guess_policy === 'number_unique_globally' ? guess : null
    return [
      { ...base, id, seq, request_id, guess, unique_guess, bonus: null },
      ...bonus.map((each) => ({
        ...base,
        id: each.id,
        seq: each.seq,
        request_id: null,
        guess: null,
        unique_guess: null,
        bonus: each.label,
      })),
    ]
  })
  const entries = rows.map(
    ({ id, user_id, guess, bonus }): NewEntry => ({
      user_id,
      ref_id: id,
      // Everybody can see on the list which entries a rule added.
      facts: { ...(guess !== null && { g: guess }), ...(bonus !== null && { b: bonus }) },
    }),
  )
  const listed = is_listed ? await addEntries(tx, draw, entries) : []
  const accepted = new Map(listed.map((each) => [each.ref_id, each]))
  const answers = new Map(
    taken.map((each) => [each.id, JSON.stringify(answerOf(tx, game, draw, each, accepted, entry_count))]),
  )
  const guesses = rows.map((row): NewSubmission => ({ ...row, answer: answers.get(row.id) ?? null }))
  const replaced = taken.flatMap(({ replaces, id }) => (replaces === null ? [] : { id: replaces, by: id }))
  const written = await insertGuesses(tx, guesses, replaced)
  if (written.guesses !== guesses.length || written.replaced !== replaced.length)
    throw new Error(`a batch meant ${guesses.length} guesses and wrote ${written.guesses}`)
  for (const { member, id, seq, replaces, bonus } of taken) {
    member.verdict = { answer: { text: answers.get(id)!, replayed: false } }
    tx.audit({
      action: 'game.guess',
      entity_type: 'game_submission',
      entity_id: id,
      by: member.input.actor,
      // The number itself stays out: an auditor reads it from its row after the close.
      new_values: {
        game_id: game.id,
        seq,
        replaces,
        ...(bonus.length > 0 && { bonus: bonus.map(({ label }) => label) }),
      },
    })
  }
  tx.emit({ gameId: game.id, type: 'game.entered', data: { entry_count } })
}

function answerOf(
  tx: Tx,
  game: GameRow,
  draw: DrawRow,
  { member, id, seq, replaces, guesses_left, bonus }: Taken,
  listed: ReadonlyMap<string, Accepted>,
  entry_count: number,
): GuessAnswer {
  const accepted = listed.get(id)
  const bonus_entries = bonus.map((each): BonusEntry => {
    const entry = listed.get(each.id)!
    const { entry_index } = entry
    return { label: each.label, submission_id: each.id, entry_index, receipt: receiptOf(tx, draw, entry) }
  })
  return {
    submission_id: id,
    game_id: game.id,
    seq,
    value: member.input.value,
    replaces,
    guesses_left,
    entry_count,
    entry_index: accepted?.entry_index ?? null,
    entrant: accepted?.entrant ?? null,
    salt: accepted?.salt ?? null,
    accepted_at: tx.now.toISOString(),
    receipt:
      accepted === undefined
        ? acceptedReceipt(tx, { commit_hash: draw.commit_hash, seq })
        : receiptOf(tx, draw, accepted),
    bonus_entries,
  }
}
