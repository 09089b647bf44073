/** What holds of a raffle after a storm of buyers: requests, tickets, numbers, list and money are one story. Pure. */
import { Box, type Finding } from './check.ts'
import { type Asked, checkDraw, type DrawEvidence, type DrawTruth, keyOf } from './draw-check.ts'

export type RaffleTruth = DrawTruth & {
  total_tickets: number
  sold_tickets: number
  ticket_price: number
  /** `request_id` as the client sent it, `answer` as it is stored. */
  purchases: (Asked & { id: string; quantity: number; amount_minor: number; answer: string })[]
  tickets: { id: string; user_id: string; ticket_number: string; purchase_id: string }[]
  /** What stands behind the leaves of the list, in order. */
  entries: { entry_index: number; ref_id: string }[]
  /** Credit that each player was given before, and has now. */
  credit: { user_id: string; before_minor: number; after_minor: number }[]
  /** What went into the pool of the raffle, and from it to the tenant when all was over. */
  pool: { in_minor: number; out_minor: number; balance_minor: number }
}

/** Compares what buyers and spectators were told with what is committed. */
export function checkRaffle(evidence: DrawEvidence, truth: RaffleTruth): Finding[] {
  return [
    repliesAreRows(evidence, truth),
    nothingLost(evidence, truth),
    soldIsTickets(evidence, truth),
    numbersAreUnique(truth),
    soldOut(evidence, truth),
    moneyMoved(truth),
    ...checkDraw(evidence, truth, { alternates: true }),
  ]
}

function repliesAreRows({ replies }: DrawEvidence, { purchases }: RaffleTruth): Finding {
  const box = new Box('replies = committed purchases')
  const rows = new Map(purchases.map((row) => [row.id, row]))
  for (const reply of replies) {
    const row = rows.get(reply.answer['purchase_id'])
    box.see(
      row === undefined
        ? `${keyOf(reply)} was told a purchase that is no row`
        : keyOf(row) !== keyOf(reply)
          ? `${keyOf(reply)} was told the purchase of ${keyOf(row)}`
          : JSON.stringify(reply.answer) !== row.answer
            ? `${keyOf(reply)} was told something else than its row says`
            : null,
    )
  }
  return box.finding
}

/** Each request that was let in is one purchase, and each purchase was asked for. */
function nothingLost({ replies, unanswered }: DrawEvidence, { purchases }: RaffleTruth): Finding {
  const box = new Box('nothing lost, nothing doubled')
  const asked = new Set(replies.map(keyOf))
  const counts = new Map<string, number>()
  for (const row of purchases) counts.set(keyOf(row), (counts.get(keyOf(row)) ?? 0) + 1)
  for (const key of asked)
    box.compare(counts.get(key) === 1, `${key} became ${counts.get(key) ?? 0} purchases`)
  for (const key of counts.keys())
    if (!asked.has(key)) box.fault(`${key} is committed and was told to nobody`)
  for (const each of unanswered) box.fault(`${keyOf(each)} was never answered`)
  return box.finding
}

function soldIsTickets({ states }: DrawEvidence, truth: RaffleTruth): Finding {
  const box = new Box('sold = tickets = purchases = the sealed list')
  const { sold_tickets, total_tickets, tickets, purchases, entries, entry_count } = truth
  const bought = purchases.reduce((sum, { quantity }) => sum + quantity, 0)
  for (const [what, count] of Object.entries({ tickets: tickets.length, bought, entry_count }))
    box.compare(count === sold_tickets, `${sold_tickets} are counted as sold and ${what} is ${count}`)
  box.compare(sold_tickets <= total_tickets, `${sold_tickets} of ${total_tickets} tickets were sold`)
  const ids = new Set(tickets.map(({ id }) => id))
  for (const [i, { entry_index, ref_id }] of entries.entries()) {
    box.compare(entry_index === i && ids.delete(ref_id), `entry ${entry_index} is not one ticket of its own`)
  }
  if (ids.size > 0) box.fault(`${ids.size} tickets are not on the list`)
  for (const { sold } of states)
    box.compare(sold === sold_tickets, `a client ended with ${sold} sold and not ${sold_tickets}`)
  return box.finding
}

function numbersAreUnique({ tickets, total_tickets }: RaffleTruth): Finding {
  const box = new Box('numbers are unique and exist')
  const seen = new Set<string>()
  for (const { ticket_number } of tickets) {
    const number = Number(ticket_number)
    const is_there = Number.isInteger(number) && number >= 1 && number <= total_tickets
    box.compare(is_there && !seen.has(ticket_number), `number ${ticket_number} was given out wrongly`)
    seen.add(ticket_number)
  }
  return box.finding
}

/** The run wants more than there is. Tickets do not come back, so what was refused then cannot be had at the end either. */
function soldOut({ refused }: DrawEvidence, truth: RaffleTruth): Finding {
  const box = new Box('it sold out, and whoever was refused a ticket could not have it')
  const { sold_tickets, total_tickets, tickets } = truth
  box.compare(sold_tickets === total_tickets, `${sold_tickets} of ${total_tickets} tickets were sold`)
  const gone = new Set(tickets.map(({ ticket_number }) => Number(ticket_number)))
  for (const { code, asked, ...who } of refused) {
    const count = asked.numbers?.length ?? asked.quantity ?? 0
    if (code === 'sold_out')
      box.compare(
        count > total_tickets - sold_tickets,
        `${keyOf(who)} was told sold_out and ${total_tickets - sold_tickets} are left`,
      )
    if (code === 'number_taken')
      box.compare(
        asked.numbers?.some((number) => gone.has(number)) === true,
        `${keyOf(who)} was told number_taken and has asked for ${asked.numbers}, which nobody has`,
      )
  }
  return box.finding
}

function moneyMoved({ purchases, ticket_price, credit, pool }: RaffleTruth): Finding {
  const box = new Box('money moved = tickets paid for')
  const paid = new Map<string, number>()
  for (const { id, user_id, quantity, amount_minor } of purchases) {
    box.compare(amount_minor === quantity * ticket_price, `purchase ${id} cost ${amount_minor}`)
    paid.set(user_id, (paid.get(user_id) ?? 0) + amount_minor)
  }
  for (const { user_id, before_minor, after_minor } of credit) {
    const spent = paid.get(user_id) ?? 0
    paid.delete(user_id)
    box.compare(
      before_minor - after_minor === spent,
      `${user_id} had ${before_minor}, paid ${spent} and has ${after_minor}`,
    )
  }
  for (const user_id of paid.keys()) box.fault(`${user_id} bought tickets and has no account`)
  const total = purchases.reduce((sum, { amount_minor }) => sum + amount_minor, 0)
  box.compare(pool.in_minor === total, `${total} was paid and ${pool.in_minor} came into the pool`)
  box.compare(
    pool.out_minor === total && pool.balance_minor === 0,
    `of ${total} the tenant got ${pool.out_minor}, and ${pool.balance_minor} is left`,
  )
  return box.finding
}
