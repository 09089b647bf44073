/** Small parts that all pages share. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { count, has, type StringKey, say } from '../strings.ts'
import type { Link } from './live.ts'
import { type ServerRefusal, whyText } from './refusal.ts'
import { serverClock } from './server-clock.ts'
import { useTick } from './store.ts'
import { leftText } from './tenant.ts'

export type PageName =
  | 'play'
  | 'reel'
  | 'guess'
  | 'claim'
  | 'desk'
  | 'raffle'
  | 'watch'
  | 'watch-draw'
  | 'wallet'
  | 'shop'
  | 'verify'
  | 'odds'
  | 'admin'
  | 'enter'

const PAGES: [PageName, string, StringKey][] = [
  ['play', '/', 'app.play'],
  ['reel', '/reel', 'app.reel'],
  ['guess', '/guess', 'app.guess'],
  ['raffle', '/raffle', 'app.raffle'],
  ['wallet', '/wallet', 'app.wallet'],
  ['shop', '/shop', 'app.shop'],
  ['watch', '/watch', 'app.watch'],
  ['verify', '/verify', 'app.verify'],
]

/** Brand, navigation, and whatever the page adds on the right. */
export function Header({ page, children }: { page: PageName; children?: ComponentChildren }) {
  return (
    <header class="top">
      <a class="skip" href="#main">
        {say('app.skip')}
      </a>
      <a class="brand" href="/">
        <Logo />
        <span class="brand-name">{say('app.name')}</span>
      </a>
      <nav class="top-nav" aria-label={say('app.nav')}>
        {PAGES.map(([name, href, label]) => (
          <a key={name} href={href} aria-current={name === page ? 'page' : undefined}>
            {say(label)}
          </a>
        ))}
      </nav>
      <div class="top-side">{children}</div>
    </header>
  )
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="17" r="13" fill="#5b3df5" />
      <path d="M16 17V4a13 13 0 0 1 11.26 6.5Z" fill="#ffb000" />
      <path d="M16 17 27.26 23.5A13 13 0 0 1 16 30Z" fill="#00a88f" />
      <path d="M16 17 4.74 23.5A13 13 0 0 1 4.74 10.5Z" fill="#e5487b" />
      <circle cx="16" cy="17" r="4" fill="#fff" />
      <path d="M16 8 12.5 1h7Z" fill="currentColor" />
    </svg>
  )
}

/** What a screen reader says. The text changes, the element stays. */
export function Announcer({ text }: { text: string }) {
  return (
    <div class="sr-only" role="status" aria-live="polite" aria-atomic="true">
      {text}
    </div>
  )
}

/** State of the line: live, lost with a countdown, retrying. */
export function LinkPill({ link, onRetry }: { link: Link; onRetry: () => void }) {
  useTick(link.status === 'lost' ? 250 : 60_000)
  if (link.status === 'live') {
    return (
      <span class="pill pill-live">
        <span class="dot" aria-hidden="true" />
        {say('link.live')}
      </span>
    )
  }
  if (link.status === 'lost') {
    const s = Math.max(0, Math.ceil((link.retry_at_ms - Date.now()) / 1000))
    return (
      <span class="pill pill-lost">
        {navigator.onLine ? say('link.lost', { s }) : say('link.offline')}
        <button type="button" class="pill-button" onClick={onRetry}>
          {say('link.now')}
        </button>
      </span>
    )
  }
  if (link.status === 'refused') return <span class="pill pill-lost">{say('link.gone')}</span>
  return <span class="pill">{say(link.status === 'connecting' ? 'link.connecting' : 'link.retrying')}</span>
}

/** A whole-page refusal: what happened, and the way out. */
export function Refused({
  link,
  children,
}: {
  link: Link & { status: 'refused' }
  children: ComponentChildren
}) {
  return (
    <section class="card notice" role="alert">
      <h1>{say('link.gone')}</h1>
      <p>{whyText(link.refusal)}</p>
      <p class="row">{children}</p>
    </section>
  )
}

/** What stands where something cannot be shown: that it comes, or why it does not and a way to ask again. */
export function Unavailable({ refusal, retry }: { refusal: ServerRefusal | undefined; retry: () => void }) {
  if (refusal === undefined)
    return (
      <div class="card skeleton" role="status">
        {say('app.loading')}
      </div>
    )
  return (
    <section class="card notice" role="alert">
      <p>{whyText(refusal)}</p>
      <button type="button" class="button" onClick={retry}>
        {say('app.retry')}
      </button>
    </section>
  )
}

/** Minutes and seconds to an instant of the server, "0:09". */
export function Countdown({ to_ms }: { to_ms: number }) {
  useTick(200)
  const s = Math.max(0, Math.ceil((to_ms - serverClock.now()) / 1000))
  return (
    <span class="countdown" role="timer" aria-live="off">
      {Math.floor(s / 60)}:{String(s % 60).padStart(2, '0')}
    </span>
  )
}

