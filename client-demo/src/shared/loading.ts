/** Something that is fetched: not yet, there, or refused. */
import { useCallback, useEffect, useState } from 'preact/hooks'
import { asRefusal, type ServerRefusal } from './refusal.ts'

export type Loaded<T> = { value?: T; refusal?: ServerRefusal }

/** Fetches at once and whenever `keys` change; `reload` fetches again. What is there stays until the new one is. */
export function useLoaded<T>(load: () => Promise<T>, keys: unknown[]): Loaded<T> & { reload: () => void } {
  const [loaded, setLoaded] = useState<Loaded<T>>({})
  const [times, setTimes] = useState(0)
  useEffect(() => {
    let is_current = true
    load().then(
      (value) => is_current && setLoaded({ value }),
      (error: unknown) => is_current && setLoaded((before) => ({ ...before, refusal: asRefusal(error) })),
    )
    return () => {
      is_current = false
    }
  }, [...keys, times])
  return { ...loaded, reload: useCallback(() => setTimes((n) => n + 1), []) }
}
