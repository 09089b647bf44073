/** One player at one raffle: follows it, picks, buys, holds, pays. Nothing here decides who gets a number or wins. */
import { keepCheckpoint } from '../shared/checkpoint.ts'
import type { Link } from '../shared/live.ts'
import {
  type Bought,
  claimPlace,
  giveUpHeld,
  holdTickets,
  type InstantWins,
  type OwnTicket,
  payHeld,
  type RaffleBoard,
  readBoard,
  readCredit,
  readInstantWins,
  readNumbers,
  readTickets,
  takeDemoCredit,
  type Wish,
} from '../shared/raffle-api.ts'
import { connectRaffle, lifeOf, type Moved, type RaffleView } from '../shared/raffle-room.ts'
import { makeId, randomHex } from '../shared/random.ts'
import { asRefusal, isPassing, ServerRefusal } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { forgetGuest, guest } from '../shared/session.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { readTenant } from '../shared/tenant.ts'
import { count, say } from '../strings.ts'
import { numbersText } from './words.ts'

/** Numbers on one page of the wall. */
export const PAGE_SIZE = 100
/** The server takes no more at once. */
export const PICK_MAX = 100

export type Mark = 'gone' | 'held'
export type Held = {
  purchase_id: string
  numbers: string[]
  amount_minor: number
  from_ms: number
  to_ms: number
}

export type RaffleUser = {
  link: Link
  view: RaffleView | null
  board: RaffleBoard | null
  token: string | null
  /** Digits behind the point of the tenant's money. */
  decimals: number
  /** What the player can spend, in minor units; null until it is known. */
  credit_minor: number | null
  tickets: OwnTicket[]
  tickets_next: string | null
  instant: InstantWins | null
  /** The first number of the page of the wall that is looked at, and what is known of its numbers. */
  from: number
  marks: ReadonlyMap<number, Mark> | null
  picked: number[]
  quantity: number
  held: Held | null
  is_sending: boolean
  refusal: ServerRefusal | null
  /** What happened last, for the eye; `said` is for the ear. */
  notice: string
  said: string
}

export type RafflePlay = {
  store: Store<RaffleUser>
  /** Looks at the page of the wall that begins here. */
  look(from: number): void
  toggle(number: number): void
  unpick(): void
  setQuantity(quantity: number): void
  buy(): Promise<void>
  hold(): Promise<void>
  pay(): Promise<void>
  giveUp(): Promise<void>
  /** The time of what is held is over. */
  lapse(): void
  claim(draw_id: string): Promise<void>
  moreTickets(): Promise<void>
  say(text: string): void
  retryNow(): void
  leave(): void
}

type Pending = { request_id: string; client_entropy: string } & Wish
type KeptHold = { key: string; wish: Wish; from_ms: number; held?: Held }

