/** A value that components follow. */
import { useEffect, useState } from 'preact/hooks'

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
