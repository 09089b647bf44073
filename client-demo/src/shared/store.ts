/** A value that components follow. */
import { useEffect, useState } from 'preact/hooks'
import { serverClock } from './server-clock.ts'

export type Store<T> = {
  get(): T
  set(change: Partial<T>): void
  follow(follower: () => void): () => void
}

export function makeStore<T extends object>(initial: T): Store<T> {
  let value = initial
  const followers = new Set<() => void>()
  return {
    get: () => value,
    set(change) {
      value = { ...value, ...change }
      for (const follower of followers) follower()
    },
    follow(follower) {
      followers.add(follower)
      return () => followers.delete(follower)
    },
  }
}

/** The store's value, and a new rendering when it changes. */
export function useStore<T extends object>(store: Store<T>): T {
  const [, render] = useState(0)
  useEffect(() => store.follow(() => render((times) => times + 1)), [store])
  return store.get()
}

/** Renders again every `period_ms`, for countdowns. */
export function useTick(period_ms: number): void {
  const [, render] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => render((times) => times + 1), period_ms)
    return () => clearInterval(timer)
  }, [period_ms])
}

/** Longer waits are taken in parts: what the server's clock says becomes better known meanwhile. */
const WAIT_MS_MAX = 500

/** Renders again at an instant of the server's clock; at Infinity not at all. */
export function useInstant(at_ms: number): void {
  const [, render] = useState(0)
  useEffect(() => {
    if (at_ms === Number.POSITIVE_INFINITY) return
    let timer: ReturnType<typeof setTimeout>
    const wait = () => {
      const left_ms = at_ms - serverClock.now()
      if (left_ms <= 0) render((times) => times + 1)
      else timer = setTimeout(wait, Math.min(WAIT_MS_MAX, left_ms))
    }
    wait()
    return () => clearTimeout(timer)
  }, [at_ms])
}
