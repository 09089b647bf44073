/**
 * One player at one wheel: joins, takes the visit's spins, brings an own seed, spins, follows the shared rounds.
 * Everything shown comes from here; nothing here decides a result.
 */
import {
  API,
  ask,
  type Chances,
  type Commitment,
  type Guest,
  type Page,
  type Rotated,
  type SeedPair,
  type SpinRow,
  type Visit,
} from '../shared/api.ts'
import { keepCheckpoint } from '../shared/checkpoint.ts'
import type { Link, Live } from '../shared/live.ts'
import { makeId, randomHex } from '../shared/random.ts'
import { asRefusal, isPassing, type ServerRefusal, whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { forgetGuest, guest } from '../shared/session.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { prefersStill } from '../shared/wheel.tsx'
import {
  connectWheel,
  type Landing,
  landingOf,
  type RecentSpin,
  type WheelView,
} from '../shared/wheel-room.ts'
import { count, say } from '../strings.ts'

type SpinAnswer = {
  spin_id: string
  nonce: number
  reward_slug: string
  segment: number
  won: boolean
  play_id: string | number
  prize_status: string | null
  chances_left: number
  landing: { starts_at: string; duration_ms: number; angle: number }
  commit_hash: string
  award?: { status: 'won' | 'lost' | 'substituted' | 'exhausted'; reward_slug: string | null }
}

export type Result = {
  spin_id: string
  nonce: number
  won: boolean
  /** What the player got; for a substitute not what the wheel stopped on. */
  name: string
  rolled: string
  award: 'won' | 'lost' | 'substituted' | 'exhausted'
  prize_status: string | null
}
export type MySpin = {
  spin_id: string
  nonce: number
  name: string
  won: boolean
  commit_hash: string
  revealed: boolean
}
export type Revealed = { commit_hash: string; server_seed: string; spins: number; doc: unknown }
export type RoundResult = { round_id: string; round_no: number; segment: number; name: string }

export type GameState = {
  link: Link
  view: WheelView | null
  feed: RecentSpin[]
  guest: Guest | null
  chances: Chances | null
  awarded: number
  /** idle: may spin. waiting: sent, no answer yet. turning: answered, the wheel has not stopped. */
  spin: 'idle' | 'waiting' | 'turning'
  /** The answer is late: the spin is sent again by itself. */
  is_overdue: boolean
  is_round_turning: boolean
  landing: Landing | null
  highlighted: number | null
  result: Result | null
  round_result: RoundResult | null
  joined: { round_id: string; entry_index: number } | null
  why: string | null
  said: string
  my_spins: MySpin[]
  pair: SeedPair | null
  pair_refusal: ServerRefusal | null
  revealed: Revealed[]
  is_rotating: boolean
  /** Grows with every prize, so that lists know to read again. */
  prize_version: number
}

export type Game = {
  store: Store<GameState>
  spin(): Promise<void>
  joinRound(): Promise<void>
  /** Rotates with the player's own seed, or with one made here. Rejects with ServerRefusal. */
  rotate(client_seed?: string): Promise<void>
  retryNow(): void
  leave(): void
}

/** What is sent again must be the same request, also after a reload: it is stored before it is sent. */
type PendingSpin = { wheel: string; user_id: string; request_id: string; client_entropy: string }
const PENDING_KEY = 'livedraw.pending-spin'
const RESEND_MS = 2_000
const SEED_WAIT_MS_MAX = 3_000
/** What the list of own spins shows; a wallet page will show all. */
const SPINS_SHOWN_MAX = 50

const readJson = <T>(key: string, otherwise: T): T => {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? 'null') ?? otherwise
  } catch {
    return otherwise
  }
}

