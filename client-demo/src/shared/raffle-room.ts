/** The room of a raffle as plain values, and its winners in step on every screen. */
import { useEffect, useRef } from 'preact/hooks'
import { IN_STEP_MS, type Reveal, type Step, stepAt } from './guess-room.ts'
import { connectLive, type Link, type Live, type Loose } from './live.ts'
import type { RaffleBoard } from './raffle-api.ts'
import { serverClock } from './server-clock.ts'
import { useInstant } from './store.ts'

export type RaffleWinner = {
  draw_id: string
  place: number
  player: string
  ticket_number: string
  /** Of the draw's config; '' for an alternate. */
  prize: string
  is_alternate: boolean
  status: string
  reveal_at_ms: number
}
export type DrawState = {
  draw_id: string
  name: string
  status: string
  commit_hash: string
  draw_at_ms: number
  entries: number
  entries_root: string
  redraw_of: string
  cancel_reason: string
}
export type RaffleView = {
  phase: string
  version: number
  commit_hash: string
  trust: string
  opens_at_ms: number
  closes_at_ms: number
  players: number
  spectators: number
  total: number
  sold: number
  left: number
  draws: DrawState[]
  winners: RaffleWinner[]
  title: string
  ticket_price: number
  currency: string
  instant_hash: string
  checkpoint: string
}

/** Numbers that were given out, held, or put back. */
export type Moved = { gone: number[]; held: number[]; back: number[] }

export type RaffleEvents = {
  link(link: Link): void
  view(view: RaffleView): void
  moved?(moved: Moved): void
  /** Somebody's number has won at once. */
  instant?(win: { player: string; ticket_number: string; prize_id: number }): void
  ready?(): void
}

/** Follows the room of a raffle; see connectLive. */
export function connectRaffle(
  options: Record<string, unknown>,
  token: () => Promise<string | undefined>,
  { link, view, moved, instant, ready }: RaffleEvents,
): Live {
  let life = ''
  let version = 0
  const live = connectLive('raffle', options, token, {
    link,
    state(state) {
      const now = viewOf(state)
      version = now.version
      view(now)
      if (life === lifeOf(now)) return
      life = lifeOf(now)
      void askTime()
    },
    messages: {
      entered: (message) => moved?.(message as Moved),
      notice: (message) => {
        const notice = message as Loose
        if (notice['code'] === 'instant_win') instant?.(notice as never)
      },
    },
    ready() {
      void askTime()
      ready?.()
    },
  })

  /** What time it is, to the millisecond: the state tells it once a second, and winners appear at an instant. */
  async function askTime(): Promise<void> {
    const sent_ms = Date.now()
    try {
      const { server_time } = await live.request<{ server_time: number }>('since', { version })
      serverClock.answered(server_time, sent_ms)
    } catch {
      // The line is down or the server is busy; what is known already has to do.
    }
  }
  return live
}

const msOf = (iso: unknown): number => Date.parse(String(iso ?? ''))

export function viewOf(state: Loose): RaffleView {
  return {
    phase: state['phase'],
    version: Number(state['version']),
    commit_hash: state['commitHash'],
    trust: state['trust'],
    opens_at_ms: msOf(state['opensAt']),
    closes_at_ms: msOf(state['closesAt']),
    players: state['players'],
    spectators: state['spectators'],
    total: state['total'],
    sold: state['sold'],
    left: state['left'],
    draws: Array.from(state['draws'] as Iterable<Loose>, (draw) => ({
      draw_id: draw['drawId'],
      name: draw['name'],
      status: draw['status'],
      commit_hash: draw['commitHash'],
      draw_at_ms: msOf(draw['drawAt']),
      entries: draw['entries'],
      entries_root: draw['entriesRoot'],
      redraw_of: draw['redrawOf'],
      cancel_reason: draw['cancelReason'],
    })),
    winners: Array.from(state['winners'] as Iterable<Loose>, (winner) => ({
      draw_id: winner['drawId'],
      place: winner['place'],
      player: winner['player'],
      ticket_number: winner['ticketNumber'],
      prize: winner['prize'],
      is_alternate: winner['isAlternate'],
      status: winner['status'],
      reveal_at_ms: msOf(winner['revealAt']),
    })),
    title: state['title'],
    ticket_price: state['ticketPrice'],
    currency: state['currency'],
    instant_hash: state['instantHash'],
    checkpoint: state['checkpoint'],
  }
}

/** What the board says more of than the room: it is read again when this changes. */
export const lifeOf = ({ phase, draws, winners }: RaffleView): string =>
  [
    phase,
    ...draws.map(({ draw_id, status }) => `${draw_id}:${status}`),
    ...winners.map((w) => w.status),
  ].join()

export type DrawStep = { draw: DrawState; reveals: Reveal[] } & Step<RaffleWinner>

/**
 * Each draw with what is shown of it at an instant of the server's clock. The times come with the board, which is read
 * when a draw is drawn: who stands there comes with the room, at those times.
 */
export function drawsAt(view: RaffleView, board: RaffleBoard | null, now_ms: number): DrawStep[] {
  return view.draws.map((draw) => {
    const known = board?.draws.find(({ draw_id }) => draw_id === draw.draw_id)?.reveals ?? []
    const reveals = known.map(({ place, reveal_at }) => ({ place, reveal_at_ms: Date.parse(reveal_at) }))
    const winners = view.winners.filter(({ draw_id }) => draw_id === draw.draw_id)
    return { draw, reveals, ...stepAt({ phase: draw.status, winners, reveals }, now_ms) }
  })
}

/** What is shown now; `onShown` hears of winners once, at their moment. What was shown before is not told. */
export function useDraws(
  view: RaffleView,
  board: RaffleBoard | null,
  onShown: (winners: RaffleWinner[]) => void,
): DrawStep[] {
  const steps = drawsAt(view, board, serverClock.now())
  // At the instant itself: a page that draws a wall of numbers has better to do than to look all the time.
  useInstant(Math.min(...steps.flatMap(({ next }) => next?.reveal_at_ms ?? []), ...untold(view)))
  const shown = steps.flatMap(({ winners }) => winners)
  const told = useRef<Set<string> | null>(null)
  useEffect(() => {
    const before = told.current
    told.current = new Set(shown.map(keyOf))
    const fresh = before === null ? [] : shown.filter((winner) => !before.has(keyOf(winner)))
    if (fresh.length > 0) onShown(fresh)
  }, [shown.length])
  return steps
}

/** When winners that the room has told of are to be shown, should the board be late. */
const untold = ({ winners }: RaffleView): number[] =>
  winners.map(({ reveal_at_ms }) => reveal_at_ms + IN_STEP_MS).filter((at_ms) => at_ms > serverClock.now())

const keyOf = ({ draw_id, place }: RaffleWinner) => `${draw_id}:${place}`