export function makeRafflePlay(tenant: string, ref: string): RafflePlay {
  const store = makeStore<RaffleUser>({
    link: { status: 'connecting' },
    view: null,
    board: null,
    token: null,
    decimals: 2,
    credit_minor: null,
    tickets: [],
    tickets_next: null,
    instant: null,
    from: 1,
    marks: null,
    picked: [],
    quantity: 1,
    held: null,
    is_sending: false,
    refusal: null,
    notice: '',
    said: '',
  })
  const { get, set } = store
  const pendingKey = `livedraw.raffle.${tenant}.${ref}`
  const holdKey = `livedraw.hold.${tenant}.${ref}`

  const own_wins = new Set<string>()

  const live = connectRaffle({ game: ref }, tokenOfGuest, {
    link(link) {
      if (link.status === 'refused' && link.refusal.code === 'unauthorized') forgetGuest()
      set({ link })
    },
    view(view) {
      const before = get().view
      set({ view })
      if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
      if (before === null || lifeOf(before) === lifeOf(view)) return
      void readBoardAgain()
      void readOwn()
      if (before.phase === 'open' && view.phase !== 'open')
        set({ picked: [], held: null, notice: '', refusal: null, said: say('raffle.said.closed') })
      if (view.phase === 'cancelled') set({ said: say('raffle.cancelled') })
    },
    moved,
    instant: ({ player, ticket_number }) => {
      // The own win is said with the ticket that it came with.
      if (!own_wins.has(ticket_number))
        set({ notice: say('raffle.instant.notice', { player, n: ticket_number }) })
      void readInstant()
    },
    ready: () => void begin(),
  })

  async function tokenOfGuest(): Promise<string> {
    const { token } = await guest(tenant)
    set({ token })
    return token
  }

  /** Runs something that is read; a failure is shown unless it passes by itself. */
  async function reading(work: (token: string) => Promise<void>): Promise<void> {
    const { token } = get()
    if (token === null) return
    try {
      await work(token)
    } catch (error) {
      const refusal = asRefusal(error)
      if (!isPassing(refusal)) set({ refusal })
    }
  }

  const readBoardAgain = () => reading(async (token) => set({ board: await readBoard(tenant, ref, token) }))
  const readInstant = () => reading(async (token) => set({ instant: await readInstantWins(token, ref) }))
  /** What moved while the wall is read, which the answer may not know yet. */
  let meanwhile: Moved[] = []
  const readWall = () =>
    reading(async (token) => {
      const { from, view } = get()
      meanwhile = []
      const window = await readNumbers(token, ref, from, Math.min(view!.total, from + PAGE_SIZE - 1))
      if (window.from !== get().from) return
      set({ marks: new Map() })
      for (const moves of [{ ...window, back: [] }, ...meanwhile]) mark(moves)
      dropTaken()
    })
  /** The newest tickets and the credit; older ones that were read stay. */
  const readOwn = () =>
    reading(async (token) => {
      const [page, credit_minor] = await Promise.all([
        readTickets(token, ref),
        readCredit(token, get().view!.currency),
      ])
      const fresh = new Set(page.data.map(({ ticket_id }) => ticket_id))
      const older = get().tickets.filter(({ ticket_id }) => !fresh.has(ticket_id))
      const { tickets_next } = get()
      set({
        tickets: [...page.data, ...older],
        tickets_next: older.length > 0 ? tickets_next : page.next_cursor,
        credit_minor,
      })
    })

  async function begin(): Promise<void> {
    await Promise.all([readBoardAgain(), readWall(), welcome().then(readOwn)])
    if (get().view!.instant_hash !== '') void readInstant()
    await resume()
  }

  /** Whose money it is. A demo gives its guests something to buy with. */
  const welcome = () =>
    reading(async (token) => {
      if (get().credit_minor !== null) return
      const { is_demo, decimals } = await readTenant(token)
      set({ decimals })
      if (is_demo) await takeDemoCredit(token)
    })

  /** What was sent, or is held, when the page was left or the line was lost. */
  async function resume(): Promise<void> {
    const pending = sessionStorage.getItem(pendingKey)
    if (pending !== null) await send(JSON.parse(pending) as Pending)
    const text = sessionStorage.getItem(holdKey)
    if (text === null) return
    const kept = JSON.parse(text) as KeptHold
    if (kept.held === undefined) await sendHold(kept)
    else if (kept.held.to_ms > serverClock.now()) set({ held: kept.held })
    else sessionStorage.removeItem(holdKey)
  }

  function moved(moves: Moved): void {
    meanwhile.push(moves)
    mark(moves)
    dropTaken()
  }

  function mark({ gone, held, back }: Moved): void {
    const marks = new Map(get().marks)
    for (const number of back) marks.delete(number)
    for (const number of held) marks.set(number, 'held')
    for (const number of gone) marks.set(number, 'gone')
    set({ marks })
  }

  /** A number that somebody else got is picked no more, and that is said at once. */
  function dropTaken(): void {
    const { picked, marks, is_sending } = get()
    const taken = picked.filter((number) => marks?.has(number))
    // What is being sent may be our own: the answer tells.
    if (taken.length === 0 || is_sending) return
    const text = count('raffle.just_taken', taken.length, { numbers: numbersText(taken) })
    set({ picked: picked.filter((number) => !taken.includes(number)), notice: text, said: text })
  }

  /** Waits for an answer. Answers undefined, and shows why, when it was refused. */
  async function sending<T>(work: () => Promise<T>): Promise<T | ServerRefusal> {
    set({ is_sending: true, refusal: null, notice: '', said: '' })
    try {
      return await work()
    } catch (error) {
      return asRefusal(error)
    } finally {
      set({ is_sending: false })
    }
  }

  function refused(refusal: ServerRefusal): void {
    const numbers = refusal.facts['numbers']
    const taken = refusal.code === 'number_taken' && Array.isArray(numbers) ? (numbers as number[]) : []
    set({ refusal, picked: get().picked.filter((number) => !taken.includes(number)) })
    if (taken.length > 0) void readWall()
  }

  async function send(pending: Pending): Promise<void> {
    // Kept before it is sent: a purchase whose answer is lost is asked for again under its name.
    sessionStorage.setItem(pendingKey, JSON.stringify(pending))
    const answer = await sending(() => live.request<Bought>('buy', pending))
    if (answer instanceof ServerRefusal) {
      if (!isPassing(answer)) sessionStorage.removeItem(pendingKey)
      return refused(answer)
    }
    sessionStorage.removeItem(pendingKey)
    bought(answer)
  }

  function bought({ numbers, instant_wins }: Bought): void {
    for (const { ticket_number } of instant_wins) own_wins.add(ticket_number)
    const text =
      count('raffle.bought', numbers.length, { numbers: numbersText(numbers.map(Number)) }) +
      instant_wins.map(({ ticket_number }) => ` ${say('raffle.instant.mine', { n: ticket_number })}`).join('')
    set({ picked: [], held: null, notice: text, said: text })
    void readOwn()
  }

  async function sendHold(kept: KeptHold): Promise<void> {
    sessionStorage.setItem(holdKey, JSON.stringify(kept))
    const answer = await sending(() => holdTickets(get().token!, ref, kept.wish, kept.key))
    if (answer instanceof ServerRefusal) {
      if (!isPassing(answer)) sessionStorage.removeItem(holdKey)
      return refused(answer)
    }
    const held: Held = {
      purchase_id: answer.purchase_id,
      numbers: answer.numbers,
      amount_minor: answer.amount_minor,
      from_ms: kept.from_ms,
      to_ms: Date.parse(answer.reserved_until!),
    }
    sessionStorage.setItem(holdKey, JSON.stringify({ ...kept, held }))
    set({
      picked: [],
      held,
      said: say('raffle.said.held', { numbers: numbersText(held.numbers.map(Number)) }),
    })
  }

  const wish = (): Wish => {
    const { picked, quantity } = get()
    return picked.length > 0 ? { numbers: [...picked].sort((a, b) => a - b) } : { quantity }
  }

  function endHold(notice: string): void {
    sessionStorage.removeItem(holdKey)
    set({ held: null, notice, said: notice })
  }

  return {
    store,
    look(from) {
      set({ from, marks: null })
      void readWall()
    },
    toggle(number) {
      const { picked, marks } = get()
      if (picked.includes(number))
        return set({ picked: picked.filter((each) => each !== number), notice: '' })
      const text = marks?.has(number) ? say('raffle.taken', { n: number }) : ''
      if (text !== '') return set({ notice: text, said: text })
      if (picked.length < PICK_MAX) set({ picked: [...picked, number], notice: '', refusal: null })
    },
    unpick: () => set({ picked: [], notice: '' }),
    setQuantity: (quantity) => set({ quantity: Math.min(PICK_MAX, Math.max(1, quantity)) }),
    async buy() {
      if (get().is_sending) return
      await send({ request_id: makeId(), client_entropy: randomHex(16), ...wish() })
    },
    async hold() {
      if (get().is_sending) return
      await sendHold({ key: makeId(), wish: wish(), from_ms: serverClock.now() })
    },
    async pay() {
      const { held, token, is_sending } = get()
      if (held === null || is_sending) return
      const answer = await sending(() => payHeld(token!, held.purchase_id))
      if (!(answer instanceof ServerRefusal)) {
        sessionStorage.removeItem(holdKey)
        return bought(answer)
      }
      set({ refusal: answer })
      if (answer.code === 'reservation_over') endHold('')
    },
    async giveUp() {
      const { held, token, is_sending } = get()
      if (held === null || is_sending) return
      const answer = await sending(() => giveUpHeld(token!, held.purchase_id))
      if (answer instanceof ServerRefusal && answer.code !== 'reservation_over')
        return set({ refusal: answer })
      endHold(say('raffle.given_up'))
    },
    lapse() {
      if (get().held !== null) endHold(say('raffle.lapsed'))
    },
    async claim(draw_id) {
      if (get().is_sending) return
      const answer = await sending(() => claimPlace(get().token!, draw_id))
      if (answer instanceof ServerRefusal) set({ refusal: answer })
      else set({ said: say('raffle.claimed') })
    },
    moreTickets: () =>
      reading(async (token) => {
        const { tickets, tickets_next } = get()
        const page = await readTickets(token, ref, tickets_next)
        set({ tickets: [...tickets, ...page.data], tickets_next: page.next_cursor })
      }),
    say: (said) => set({ said }),
    retryNow: live.retryNow,
    leave: live.leave,
  }
}
