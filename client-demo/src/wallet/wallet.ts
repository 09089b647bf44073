/**
 * One player's wallet: the list of a tab, the counts of all tabs, unlocking. The user's inbox says when something
 * moved, on whatever device; the list says what is there. A locked prize is nothing but its dates here too.
 */

import type { Guest } from '../shared/api.ts'
import { connectLive, type Link, type Live, type Loose } from '../shared/live.ts'
import {
  type Counts,
  type Prize,
  type PrizePage,
  readCounts,
  readPrizes,
  type Status,
  unlockPrize,
} from '../shared/prizes.ts'
import { asRefusal, type ServerRefusal, whyText } from '../shared/refusal.ts'
import { forgetGuest, keptGuest } from '../shared/session.ts'
import { makeStore, type Store } from '../shared/store.ts'
import { readTenant, type Tenant } from '../shared/tenant.ts'
import { say } from '../strings.ts'

export type WalletState = {
  link: Link
  /** Null: nobody has played in this tab. */
  guest: Guest | null
  tenant: Tenant | null
  tab: Status
  counts: Counts | null
  prizes: Prize[] | null
  has_more: boolean
  is_loading_more: boolean
  refusal: ServerRefusal | null
  /** Being unlocked. */
  busy: ReadonlySet<number>
  /** Unlocked on this tab, newest last: they stay in sight until another tab is chosen. */
  revealed: readonly Prize[]
  /** A refusal of one card's action, under its id. */
  why: Readonly<Record<number, string>>
  said: string
}
export type Wallet = {
  store: Store<WalletState>
  choose(tab: Status): void
  unlock(id: number): Promise<void>
  more(): Promise<void>
  /** Asks the server again for what is shown. */
  refresh(): Promise<void>
  retryNow(): void
  leave(): void
}

const PER_PAGE = 12
/** Pages that are looked through for a prize that was just unlocked; nobody has more by hand. */
const SEARCH_PAGES_MAX = 20
const SEARCH_PER_PAGE = 100

export function makeWallet(tenant: string): Wallet {
  const store = makeStore<WalletState>({
    link: { status: 'connecting' },
    guest: keptGuest(tenant) ?? null,
    tenant: null,
    tab: 'all',
    counts: null,
    prizes: null,
    has_more: false,
    is_loading_more: false,
    refusal: null,
    busy: new Set(),
    revealed: [],
    why: {},
    said: '',
  })
  const { get, set } = store
  let page_count = 1
  /** Grows with every question, so that a late answer to an older one is dropped. */
  let asked = 0
  /** The inbox's version that is shown. */
  let seen = -1

  const token = () => get().guest!.token

  async function refresh(): Promise<void> {
    if (get().guest === null) return
    const question = ++asked
    const { tab } = get()
    try {
      const [pages, counts, mine] = await Promise.all([
        Promise.all(range(page_count).map((i) => readPrizes(token(), tab, i + 1, PER_PAGE))),
        readCounts(token()),
        get().tenant ?? readTenant(token()),
      ])
      if (question !== asked) return
      const last = pages.at(-1)!
      takeCounts(counts)
      set({
        tenant: mine,
        prizes: unique(pages),
        has_more: last.pagination.current_page < last.pagination.total_pages,
        refusal: null,
      })
    } catch (error) {
      if (question === asked) refused(asRefusal(error))
    }
  }

  function takeCounts(counts: Counts) {
    const before = get().counts
    const news = before === null ? 0 : counts.all - before.all
    set({ counts, ...(news > 0 && { said: say('wallet.news', { n: news }) }) })
  }

  /** The inbox says that something moved; what it is now, the list says. */
  function onInbox(state: Loose) {
    const version = Number(state['version'])
    if (version === seen) return
    seen = version
    const [locked, unlocked, applied, expired] = ['locked', 'unlocked', 'applied', 'expired'].map((name) =>
      Number(state[name]),
    ) as [number, number, number, number]
    takeCounts({ all: locked + unlocked + applied + expired, locked, unlocked, applied, expired })
    void refresh()
  }

  function refused(refusal: ServerRefusal) {
    if (refusal.code === 'unauthorized') {
      live?.leave()
      forgetGuest()
      set({ guest: null, prizes: null, counts: null })
      return
    }
    set({ refusal, said: `${say('prizes.error')} ${whyText(refusal)}` })
  }

  async function more(): Promise<void> {
    if (get().is_loading_more) return
    page_count += 1
    set({ is_loading_more: true })
    await refresh()
    set({ is_loading_more: false })
  }

  function choose(tab: Status) {
    if (tab === get().tab) return
    page_count = 1
    set({ tab, prizes: null, has_more: false, refusal: null, revealed: [], why: {} })
    void refresh()
  }

  async function unlock(id: number): Promise<void> {
    const { busy } = get()
    if (busy.has(id)) return
    set({ busy: new Set([...busy, id]), why: without(get().why, id) })
    try {
      await unlockPrize(token(), id)
      const prize = await findUnlocked(token(), id)
      if (prize !== undefined)
        set({
          revealed: [...get().revealed.filter((each) => each.id !== id), prize],
          said: say('wallet.revealed', { name: prize.prize_name ?? '' }),
        })
    } catch (error) {
      const why = whyText(asRefusal(error))
      set({ why: { ...get().why, [id]: why }, said: why })
    }
    set({ busy: new Set([...get().busy].filter((each) => each !== id)) })
    await refresh()
  }

  const live: Live | undefined =
    get().guest === null
      ? undefined
      : connectLive('inbox', {}, async () => token(), {
          link: (link) => {
            set({ link })
            if (link.status === 'refused') refused(link.refusal)
          },
          state: onInbox,
        })
  void refresh()

  return {
    store,
    choose,
    unlock,
    more,
    refresh,
    retryNow: () => live?.retryNow(),
    leave: () => live?.leave(),
  }
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

/** A prize that is won while pages are read moves others to the next page: none is shown twice. */
function unique(pages: PrizePage[]): Prize[] {
  return [...new Map(pages.flatMap(({ data }) => data).map((prize) => [prize.id, prize])).values()]
}

/** The list is the only place that tells what a prize is. */
async function findUnlocked(token: string, id: number): Promise<Prize | undefined> {
  for (let page = 1; page <= SEARCH_PAGES_MAX; page++) {
    const { data, pagination } = await readPrizes(token, 'unlocked', page, SEARCH_PER_PAGE)
    const found = data.find((prize) => prize.id === id)
    if (found !== undefined || page >= pagination.total_pages) return found
  }
  return undefined
}

function without<T>(record: Readonly<Record<number, T>>, id: number): Record<number, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== String(id)))
}

/** What the list shows: the server's page, and what was unlocked on this tab in its place. */
export function shownPrizes({ prizes, revealed }: Pick<WalletState, 'prizes' | 'revealed'>): Prize[] {
  const fresh = new Map(revealed.map((prize) => [prize.id, prize]))
  const listed = prizes ?? []
  const list = listed.map((prize) =>
    prize.prize_status === 'locked' ? (fresh.get(prize.id) ?? prize) : prize,
  )
  const missing = revealed.filter(({ id }) => !listed.some((prize) => prize.id === id))
  return [...list, ...missing].sort((a, b) => b.won_at.localeCompare(a.won_at) || b.id - a.id)
}
