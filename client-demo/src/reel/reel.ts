/** One viewer of one reel: told by the lobby's room when it ends, and which game it leads to then. */
import { CLIP_MS, reelAt } from '../../../src/demo/reel-times.ts'
import { readReelGame } from '../shared/guess-api.ts'
import { connectLive, type Link } from '../shared/live.ts'
import { serverClock } from '../shared/server-clock.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { say } from '../strings.ts'

export type LinkedGame = { game_id: string; title: string; status: string; closes_at_ms: number }
export type ReelState = {
  link: Link
  is_loaded: boolean
  /** What the reel leads to, from its end on. */
  game: LinkedGame | null
  is_open: boolean
  said: string
}
export type Reel = {
  store: Store<ReelState>
  open(): void
  close(): void
  retryNow(): void
  leave(): void
}

export function makeReel(tenant: string, reel_id: string): Reel {
  const store = makeStore<ReelState>({
    link: { status: 'connecting' },
    is_loaded: false,
    game: null,
    is_open: false,
    said: '',
  })
  const { get, set } = store
  /** A game comes up by itself once: whoever closed it opens it again with the button. */
  const shown = new Set<string>()

  const live = connectLive('lobby', { tenant }, async () => undefined, {
    link: (link) => set({ link }),
    state: () => get().is_loaded || set({ is_loaded: true }),
    messages: { reel_ended: (message) => ended(message as Record<string, string>) },
    ready: () => void watch(),
  })

  async function watch(): Promise<void> {
    await live.request('watch', { reel_id }).catch(() => undefined)
    // The end may have been while the line was down.
    if (reelAt(serverClock.now()).elapsed_ms < CLIP_MS) return
    const game = await readReelGame(tenant, reel_id).catch(() => undefined)
    if (game?.status === 'open' || game?.status === 'scheduled') ended(game as never)
  }

  function ended({ game_id, title, status, closes_at }: Record<string, string>): void {
    const game = {
      game_id: game_id!,
      title: title!,
      status: status!,
      closes_at_ms: Date.parse(closes_at!),
    }
    const is_new = !shown.has(game.game_id)
    shown.add(game.game_id)
    // A game that somebody plays just now is not taken away by the next one.
    if (get().is_open && get().game?.game_id !== game.game_id) return
    set({ game, ...(is_new && { is_open: true, said: say('reel.said', { title: game.title }) }) })
  }

  return {
    store,
    open: () => set({ is_open: true }),
    close: () => set({ is_open: false, said: '' }),
    retryNow: live.retryNow,
    leave: live.leave,
  }
}