export function makeGame(tenant: string, wheel: string): Game {
  const store = makeStore<GameState>({
    link: { status: 'connecting' },
    view: null,
    feed: [],
    guest: null,
    chances: null,
    awarded: 0,
    spin: 'idle',
    is_overdue: false,
    is_round_turning: false,
    landing: null,
    highlighted: null,
    result: null,
    round_result: null,
    joined: null,
    why: null,
    said: '',
    my_spins: [],
    pair: null,
    pair_refusal: null,
    revealed: [],
    is_rotating: false,
    prize_version: 0,
  })
  const { get, set } = store
  /** Results of our own that are known here and not shown yet: the list must not tell before the wheel does. */
  const held = new Set<string>()
  let has_visited = false
  let own_seed: Promise<void> | undefined
  let resend_timer: ReturnType<typeof setTimeout> | undefined
  let round_seen = ''

  const live: Live = connectWheel(
    { game: wheel },
    async () => {
      const me = await guest(tenant)
      set({ guest: me })
      return me.token
    },
    { link: onLink, view: onView, ready: () => void onReady() },
  )

  const token = () => get().guest?.token
  const nameOf = (segment: number) => get().view?.segments[segment]?.label ?? ''
  const nameOfSlug = (slug: string | null | undefined) =>
    get().view?.segments.find((each) => each.slug === slug)?.label

  function onLink(link: Link) {
    if (link.status === 'refused' && link.refusal.code === 'unauthorized') forgetGuest()
    const was_lost = get().link.status === 'retrying'
    set({ link, ...(link.status === 'live' && was_lost && { said: say('link.resumed') }) })
  }

  function onView(view: WheelView) {
    const odds_changed = configKey(view) !== configKey(get().view)
    set({ view })
    showFeed()
    if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
    if (odds_changed && get().pair !== null) bringOwnSeed()
    followRound(view)
  }

  const configKey = (view: WheelView | null) =>
    view?.segments.map(({ slug, weight }) => `${slug}:${weight}`).join()

  function showFeed() {
    const { view, spin } = get()
    // While the answer is under way our own result may be in the list, and we cannot tell which one it is.
    if (view === null || spin === 'waiting') return
    set({ feed: view.recent.filter(({ spin_id }) => !held.has(spin_id)) })
  }

  async function onReady() {
    resend()
    void bringOwnSeed()
    void loadSpins()
    try {
      if (!has_visited) {
        const visit = await ask<Visit>('POST', `${API}/wheels/${encodeURIComponent(wheel)}/visits`, {
          token: token(),
        })
        has_visited = true
        set({ awarded: visit.awarded, chances: { ...get().chances, chances_left: visit.chances_left } })
      }
    } catch {
      // A wheel that is closed gives nothing for a visit; the balance below is what counts.
    }
    await live.request<Chances>('chances', {}).then(
      (chances) => set({ chances }),
      () => {},
    )
  }

  // Seeds

  /** Loads the pair, and rotates away from a pair without a seed of ours (fair-1.md 9.1, 3). */
  function bringOwnSeed(): Promise<void> {
    own_seed ??= loadPair()
      .then(async (pair) => {
        if (pair.current.client_seed === '-') await rotateTo(randomHex(16))
      })
      .catch((error: unknown) => set({ pair_refusal: asRefusal(error) }))
      .finally(() => {
        own_seed = undefined
      })
    return own_seed
  }

  async function loadPair(): Promise<SeedPair> {
    const pair = await ask<SeedPair>('GET', `${API}/fairness/seed-pair?wheel=${encodeURIComponent(wheel)}`, {
      token: token(),
    })
    set({ pair, pair_refusal: null })
    return pair
  }

  async function rotateTo(client_seed: string): Promise<void> {
    const closed: Commitment | undefined = get().pair?.current
    const { revealed, ...pair } = await ask<Rotated>('POST', `${API}/fairness/seed-pair/rotate`, {
      token: token(),
      // Says which commitment was seen; if another one waits there by now, the server refuses.
      body: { wheel, client_seed, next_commit_hash: get().pair?.next.commit_hash },
    })
    // A pair that decided nothing has nothing to check.
    const shown = revealed.spins > 0 && closed !== undefined ? [{ ...revealed, doc: closed.doc }] : []
    set({ pair, pair_refusal: null, revealed: [...shown, ...get().revealed] })
    if (revealed.spins > 0) await loadSpins()
  }

  async function rotate(client_seed?: string): Promise<void> {
    set({ is_rotating: true })
    try {
      // The seed is made only now: the commitment that it will meet has been on the screen before.
      if (get().pair === null) await loadPair()
      await rotateTo(client_seed || randomHex(16))
      set({ said: say('fair.revealed') })
    } catch (error) {
      const refusal = asRefusal(error)
      if (refusal.code === 'seed_pair_replaced') await loadPair()
      throw refusal
    } finally {
      set({ is_rotating: false })
    }
  }

  // Spins

  async function spin(): Promise<void> {
    if (get().spin !== 'idle' || get().is_round_turning) return
    set({ spin: 'waiting', result: null, highlighted: null, why: null, awarded: 0, said: say('spin.busy') })
    await bringOwnSeedIfNeeded()
    const pending: PendingSpin = {
      wheel,
      user_id: get().guest?.user_id ?? '',
      request_id: makeId(),
      client_entropy: randomHex(16),
    }
    sessionStorage.setItem(PENDING_KEY, JSON.stringify(pending))
    await send(pending)
  }

  async function bringOwnSeedIfNeeded() {
    const client_seed = get().pair?.current.client_seed
    if (client_seed !== undefined && client_seed !== '-') return
    // A spin carries entropy of its own in any case; nobody waits long for the better half of it.
    await Promise.race([bringOwnSeed(), new Promise((resolve) => setTimeout(resolve, SEED_WAIT_MS_MAX))])
  }

  function resend() {
    const pending = readJson<PendingSpin | null>(PENDING_KEY, null)
    if (pending === null || pending.wheel !== wheel || pending.user_id !== get().guest?.user_id) return
    set({ spin: 'waiting' })
    void send(pending)
  }

  async function send(pending: PendingSpin): Promise<void> {
    clearTimeout(resend_timer)
    const { request_id, client_entropy } = pending
    try {
      const answer = await live.request<SpinAnswer>('spin', { request_id, client_entropy })
      sessionStorage.removeItem(PENDING_KEY)
      onAnswer(answer)
    } catch (error) {
      onRefused(asRefusal(error))
    }
  }

  function onRefused(refusal: ServerRefusal) {
    if (isPassing(refusal)) {
      if (!get().is_overdue) set({ is_overdue: true, said: say('spin.pending') })
      resend_timer = setTimeout(resend, RESEND_MS)
      return
    }
    sessionStorage.removeItem(PENDING_KEY)
    const why = whyText(refusal)
    const is_out = refusal.code === 'no_chances_left'
    set({
      spin: 'idle',
      is_overdue: false,
      why,
      said: why,
      ...(is_out && { chances: { ...get().chances, chances_left: 0 } }),
    })
    showFeed()
  }

  function onAnswer(answer: SpinAnswer) {
    if (held.has(answer.spin_id)) return
    held.add(answer.spin_id)
    const landing = landingOf(answer.landing, answer.segment)!
    set({
      spin: 'turning',
      is_overdue: false,
      chances: { ...get().chances, chances_left: answer.chances_left },
      said: prefersStill() ? '' : say('spin.started'),
      ...(!get().is_round_turning && { landing }),
    })
    showFeed()
    const { pair } = get()
    if (pair !== null && pair.current.commit_hash !== answer.commit_hash) void bringOwnSeed()
    else if (pair !== null)
      set({ pair: { ...pair, current: { ...pair.current, next_nonce: answer.nonce + 1 } } })
    whenStopped(landing, () => showResult(answer))
  }

  function showResult(answer: SpinAnswer) {
    held.delete(answer.spin_id)
    const award = answer.award?.status ?? (answer.won ? 'won' : 'lost')
    const rolled = nameOf(answer.segment)
    const name = award === 'substituted' ? (nameOfSlug(answer.award?.reward_slug) ?? rolled) : rolled
    const { spin_id, nonce, won, commit_hash, prize_status } = answer
    const result: Result = { spin_id, nonce, won, name, rolled, award, prize_status }
    const my_spins = [
      { spin_id, nonce, name, won, commit_hash, revealed: false },
      ...get().my_spins.filter((each) => each.spin_id !== spin_id),
    ]
    set({
      spin: 'idle',
      result,
      my_spins: my_spins.slice(0, SPINS_SHOWN_MAX),
      said: `${resultText(result)} ${count('spin.chances', answer.chances_left)}`,
      prize_version: get().prize_version + (won ? 1 : 0),
      ...(!get().is_round_turning && { highlighted: answer.segment }),
    })
    showFeed()
  }

  /** The server's own list, without what the wheel has not shown yet. A failure leaves the list as it was. */
  async function loadSpins(): Promise<void> {
    try {
      const { data } = await ask<Page<SpinRow>>(
        'GET',
        `${API}/wheels/${encodeURIComponent(wheel)}/spins?mine=1&limit=${SPINS_SHOWN_MAX}`,
        { token: token() },
      )
      if (get().spin === 'waiting') return
      const shown = data.filter(({ spin_id }) => !held.has(spin_id))
      set({ my_spins: shown.map(mySpinOf) })
    } catch (error) {
      console.info('own spins', asRefusal(error).code)
    }
  }

  // Shared rounds

  function followRound({ round }: WheelView) {
    if (round === null || round.landing === null || round_seen === round.round_id) return
    const { landing } = round
    const ends_at_ms = landing.starts_at_ms + landing.duration_ms
    const is_first_look = round_seen === '' && get().landing === null
    round_seen = round.round_id
    if (serverClock.now() >= ends_at_ms) {
      // It stopped before we came: the wheel rests there, and there is nothing to announce.
      if (is_first_look) set({ landing })
      return
    }
    set({
      is_round_turning: true,
      highlighted: null,
      result: null,
      round_result: null,
      said: say('round.spinning'),
      // A wheel that does not turn shows the end at once; here it must not tell before the others stop.
      ...(!prefersStill() && { landing }),
    })
    const shown = {
      round_id: round.round_id,
      round_no: round.round_no,
      segment: landing.segment,
      name: nameOf(landing.segment),
    }
    whenEnded(ends_at_ms, () =>
      set({
        is_round_turning: false,
        landing,
        round_result: shown,
        highlighted: shown.segment,
        said: say('round.result', { no: shown.round_no, name: shown.name }),
      }),
    )
  }

  async function joinRound(): Promise<void> {
    const round_id = get().view?.round?.round_id
    if (round_id === undefined) return
    try {
      const entry = await live.request<{ round_id: string; entry_index: number }>('join_round', {
        request_id: makeId(),
        client_entropy: randomHex(16),
      })
      // Salt and receipt open this entry later; only this tab needs them.
      sessionStorage.setItem(`livedraw.entry.${entry.round_id}`, JSON.stringify(entry))
      set({ joined: entry, why: null, said: say('round.joined', { n: entry.entry_index + 1 }) })
    } catch (error) {
      const why = whyText(asRefusal(error))
      set({ why, said: why })
    }
  }

  return {
    store,
    spin,
    joinRound,
    rotate,
    retryNow: live.retryNow,
    leave() {
      clearTimeout(resend_timer)
      live.leave()
    },
  }
}

function mySpinOf({ spin_id, nonce, reward_label, won, commit_hash, revealed }: SpinRow): MySpin {
  return { spin_id, nonce, name: reward_label, won, commit_hash, revealed }
}

/** The result as one sentence. */
export function resultText({ award, name, rolled }: Result): string {
  return say(`result.${award}`, { name, rolled })
}

/** Runs when a wheel has stopped; at once where nothing turns. */
function whenStopped({ starts_at_ms, duration_ms }: Landing, run: () => void) {
  whenEnded(prefersStill() ? 0 : starts_at_ms + duration_ms, run)
}

function whenEnded(ends_at_ms: number, run: () => void) {
  setTimeout(run, Math.max(0, ends_at_ms - serverClock.now()))
}
