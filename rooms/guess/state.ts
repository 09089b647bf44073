/**
 * What anybody in the room of a guess game sees, and how a snapshot and committed events become it. Pure: no clock, no
 * IO. The order of the fields is the protocol (colyseus.md H45): append, never reorder, never remove. A guess enters it
 * with its winner and no sooner; places that are not shown yet are times without a name.
 */
import { type SchemaType, schema, t } from '@colyseus/schema'
import type { GameEvent } from '../../src/db/tx.ts'
import type { GuessSnapshot } from '../../src/games/guess/read.ts'

export const GuessRange = schema({ min: t.int32().default(0), max: t.int32().default(0) }, 'GuessRange')

export const GuessWinner = schema(
  {
    place: t.uint32().default(0),
    /** A pseudonym, never the user id. */
    player: t.string().default(''),
    /** 0 in a game without numbers. */
    guess: t.int32().default(0),
    entryIndex: t.uint32().default(0),
    revealAt: t.string().default(''),
  },
  'GuessWinner',
)

/** When a place is shown; who stands on it comes with `winners`. */
export const GuessReveal = schema(
  { place: t.uint32().default(0), revealAt: t.string().default('') },
  'GuessReveal',
)

export const GuessState = schema(
  {
    /** The draw's: scheduled, open, closed, drawing, drawn, settled or cancelled; `paused` while it takes no guesses. */
    phase: t.string().default('scheduled'),
    /** The server's clock, epoch milliseconds; moves at most once a second. */
    serverTime: t.int64().default(0),
    /** Sequence number of the last event in this state. */
    version: t.int64().default(0),
    commitHash: t.string().default(''),
    trust: t.string().default(''),
    /** ISO. */
    opensAt: t.string().default(''),
    closesAt: t.string().default(''),
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    /** Guesses that were taken; from the close on those on the sealed list. */
    entries: t.uint32().default(0),
    /** Both ends belong to it; 0 and 0 in a game without numbers. */
    range: GuessRange,
    /** Shown so far, the best place first. Without alternates. */
    winners: t.array(GuessWinner),
    /** Once all winners were shown. */
    winningNumbers: t.array('int32'),
    title: t.string().default(''),
    mode: t.string().default(''),
    rule: t.string().default(''),
    numberOfWinners: t.uint32().default(0),
    /** Places without a winner because fewer entered; -1 until it is known. */
    notAwarded: t.int32().default(-1),
    drawId: t.string().default(''),
    /** '' until the list is sealed. */
    entriesRoot: t.string().default(''),
    /** In order of showing, from the moment on at which the winners are drawn. */
    reveals: t.array(GuessReveal),
    /** When everything is shown; '' before the draw. */
    settleAt: t.string().default(''),
    /** '' unless it was called off. */
    cancelReason: t.string().default(''),
    /** The newest signed checkpoint of the tenant's fairness log. */
    checkpoint: t.string().default(''),
    /** ISO, when a pause ends by itself; '' unless it is paused. The time that is left then is closesAt minus this. */
    pausedUntil: t.string().default(''),
  },
  'GuessState',
)
export type GuessState = SchemaType<typeof GuessState>

type WinnerFacts = {
  place: number
  player: string
  entry_index: number
  is_alternate: boolean
  reveal_at: string
  guess?: number | null
}
type RevealFacts = { place: number; reveal_at: string }

/** Makes the state what a snapshot says. */
export function loadGuess(state: GuessState, { version, game, draw, ...snapshot }: GuessSnapshot): void {
  state.phase = game.status === 'open' && draw.paused_until !== null ? 'paused' : game.status
  state.pausedUntil = draw.paused_until ?? ''
  state.title = game.title
  state.mode = game.mode
  state.rule = game.rule ?? ''
  state.range.min = game.guess_min ?? 0
  state.range.max = game.guess_max ?? 0
  state.numberOfWinners = game.number_of_winners
  state.commitHash = draw.commit_hash
  state.trust = draw.trust
  state.opensAt = draw.opens_at
  state.closesAt = draw.closes_at
  state.drawId = draw.draw_id
  state.entriesRoot = draw.entries_root ?? ''
  state.settleAt = draw.settle_at ?? ''
  state.cancelReason = draw.cancel_reason ?? ''
  state.entries = snapshot.entry_count
  setReveals(state, draw.reveals)
  state.winners.splice(0, state.winners.length)
  for (const winner of draw.winners) addWinner(state, winner as WinnerFacts)
  complete(state, snapshot.winning_numbers, snapshot.not_awarded)
  state.version = version
}

/** Folds events, which follow the state without a gap, into it. Kinds that it does not know only count. */
export function applyToGuess(state: GuessState, events: readonly GameEvent[]): void {
  for (const event of events) applyOne(state, event)
  state.version = events[events.length - 1]?.seq ?? state.version
}

function applyOne(state: GuessState, { type, data }: GameEvent): void {
  switch (type) {
    case 'game.entered':
      state.entries = data['entry_count'] as number
      return
    case 'draw.extended':
      state.closesAt = data['closes_at'] as string
      return
    case 'draw.paused':
      state.phase = 'paused'
      state.pausedUntil = data['paused_until'] as string
      return
    case 'draw.resumed':
      state.phase = 'open'
      state.pausedUntil = ''
      return
    case 'draw.closed':
      state.entries = data['entry_count'] as number
      state.entriesRoot = data['entries_root'] as string
      break
    case 'draw.drawn':
      state.settleAt = data['settle_at'] as string
      setReveals(state, data['reveals'] as RevealFacts[])
      break
    case 'draw.revealed':
      addWinner(state, data as WinnerFacts)
      return
    case 'game.completed':
      complete(state, data['winning_numbers'] as number[], data['not_awarded'] as number)
      return
    case 'draw.cancelled':
      state.cancelReason = data['reason'] as string
      state.pausedUntil = ''
  }
  if (PHASES.has(type)) state.phase = type.slice('draw.'.length)
}

/** Events of the draw that say what the game is doing from then on. */
const PHASES = new Set([
  'draw.open',
  'draw.closed',
  'draw.drawing',
  'draw.drawn',
  'draw.settled',
  'draw.cancelled',
])

function complete(state: GuessState, numbers: readonly number[] | null, not_awarded: number | null): void {
  state.winningNumbers.splice(0, state.winningNumbers.length)
  for (const each of numbers ?? []) state.winningNumbers.push(each)
  state.notAwarded = not_awarded ?? -1
}

/** Alternates stand behind the winners and are shown with the last of them: the page of the draw lists them. */
function setReveals(state: GuessState, reveals: readonly RevealFacts[]): void {
  state.reveals.splice(0, state.reveals.length)
  const shown = reveals
    .filter(({ place }) => place <= state.numberOfWinners)
    .sort((a, b) => a.reveal_at.localeCompare(b.reveal_at) || b.place - a.place)
  for (const { place, reveal_at } of shown)
    state.reveals.push(new GuessReveal({ place, revealAt: reveal_at }))
}

/** Told twice, shown once. */
function addWinner(state: GuessState, winner: WinnerFacts): void {
  if (winner.is_alternate || state.winners.some(({ place }) => place === winner.place)) return
  const { place, player, guess, entry_index, reveal_at } = winner
  const added = new GuessWinner({
    place,
    player,
    guess: guess ?? 0,
    entryIndex: entry_index,
    revealAt: reveal_at,
  })
  const after = state.winners.findIndex((each) => each.place > place)
  if (after < 0) state.winners.push(added)
  else state.winners.splice(after, 0, added)
}
