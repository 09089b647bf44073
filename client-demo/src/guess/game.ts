/** One player at one guess game: joins, guesses, keeps the receipts. Nothing here decides a result. */
import { keepCheckpoint } from '../shared/checkpoint.ts'
import {
  type Eligibility,
  type GameView,
  type GuessAnswer,
  type MyGuess,
  readEligibility,
  readGameAs,
} from '../shared/guess-api.ts'
import { connectGuess, type GuessView } from '../shared/guess-room.ts'
import type { Link } from '../shared/live.ts'
import { makeId } from '../shared/random.ts'
import { asRefusal, isPassing, type ServerRefusal } from '../shared/refusal.ts'
import { forgetGuest, guest } from '../shared/session.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { say } from '../strings.ts'

export type GuessState = {
  link: Link
  view: GuessView | null
  /** What the game says of itself: terms, reward, image. */
  game: GameView | null
  /** Which rules let this player in. */
  eligibility: Eligibility | null
  user_id: string | null
  token: string | null
  mine: MyGuess[]
  is_sending: boolean
  refusal: ServerRefusal | null
  said: string
}

export type GuessGame = {
  store: Store<GuessState>
  guess(value: number | null): Promise<void>
  say(text: string): void
  retryNow(): void
  leave(): void
}

type Pending = { request_id: string; value: number | null }
const pendingKey = (game_id: string) => `livedraw.guess.${game_id}`
const RECEIPTS = 'livedraw.receipts'

/** Receipts of this tab's guesses by submission. */
export function receiptsOf(): Record<string, string> {
  return JSON.parse(sessionStorage.getItem(RECEIPTS) ?? '{}') as Record<string, string>
}

function keepReceipts({ submission_id, receipt, bonus_entries }: GuessAnswer): void {
  const added = Object.fromEntries(bonus_entries.map((each) => [each.submission_id, each.receipt]))
  sessionStorage.setItem(RECEIPTS, JSON.stringify({ ...receiptsOf(), [submission_id]: receipt, ...added }))
}

export function makeGuessGame(tenant: string, game_id: string): GuessGame {
  const store = makeStore<GuessState>({
    link: { status: 'connecting' },
    view: null,
    game: null,
    eligibility: null,
    user_id: null,
    token: null,
    mine: [],
    is_sending: false,
    refusal: null,
    said: '',
  })
  const { get, set } = store

  const live = connectGuess({ game: game_id }, tokenOfGuest, {
    link(link) {
      if (link.status === 'refused' && link.refusal.code === 'unauthorized') forgetGuest()
      set({ link })
    },
    view(view) {
      const before = get().view?.phase
      set({ view })
      if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
      if (before === undefined || before === view.phase) return
      // The places on the list are fixed at the close, and the terms say how it ended.
      void readAll()
      if (view.phase === 'paused') set({ said: say('guess.phase.paused') })
      if (before === 'paused' && view.phase === 'open') set({ said: say('guess.said.resumed') })
      if (view.phase === 'closed' || view.phase === 'drawn') set({ said: say('guess.said.closed') })
      if (view.phase === 'cancelled') set({ said: say('guess.cancelled') })
    },
    ready: () => void begin(),
  })

  async function tokenOfGuest(): Promise<string> {
    const { token, user_id } = await guest(tenant)
    set({ token, user_id })
    return token
  }

  async function begin(): Promise<void> {
    const pending = sessionStorage.getItem(pendingKey(game_id))
    if (pending !== null) await send(JSON.parse(pending) as Pending)
    await readAll()
  }

  async function readAll(): Promise<void> {
    const { token } = get()
    if (token === null) return
    try {
      const [{ guesses }, game, eligibility] = await Promise.all([
        live.request<{ guesses: MyGuess[] }>('mine'),
        readGameAs(token, game_id),
        readEligibility(token, game_id),
      ])
      set({ mine: guesses, game, eligibility })
    } catch (error) {
      const refusal = asRefusal(error)
      if (!isPassing(refusal)) set({ refusal })
    }
  }

  async function send(pending: Pending): Promise<void> {
    // Kept before it is sent: a guess whose answer is lost is asked for again under its name.
    sessionStorage.setItem(pendingKey(game_id), JSON.stringify(pending))
    set({ is_sending: true, refusal: null, said: '' })
    try {
      const answer = await live.request<GuessAnswer>('guess', pending)
      sessionStorage.removeItem(pendingKey(game_id))
      keepReceipts(answer)
      set({
        is_sending: false,
        said:
          answer.value === null ? say('guess.said.entered') : say('guess.said.taken', { n: answer.value }),
      })
    } catch (error) {
      const refusal = asRefusal(error)
      if (!isPassing(refusal)) sessionStorage.removeItem(pendingKey(game_id))
      set({ is_sending: false, refusal })
    }
  }

  return {
    store,
    async guess(value) {
      if (get().is_sending) return
      await send({ request_id: makeId(), value })
      await readAll()
    },
    say: (said) => set({ said }),
    retryNow: live.retryNow,
    leave: live.leave,
  }
}
