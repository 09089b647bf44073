/** The draws of a raffle: when, what for, and who won, in step on every screen. */
import { drawAddress, verifyDrawAddress } from '../shared/guess-api.ts'
import type { RaffleBoard } from '../shared/raffle-api.ts'
import type { DrawStep } from '../shared/raffle-room.ts'
import { Countdown } from '../shared/ui.tsx'
import { count, say, sayOr } from '../strings.ts'
import { prizeName, prizesText } from './words.ts'

type Parts = {
  steps: DrawStep[]
  board: RaffleBoard | null
  /** Numbers of the reader's tickets. */
  mine: ReadonlySet<string>
}

export function Draws({ steps, board, mine }: Parts) {
  return (
    <ol class="raffle-draws">
      {steps.map((step) => (
        <li key={step.draw.draw_id} class="raffle-draw">
          <div class="raffle-draw-head">
            <h3>{step.draw.name}</h3>
            <p class="meta">
              {step.draw.status === 'scheduled' || step.draw.status === 'open' ? (
                <span>
                  {say('raffle.draws_in')} <Countdown to_ms={step.draw.draw_at_ms} />
                </span>
              ) : (
                <>
                  {step.draw.entries_root !== '' && <span>{count('raffle.entries', step.draw.entries)}</span>}
                  <span class={`pill pill-${step.draw.status === 'drawn' ? 'live' : 'quiet'}`}>
                    {sayOr(`raffle.draw.${step.is_over ? 'settled' : heldBack(step)}`, step.draw.status)}
                  </span>
                </>
              )}
            </p>
          </div>
          {step.draw.redraw_of !== '' && <p class="fine">{say('raffle.redraw')}</p>}
          {step.draw.status === 'cancelled' ? (
            <p class="why">{cancelText(board, step.draw.draw_id, step.draw.cancel_reason)}</p>
          ) : (
            <>
              <p class="fine">{prizesText(board, step.draw.draw_id)}</p>
              <RaffleWinners step={step} board={board} mine={mine} />
            </>
          )}
          <p class="row">
            <a class="chip" href={drawAddress(step.draw.draw_id)}>
              {say('guess.draw_page')}
            </a>
            {step.is_over && (
              <a class="chip" href={verifyDrawAddress(step.draw.draw_id)}>
                {say('result.fair')}
              </a>
            )}
          </p>
        </li>
      ))}
    </ol>
  )
}

/** A draw that the room calls settled is still being shown until its last winner was. */
const heldBack = ({ draw }: DrawStep) => (draw.status === 'settled' ? 'drawn' : draw.status)

function cancelText(board: RaffleBoard | null, draw_id: string, reason: string): string {
  const says = board?.draws.find((each) => each.draw_id === draw_id)?.cancelled?.says
  return says ?? sayOr(`guess.cancel.${reason}`, say('raffle.cancelled'))
}

/** Every place of a draw: who stands there and with which ticket, or that it is still to be shown. */
export function RaffleWinners({ step, board, mine }: { step: DrawStep } & Omit<Parts, 'steps'>) {
  const { reveals, winners, next, draw } = step
  const places = [...new Set([...reveals, ...winners].map(({ place }) => place))].sort((a, b) => a - b)
  if (places.length === 0) return null
  return (
    <ol class="places" aria-label={say('raffle.winners', { draw: draw.name })}>
      {places.map((place) => {
        const winner = winners.find((each) => each.place === place)
        const is_mine = winner !== undefined && mine.has(winner.ticket_number)
        const kind = winner === undefined ? '' : is_mine ? 'is-shown is-mine' : 'is-shown'
        return (
          <li
            key={place}
            class={`place ${kind} ${winner?.is_alternate ? 'is-alternate' : ''} ${next?.place === place ? 'is-next' : ''}`}
          >
            <span class="place-no">{place}</span>
            <span class="place-who">
              {winner === undefined ? (
                next?.place === place ? (
                  <Countdown to_ms={next.reveal_at_ms} />
                ) : (
                  say('guess.hidden')
                )
              ) : (
                <>
                  {winner.player}
                  <span class="fine">
                    {winner.is_alternate
                      ? say('draw.alternate')
                      : prizeName(board, draw.draw_id, winner.prize) || say('raffle.some_prize')}
                    {winnerNote(winner.status)}
                  </span>
                </>
              )}
            </span>
            <span class="place-guess">{winner && <TicketNo number={winner.ticket_number} />}</span>
          </li>
        )
      })}
    </ol>
  )
}

/** What became of a win, where that is more than that it was shown. */
function winnerNote(status: string): string {
  const text = sayOr(`raffle.winner.${status}`, '')
  return text === '' ? '' : ` · ${text}`
}

export function TicketNo({ number }: { number: string }) {
  return (
    <span class="ticket-no">
      <span class="sr-only">{say('raffle.ticket')} </span>
      {number}
    </span>
  )
}
