/** The player's own tickets, each with what became of it and the way to its proof. */
import { drawAddress } from '../shared/guess-api.ts'
import type { OwnTicket } from '../shared/raffle-api.ts'
import { CopyButton } from '../shared/ui.tsx'
import { say, sayOr } from '../strings.ts'
import { TicketNo } from './draws-panel.tsx'
import type { RafflePlay, RaffleUser } from './raffle.ts'

export function Tickets({ play, state }: { play: RafflePlay; state: RaffleUser }) {
  const { tickets, tickets_next, view, credit_minor } = state
  if (tickets.length === 0)
    return <p class="empty">{say(credit_minor === null ? 'app.loading' : 'raffle.no_tickets')}</p>
  const in_line = new Set(
    view!.winners.filter((each) => each.is_alternate).map(({ ticket_number }) => ticket_number),
  )
  /** A raffle that is over has rows to mark one by one; nobody has to wait for that. */
  const becameOf = ({ status, ticket_number }: OwnTicket): string => {
    if (status !== 'active' || view!.phase !== 'settled') return status
    return in_line.has(ticket_number) ? 'alternate' : 'lost'
  }
  const is_sealed = view!.draws.some(({ entries_root }) => entries_root !== '')
  return (
    <>
      <p class="fine">{say(is_sealed ? 'raffle.proof_now' : 'raffle.proof_later')}</p>
      <ul class="my-tickets" aria-label={say('raffle.mine')}>
        {tickets.map((ticket) => (
          <li key={ticket.ticket_id}>
            <TicketNo number={ticket.ticket_number} />
            <span class="my-ticket-text">
              <span class={`tag tag-${becameOf(ticket)}`}>
                {sayOr(`raffle.status.${becameOf(ticket)}`, ticket.status)}
              </span>
              <span class="fine">
                {ticket.entry_index === null
                  ? say('raffle.on_list_once')
                  : say('guess.entry', { n: ticket.entry_index })}
                {ticket.via === 'paid' ? '' : ` · ${say('raffle.given')}`}
              </span>
            </span>
            <span class="my-guess-doors">
              {ticket.receipt !== null && <CopyButton text={ticket.receipt} label={say('guess.receipt')} />}
              {is_sealed && ticket.entry_index !== null && (
                <a
                  class="chip"
                  href={`${drawAddress(ticket.draw_id)}&entry=${ticket.entry_index}`}
                  aria-label={say('raffle.prove', { n: ticket.ticket_number })}
                >
                  {say('raffle.proof')}
                </a>
              )}
            </span>
          </li>
        ))}
      </ul>
      {tickets_next !== null && (
        <button type="button" class="button more" onClick={() => void play.moreTickets()}>
          {say('prizes.more')}
        </button>
      )}
    </>
  )
}
