/** Which numbers a sale gets: those that were picked, those that came back, then the next of a range. */
import { hash } from 'node:crypto'
import type { Tx } from '../../db/tx.ts'
import { type NumberRange, permuted } from './rules.ts'
import { type CampaignRow, loadTakenNumbers } from './store.ts'

/** Candidates that are looked at together: the first time, and after doubling with each look. */
const CHUNK = { first: 64, most: 1_024 }

type Numbering = 'sequential' | 'random'

/** The numbers of one raffle during one transaction, under the lock of its row. */
export class NumberPool {
  readonly #tx: Tx
  readonly #campaign: CampaignRow
  readonly #ranges: readonly NumberRange[]
  /** Known to be given out or held, by whom if held. */
  readonly #taken = new Map<number, string | null>()
  readonly #known = new Set<number>()
  /** Given back in this transaction, or by reservations that ended. */
  readonly #freed: number[] = []
  #chunk = CHUNK.first
  readonly cursors: Record<string, number>

  constructor(tx: Tx, campaign: CampaignRow, ranges: readonly NumberRange[]) {
    this.#tx = tx
    this.#campaign = campaign
    this.#ranges = ranges
    this.cursors = { ...campaign.number_cursors }
  }

  /** Reads what is known of numbers, once for each. */
  async look(numbers: readonly number[]): Promise<void> {
    const unknown = numbers.filter((number) => !this.#known.has(number))
    if (unknown.length === 0) return
    for (const number of unknown) this.#known.add(number)
    const rows = await loadTakenNumbers(this.#tx, this.#campaign.id, unknown)
    for (const { number, purchase_id } of rows) this.#taken.set(number, purchase_id)
  }

  /** Of these numbers, which were looked at: those that somebody else has. */
  takenBySomebodyElse(numbers: readonly number[], purchase_id: string): number[] {
    return numbers.filter((number) => this.#taken.has(number) && this.#taken.get(number) !== purchase_id)
  }

  take(numbers: readonly number[], purchase_id: string): void {
    for (const number of numbers) this.#taken.set(number, purchase_id)
  }

  giveBack(numbers: readonly number[]): void {
    for (const number of numbers) {
      this.#taken.delete(number)
      this.#known.add(number)
      this.#freed.push(number)
    }
  }

  rangeOf(channel: string): NumberRange | undefined {
    return this.#ranges.find((range) => range.channel === channel)
  }

  /** So many free numbers of a channel, or undefined when it has not as many left. They are taken. */
  async next(
    channel: string,
    numbering: Numbering,
    count: number,
    purchase_id: string,
  ): Promise<number[] | undefined> {
    const range = this.rangeOf(channel)
    if (range === undefined) return undefined
    const found: number[] = []
    const keep = (number: number) => {
      if (found.length >= count || this.#taken.has(number)) return
      this.#taken.set(number, purchase_id)
      found.push(number)
    }
    for (const number of this.#freedOf(range)) keep(number)
    const key = `${channel}:${numbering}`
    const size = range.last - range.first + 1
    let cursor = this.cursors[key] ?? 0
    while (found.length < count && cursor < size) {
      const number = this.#numberAt(range, numbering, cursor)
      if (!this.#known.has(number)) await this.#lookAhead(range, numbering, cursor)
      cursor++
      keep(number)
    }
    this.cursors[key] = cursor
    // Behind every cursor there may be numbers that came back in earlier transactions.
    if (found.length < count) for (const number of await this.#leftBehind(range)) keep(number)
    if (found.length === count) return found
    this.giveBack(found)
    return undefined
  }

  /** Looks at the candidates from a cursor on, once for all members of a batch who come to them. */
  async #lookAhead(range: NumberRange, numbering: Numbering, cursor: number): Promise<void> {
    const count = Math.min(this.#chunk, range.last - range.first + 1 - cursor)
    this.#chunk = Math.min(2 * this.#chunk, CHUNK.most)
    await this.look(Array.from({ length: count }, (_, i) => this.#numberAt(range, numbering, cursor + i)))
  }

  #freedOf({ first, last }: NumberRange): number[] {
    return this.#freed.filter((number) => number >= first && number <= last && !this.#taken.has(number))
  }

  /** The whole range once more, a part at a time: only when its cursor has come to the end. */
  async #leftBehind({ first, last }: NumberRange): Promise<number[]> {
    const free: number[] = []
    for (let from = first; from <= last; from += 5_000) {
      const part = Array.from({ length: Math.min(5_000, last - from + 1) }, (_, i) => from + i)
      await this.look(part)
      free.push(...part.filter((number) => !this.#taken.has(number)))
      if (free.length >= 1_000) break
    }
    return free
  }

  #numberAt({ first, last }: NumberRange, numbering: Numbering, index: number): number {
    if (numbering === 'sequential') return first + index
    const key = this.#campaign.number_key!
    const mix = (round: number, half: number) =>
      Number.parseInt(hash('sha256', `${key}|${first}|${round}|${half}`, 'hex').slice(0, 8), 16) >>> 1
    return first + permuted(index, last - first + 1, mix)
  }
}
