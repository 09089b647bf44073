/** What a raffle is doing just now, as a sentence and the instant that it leads to. */
import type { DrawStep, RaffleView } from '../shared/raffle-room.ts'
import { say, sayOr } from '../strings.ts'

export type Phase = {
  text: string
  /** The server's instant to count down to, or null. */
  to_ms: number | null
  /** Everything was shown. */
  is_over: boolean
}

export function phaseOf(view: RaffleView, steps: readonly DrawStep[]): Phase {
  const is_over = steps.every((step) => step.is_over || step.draw.status === 'cancelled')
  const told = (phase: string, to_ms: number | null): Phase => ({
    text: sayOr(`raffle.phase.${phase}`, phase),
    to_ms,
    is_over,
  })
  if (view.phase === 'scheduled') return told('scheduled', view.opens_at_ms)
  if (view.phase === 'open') return told('open', view.closes_at_ms)
  if (view.phase === 'cancelled') return told('cancelled', null)
  if (is_over) return told('settled', null)
  const showing = steps.find(({ next }) => next !== null)
  if (showing !== undefined) {
    const { reveal_at_ms, place } = showing.next!
    const text = `${showing.draw.name}: ${say('guess.phase.next', { n: place })}`
    return { text, to_ms: reveal_at_ms, is_over }
  }
  const busy = steps.find(({ draw, is_over: is_shown }) => !is_shown && !WAITING.has(draw.status))
  if (busy !== undefined) return told(busy.draw.status === 'settled' ? 'drawn' : busy.draw.status, null)
  const waiting = view.draws.find(({ status }) => WAITING.has(status))
  if (waiting === undefined) return told(view.phase, null)
  return { text: say('raffle.next_draw', { draw: waiting.name }), to_ms: waiting.draw_at_ms, is_over }
}

const WAITING = new Set(['scheduled', 'open', 'cancelled'])
