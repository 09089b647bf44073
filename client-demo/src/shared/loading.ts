/** Something that is fetched: not yet, there, or refused. */
import { useCallback, useEffect, useState } from 'preact/hooks'
import type { Page } from './api.ts'
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

/**
 * A list that is read page after page. What was shown is read again whenever `keys` change, so that nobody who has paged
 * on is thrown back to the beginning.
 */
export function usePaged<T>(
  load: (cursor: string | null) => Promise<Page<T>>,
  keys: unknown[],
): { items: T[] | undefined; has_more: boolean; refusal?: ServerRefusal; more(): void; reload(): void } {
  const [page_count, setCount] = useState(1)
  const { value, refusal, reload } = useLoaded(async () => {
    const items: T[] = []
    let cursor: string | null = null
    for (let page = 0; page < page_count && (page === 0 || cursor !== null); page++) {
      const read: Page<T> = await load(cursor)
      items.push(...read.data)
      cursor = read.next_cursor
    }
    return { items, has_more: cursor !== null }
  }, [...keys, page_count])
  return {
    items: value?.items,
    has_more: value?.has_more ?? false,
    ...(refusal && { refusal }),
    more: () => setCount(page_count + 1),
    reload,
  }
}
