/** A prize as a card: what it is worth, its code, how long it lasts. A locked one is a card without a face. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { say, sayOr, whenText } from '../strings.ts'
import { inkOn } from './colors.ts'
import { instantOf, type Prize, valueText } from './prizes.ts'
import { serverClock } from './server-clock.ts'
import { useTick } from './store.ts'
import { clockText, leftText, type Tenant } from './tenant.ts'
import { CopyButton, Lock } from './ui.tsx'

const RING_RADIUS = 20
const RING_LENGTH = 2 * Math.PI * RING_RADIUS
const COLOR_DEFAULT = '#5b3df5'

export function PrizeCard({
  prize,
  tenant,
  is_fresh = false,
  onDeadline,
  children,
}: {
  prize: Prize
  tenant: Tenant
  /** Just unlocked: it turns over, and takes the focus that its button had. */
  is_fresh?: boolean
  onDeadline?: () => void
  children?: ComponentChildren
}) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (is_fresh) title.current?.focus({ preventScroll: true })
  }, [is_fresh])
  const is_hidden = prize.prize_name === null
  const name = prize.prize_name ?? say('prizes.locked_name')
  const color = prize.prize_color ?? COLOR_DEFAULT
  const status = prize.prize_status
  return (
    <article
      class={`ticket ticket-${status}${is_fresh ? ' is-fresh' : ''}`}
      aria-labelledby={`prize-${prize.id}`}
    >
      <div
        class="ticket-face"
        style={is_hidden || status !== 'unlocked' ? undefined : { background: color, color: inkOn(color) }}
      >
        <span class="ticket-value">{is_hidden ? <Lock /> : valueText(prize)}</span>
        {prize.expires_at !== null && (status === 'locked' || status === 'unlocked') && (
          <Ring
            from_ms={instantOf(prize.won_at)}
            to_ms={instantOf(prize.expires_at)}
            onDeadline={onDeadline}
          />
        )}
      </div>
      <div class="ticket-body">
        <h3 id={`prize-${prize.id}`} ref={title} tabIndex={-1}>
          {name}
        </h3>
        <p class="meta">
          <span class={`tag tag-${status}`}>{sayOr(`prize_status.${status}`, status)}</span>
          {prize.rarity && <span class="tag tag-tier">{sayOr(`rarity.${prize.rarity}`, prize.rarity)}</span>}
          <span>
            {prize.game_name} ·{' '}
            {say('prizes.won', { when: whenText(instantOf(prize.won_at), serverClock.now()) })}
          </span>
        </p>
        {prize.prize_description && <p>{prize.prize_description}</p>}
        {prize.prize_code !== null && (
          <p class="code">
            <code>{prize.prize_code}</code>
            <CopyButton text={prize.prize_code} label={say('wallet.code_of', { name })} />
          </p>
        )}
        <Deadline prize={prize} tenant={tenant} />
        {children}
      </div>
    </article>
  )
}

function Deadline({ prize: { expires_at, prize_status }, tenant }: { prize: Prize; tenant: Tenant }) {
  if (prize_status === 'applied') return null
  if (expires_at === null) return <p class="fine">{say('wallet.never_expires')}</p>
  const when = clockText(instantOf(expires_at), tenant)
  return (
    <p class="fine">
      {say(prize_status === 'expired' ? 'wallet.expired_at' : 'wallet.expires_at', { when })}
    </p>
  )
}

/** Time left on the server's clock, as a ring that empties. */
function Ring({
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
