/** What the big screen shows: one spin at a time on the wheel, all of them in the list. */
import { keepCheckpoint } from '../shared/checkpoint.ts'
import type { Link } from '../shared/live.ts'
import { serverClock } from '../shared/server-clock.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { prefersStill } from '../shared/wheel.tsx'
import {
  connectWheel,
  type Landing,
  type RecentSpin,
  type Spun,
  type WheelView,
} from '../shared/wheel-room.ts'
import { say } from '../strings.ts'

/** What is on the wheel: somebody's spin, or the shared one. */
export type Shown = {
  event_id: string
  who: string
  name: string
  won: boolean
  segment: number
  is_turning: boolean
}
export type WatchState = {
  link: Link
  view: WheelView | null
  feed: RecentSpin[]
  landing: Landing | null
  highlighted: number | null
  shown: Shown | null
  said: string
}
export type Watch = { store: Store<WatchState>; retryNow(): void; leave(): void }

/** People must be able to read a result before the next spin takes the wheel. */
const READ_MS = 2_000
/** A player's spin does not take the wheel when the shared one is this near. */
const SHARED_NEAR_MS = 6_000

export function makeWatch(tenant: string, game: string): Watch {
  const store = makeStore<WatchState>({
    link: { status: 'connecting' },
    view: null,
    feed: [],
    landing: null,
    highlighted: null,
    shown: null,
    said: '',
  })
  const { get, set } = store
  let held = ''
  let busy_until_ms = 0
  let round_seen = ''
  let end_timer: ReturnType<typeof setTimeout> | undefined

  const live = connectWheel({ tenant, game, spectate: true }, async () => undefined, {
    link: (link) => set({ link }),
    view: onView,
    spun: onSpun,
  })

  function onView(view: WheelView) {
    set({ view, feed: view.recent.filter(({ spin_id }) => spin_id !== held) })
    if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
    const { round } = view
    if (round === null || round.landing === null || round.round_id === round_seen) return
    round_seen = round.round_id
    const name = view.segments[round.landing.segment]?.label ?? ''
    show(round.landing, {
      event_id: round.round_id,
      who: say('round.title', { no: round.round_no }),
      name,
      won: true,
      segment: round.landing.segment,
      is_turning: true,
    })
  }

  function onSpun(spins: Spun[]) {
    const spin = spins.at(-1)
    const round = get().view?.round
    const now_ms = serverClock.now()
    if (spin?.landing == null || now_ms < busy_until_ms) return
    if (round?.status === 'open' && round.closes_at_ms - now_ms < SHARED_NEAR_MS) return
    held = spin.spin_id
    show(spin.landing, {
      event_id: spin.spin_id,
      who: say('watch.by', { player: spin.player }),
      name: spin.reward_label,
      won: spin.won,
      segment: spin.segment,
      is_turning: true,
    })
  }

  function show(landing: Landing, shown: Shown) {
    clearTimeout(end_timer)
    const ends_at_ms = landing.starts_at_ms + landing.duration_ms
    busy_until_ms = ends_at_ms + READ_MS
    const is_still = prefersStill()
    set({ shown, highlighted: null, ...(!is_still && { landing }) })
    end_timer = setTimeout(
      () => {
        held = ''
        const { view } = get()
        set({
          landing,
          highlighted: shown.segment,
          shown: { ...shown, is_turning: false },
          said: `${shown.who}: ${shown.name}`,
          feed: view?.recent ?? [],
        })
      },
      Math.max(0, ends_at_ms - serverClock.now()),
    )
  }

  return {
    store,
    retryNow: live.retryNow,
    leave() {
      clearTimeout(end_timer)
      live.leave()
    },
  }
}
