/** The room of a guess game as plain values, and its winners in step on every screen. */
import { useEffect, useRef } from 'preact/hooks'
import { connectLive, type Link, type Live, type Loose } from './live.ts'
import { serverClock } from './server-clock.ts'
import { useTick } from './store.ts'

export type ShownWinner = {
  place: number
  player: string
  guess: number
  entry_index: number
  reveal_at_ms: number
}
export type Reveal = { place: number; reveal_at_ms: number }
export type GuessView = {
  phase: string
  version: number
  commit_hash: string
  trust: string
  opens_at_ms: number
  closes_at_ms: number
  /** When a pause ends by itself; NaN unless it is paused. */
  paused_until_ms: number
  players: number
  spectators: number
  entries: number
  min: number
  max: number
  /** Best place first. */
  winners: ShownWinner[]
  winning_numbers: number[]
  title: string
  mode: string
  rule: string
  number_of_winners: number
  not_awarded: number
  draw_id: string
  entries_root: string
  /** In order of showing. */
  reveals: Reveal[]
  cancel_reason: string
  checkpoint: string
}

export type GuessEvents = { link(link: Link): void; view(view: GuessView): void; ready?(): void }

/** Follows the room of a guess game; see connectLive. */
export function connectGuess(
  options: Record<string, unknown>,
  token: () => Promise<string | undefined>,
  { link, view, ready }: GuessEvents,
): Live {
  return connectLive('guess', options, token, {
    link,
    state: (state) => view(viewOf(state)),
    ...(ready && { ready }),
  })
}

const msOf = (iso: unknown): number => Date.parse(String(iso ?? ''))

export function viewOf(state: Loose): GuessView {
  return {
    phase: state['phase'],
    version: Number(state['version']),
    commit_hash: state['commitHash'],
    trust: state['trust'],
    opens_at_ms: msOf(state['opensAt']),
    closes_at_ms: msOf(state['closesAt']),
    paused_until_ms: msOf(state['pausedUntil']),
    players: state['players'],
    spectators: state['spectators'],
    entries: state['entries'],
    min: state['range'].min,
    max: state['range'].max,
    winners: Array.from(state['winners'] as Iterable<Loose>, (winner) => ({
      place: winner['place'],
      player: winner['player'],
      guess: winner['guess'],
      entry_index: winner['entryIndex'],
      reveal_at_ms: msOf(winner['revealAt']),
    })),
    winning_numbers: [...state['winningNumbers']],
    title: state['title'],
    mode: state['mode'],
    rule: state['rule'],
    number_of_winners: state['numberOfWinners'],
    not_awarded: state['notAwarded'],
    draw_id: state['drawId'],
    entries_root: state['entriesRoot'],
    reveals: Array.from(state['reveals'] as Iterable<Loose>, (each) => ({
      place: each['place'],
      reveal_at_ms: msOf(each['revealAt']),
    })),
    cancel_reason: state['cancelReason'],
    checkpoint: state['checkpoint'],
  }
}

/**
 * A winner is shown this long after the time that the draw names. Players are told within 50 ms and spectators within
 * 250 ms: waiting for the slowest makes the moment the same on every screen.
 */
export const IN_STEP_MS = 500

export type Step<W = ShownWinner> = {
  winners: W[]
  /** The next place to be shown, and when. */
  next: Reveal | null
  /** Everything was shown. */
  is_over: boolean
}

/** What is shown at an instant of the server's clock. */
export function stepAt<W extends Reveal>(
  view: { phase: string; winners: W[]; reveals: Reveal[] },
  now_ms: number,
): Step<W> {
  const isShown = ({ reveal_at_ms }: { reveal_at_ms: number }) => reveal_at_ms + IN_STEP_MS <= now_ms
  const winners = view.winners.filter(isShown)
  const next = view.reveals.find((reveal) => !isShown(reveal))
  return {
    winners,
    next: next ? { ...next, reveal_at_ms: next.reveal_at_ms + IN_STEP_MS } : null,
    is_over: view.phase === 'settled' && next === undefined,
  }
}

const STEP_TICK_MS = 50

/** What is shown now; `onShown` hears of each winner once, at its moment. What was shown before is not told. */
export function useStep(view: GuessView, onShown?: (winner: ShownWinner) => void): Step {
  const step = stepAt(view, serverClock.now())
  useTick(view.phase === 'drawn' || step.next !== null ? STEP_TICK_MS : 60_000)
  const told = useRef<number | null>(null)
  useEffect(() => {
    const before = told.current
    told.current = step.winners.length
    if (before === null || onShown === undefined) return
    const fresh = [...step.winners].sort((a, b) => b.reveal_at_ms - a.reveal_at_ms)
    for (const winner of fresh.slice(0, step.winners.length - before)) onShown(winner)
  }, [step.winners.length])
  return step
}
