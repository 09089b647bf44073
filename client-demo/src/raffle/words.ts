/** Sentences of the raffle that are made of more than one. */
import type { RaffleBoard } from '../shared/raffle-api.ts'
import type { RaffleView, RaffleWinner } from '../shared/raffle-room.ts'
import type { ServerRefusal } from '../shared/refusal.ts'
import { whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { type Money, moneyText } from '../shared/tenant.ts'
import { count, LANGUAGE, numberText, say, sayOr, whenText } from '../strings.ts'

/** More numbers than this are counted, not named. */
const NAMED_MAX = 12

/** "7, 12 and 31"; of many only how many there are. */
export function numbersText(numbers: readonly number[]): string {
  if (numbers.length > NAMED_MAX) return count('raffle.numbers', numbers.length)
  return new Intl.ListFormat(LANGUAGE, { type: 'conjunction' }).format(
    [...numbers].sort((a, b) => a - b).map(numberText),
  )
}

/** Why not, with what the server says about this case. */
export function whyNotText(refusal: ServerRefusal, money: Money): string {
  const { code, facts } = refusal
  const { numbers, tickets_left, per_user_max, has, missing_minor, opens_at } = facts as Record<string, any>
  if (code === 'number_taken' && Array.isArray(numbers))
    return count('raffle.why.taken', numbers.length, { numbers: numbersText(numbers) })
  if (code === 'sold_out' && tickets_left !== undefined)
    return tickets_left === 0 ? say('raffle.why.sold_out') : count('raffle.why.left', tickets_left)
  if (code === 'ticket_limit_reached' && per_user_max !== undefined)
    return say('raffle.why.limit', { n: per_user_max, has })
  if (code === 'insufficient_funds' && missing_minor !== undefined)
    return say('raffle.why.credit', { amount: moneyText(missing_minor, money) })
  if (code === 'raffle_not_open' && Date.parse(opens_at) > serverClock.now())
    return say('raffle.why.early', { when: whenText(Date.parse(opens_at), serverClock.now()) })
  return sayOr(`raffle.why.${code}`, whyText(refusal))
}

/** What a place of a draw wins; '' where that is not said. */
export function prizeName(board: RaffleBoard | null, draw_id: string, prize: string): string {
  const draw = board?.draws.find((each) => each.draw_id === draw_id)
  const prizes = draw?.config['prizes'] as { id: string; prizeId: number | null }[] | undefined
  const prize_id = prizes?.find(({ id }) => id === prize)?.prizeId
  return board?.prizes.find(({ id }) => id === prize_id)?.name ?? ''
}

/** "1 × 10% off, 2 × 5.00 off": what a draw gives. */
export function prizesText(board: RaffleBoard | null, draw_id: string): string {
  const draw = board?.draws.find((each) => each.draw_id === draw_id)
  const prizes = (draw?.config['prizes'] ?? []) as { id: string; qty: number }[]
  return prizes
    .map(({ id, qty }) =>
      say('raffle.prize', { n: qty, name: prizeName(board, draw_id, id) || say('raffle.some_prize') }),
    )
    .join(', ')
}

/** What a screen reader says of winners that are shown at one moment. */
export function winnersSaid(
  winners: readonly RaffleWinner[],
  view: RaffleView,
  mine: ReadonlySet<string>,
): string {
  const sentences = winners.map(({ draw_id, place, player, ticket_number, is_alternate }) => {
    const draw = view.draws.find((each) => each.draw_id === draw_id)?.name ?? ''
    const who = is_alternate ? 'alternate' : mine.has(ticket_number) ? 'mine' : 'winner'
    return say(`raffle.said.${who}`, { draw, place, player, n: ticket_number })
  })
  return sentences.join(' ')
}