const RING_RADIUS = 20
const RING_LENGTH = 2 * Math.PI * RING_RADIUS

/** Time left on the server's clock, as a ring that empties. */
export function TimeRing({
  from_ms,
  to_ms,
  onDeadline,
}: {
  from_ms: number
  to_ms: number
  onDeadline?: (() => void) | undefined
}) {
  const left_ms = to_ms - serverClock.now()
  useTick(left_ms < 3_600_000 ? 1_000 : 30_000)
  const is_over = left_ms <= 0
  useEffect(() => {
    if (is_over) onDeadline?.()
  }, [is_over])
  const share = Math.min(1, Math.max(0, left_ms / Math.max(1, to_ms - from_ms)))
  return (
    <span
      class={share < 0.15 ? 'ring is-short' : 'ring'}
      role="img"
      aria-label={say('ring.label', { left: leftText(left_ms, 'long') })}
    >
      <svg viewBox="0 0 48 48" aria-hidden="true">
        <circle class="ring-track" cx="24" cy="24" r={RING_RADIUS} />
        <circle
          class="ring-left"
          cx="24"
          cy="24"
          r={RING_RADIUS}
          stroke-dasharray={`${(share * RING_LENGTH).toFixed(2)} ${RING_LENGTH.toFixed(2)}`}
          transform="rotate(-90 24 24)"
        />
      </svg>
      <span aria-hidden="true">{leftText(left_ms)}</span>
    </span>
  )
}

/** A long hex text, shortened to the eye, whole to the clipboard. */
export function Hash({ value, label }: { value: string; label: string }) {
  return (
    <span class="hash">
      <code title={value}>{value}</code>
      <CopyButton text={value} label={label} />
    </span>
  )
}

/** Puts a text on the clipboard, which exists only on https and localhost. `label` says what is copied. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  if (navigator.clipboard === undefined) return null
  return (
    <button
      type="button"
      class="hash-copy"
      aria-label={`${say(copied ? 'app.copied' : 'app.copy')}: ${label}`}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
    >
      {say(copied ? 'app.copied' : 'app.copy')}
    </button>
  )
}

/** What a locked prize shows of itself. */
export function Lock() {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <path d="M7 10V8a5 5 0 0 1 10 0v2" fill="none" stroke="currentColor" stroke-width="2.4" />
      <rect x="4.5" y="10" width="15" height="10.5" rx="2.5" fill="currentColor" />
    </svg>
  )
}

/** The trust label as its sentence. */
export function Trust({ label }: { label: string }) {
  const key = `trust.${label}`
  return (
    <div class={`trust trust-${has(key) ? label : 'unknown'}`}>
      <strong>{say('trust.title')}</strong>
      <p>{say(has(key) ? key : 'trust.unknown')}</p>
    </div>
  )
}

/** A number of players or spectators, as words. */
export function Crowd({ players, spectators }: { players: number; spectators: number }) {
  return (
    <span class="crowd">
      <span>{count('lobby.players', players)}</span>
      <span>{count('lobby.spectators', spectators)}</span>
    </span>
  )
}

export type Tab = { id: string; label: string; badge?: number | undefined; panel: ComponentChildren }

/** Tabs after the ARIA pattern: arrows, Home and End move, only the chosen one is in the tab order. */
export function Tabs({
  tabs,
  chosen,
  onChoose,
  label,
}: {
  tabs: Tab[]
  chosen: string
  onChoose: (id: string) => void
  label: string
}) {
  const list = useRef<HTMLDivElement>(null)
  const index = Math.max(
    0,
    tabs.findIndex(({ id }) => id === chosen),
  )
  const onKeyDown = (event: KeyboardEvent) => {
    const targets: Record<string, number> = {
      ArrowRight: index + 1,
      ArrowLeft: index - 1,
      Home: 0,
      End: tabs.length - 1,
    }
    const target = targets[event.key]
    if (target === undefined) return
    event.preventDefault()
    const next = (target + tabs.length) % tabs.length
    onChoose(tabs[next]!.id)
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus()
  }
  return (
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
        {tabs.map(({ id, label: text, badge }, i) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`tab-${id}`}
            aria-controls={`panel-${id}`}
            aria-selected={i === index}
            tabIndex={i === index ? 0 : -1}
            onClick={() => onChoose(id)}
          >
            {text}
            {badge !== undefined && <span class="badge">{badge}</span>}
          </button>
        ))}
      </div>
      <section
        class="tab-panel"
        role="tabpanel"
        id={`panel-${tabs[index]!.id}`}
        aria-labelledby={`tab-${tabs[index]!.id}`}
      >
        {tabs[index]!.panel}
      </section>
    </div>
  )
}
