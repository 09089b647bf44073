/** What there is to read beside the wheel: latest spins, my prizes, odds. */
import { useEffect, useState } from 'preact/hooks'
import { API, ask, type Page, type Play, readOdds } from '../shared/api.ts'
import { sliceColors } from '../shared/colors.ts'
import { useLoaded } from '../shared/loading.ts'
import { asRefusal, type ServerRefusal, whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { useTick } from '../shared/store.ts'
import { Hash, Lock } from '../shared/ui.tsx'
import type { RecentSpin, WheelView } from '../shared/wheel-room.ts'
import { numberText, say, sayOr, whenText } from '../strings.ts'
import type { GameState } from './game.ts'
import { verifyAddress } from './play-wheel.tsx'

export function LivePanel({ state: { feed, view } }: { state: GameState }) {
  if (feed.length === 0) return <p class="empty">{say('live.empty')}</p>
  return <Feed feed={feed} view={view!} />
}

/** Latest spins, newest first. */
export function Feed({ feed, view }: { feed: RecentSpin[]; view: WheelView }) {
  useTick(10_000)
  const colors = sliceColors(view.segments.map(({ color }) => color))
  return (
    <ol class="feed" aria-label={say('live.title')}>
      {feed.map(({ spin_id, player, segment, reward_label, won, at }) => (
        <li key={spin_id} class={won ? 'is-won' : undefined}>
          <span class="swatch" style={{ background: colors[segment] }} aria-hidden="true" />
          <span class="feed-text">{say(won ? 'live.won' : 'live.lost', { player, name: reward_label })}</span>
          <time class="feed-time" dateTime={at}>
            {whenText(Date.parse(at), serverClock.now())}
          </time>
        </li>
      ))}
    </ol>
  )
}

export const walletAddress = (tenant: string): string =>
  tenant === 'demo' ? '/wallet' : `/wallet?tenant=${encodeURIComponent(tenant)}`

export function PrizesPanel({
  state: { guest, prize_version, my_spins },
  tenant,
}: {
  state: GameState
  tenant: string
}) {
  const { plays, cursor, refusal, more } = usePlays(guest?.token, prize_version)
  // A locked prize says nothing of itself; what the wheel showed is known all the same.
  const nameOf = ({ prize_name, event_id }: Play) =>
    prize_name ?? my_spins.find(({ spin_id }) => spin_id === event_id)?.name ?? say('prizes.locked_name')
  return (
    <>
      {plays === null || plays.length === 0 ? (
        <p class="empty">
          {plays !== null
            ? say('prizes.empty')
            : refusal === null
              ? say('app.loading')
              : `${say('prizes.error')} ${whyText(refusal)}`}
        </p>
      ) : (
        <ul class="prizes" aria-label={say('tabs.prizes')}>
          {plays.map((play) => (
            <Prize key={play.play_id} play={play} name={nameOf(play)} />
          ))}
        </ul>
      )}
      {cursor !== null && (
        <button type="button" class="button" onClick={() => void more()}>
          {say('prizes.more')}
        </button>
      )}
      <WalletLinks tenant={tenant} />
    </>
  )
}

/** A tab of its own is the same player only when a script of this one opens it: it then begins with a copy of its session. */
function WalletLinks({ tenant }: { tenant: string }) {
  return (
    <p class="row">
      <a class="button button-primary" href={walletAddress(tenant)}>
        {say('prizes.wallet')}
      </a>
      <button type="button" class="button" onClick={() => open(walletAddress(tenant))}>
        {say('prizes.wallet_tab')}
      </button>
    </p>
  )
}

function Prize({ play, name }: { play: Play; name: string }) {
  const { display_value, prize_status, won_at, expires_at, proof_id } = play
  const now_ms = serverClock.now()
  return (
    <li class={`prize prize-${prize_status ?? 'none'}`}>
      <div class="prize-value" aria-hidden="true">
        {display_value ?? <Lock />}
      </div>
      <div class="prize-text">
        <strong>{name}</strong>
        <span class="meta">
          {prize_status !== null && (
            <span class="tag">{sayOr(`prize_status.${prize_status}`, prize_status)}</span>
          )}
          <span>{say('prizes.won', { when: whenText(Date.parse(won_at), now_ms) })}</span>
          {expires_at !== null && (
            <span>{say('prizes.expires', { when: whenText(Date.parse(expires_at), now_ms) })}</span>
          )}
        </span>
      </div>
      {proof_id !== null && (
        <a class="chip" href={verifyAddress(proof_id)} aria-label={say('prizes.check_label', { name })}>
          {say('prizes.check')}
        </a>
      )}
    </li>
  )
}

type Plays = { plays: Play[] | null; cursor: string | null; refusal: ServerRefusal | null }

function usePlays(token: string | undefined, prize_version: number): Plays & { more: () => Promise<void> } {
  const [plays, setPlays] = useState<Plays>({ plays: null, cursor: null, refusal: null })
  const read = async (cursor: string | null) => {
    try {
      const page = await ask<Page<Play>>(
        'GET',
        `${API}/me/plays?won=1&limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
        {
          token,
        },
      )
      setPlays((before) => ({
        plays: cursor === null ? page.data : [...(before.plays ?? []), ...page.data],
        cursor: page.next_cursor,
        refusal: null,
      }))
    } catch (error) {
      setPlays((before) => ({ ...before, refusal: asRefusal(error) }))
    }
  }
  useEffect(() => {
    if (token !== undefined) void read(null)
  }, [token, prize_version])
  return { ...plays, more: () => read(plays.cursor) }
}

export function OddsPanel({ tenant, wheel, view }: { tenant: string; wheel: string; view: WheelView }) {
  const version_key = view.segments
    .map(({ slug, weight, exhausted }) => `${slug}:${weight}:${exhausted}`)
    .join()
  const {
    value: odds,
    refusal,
    reload,
  } = useLoaded(() => readOdds(tenant, wheel), [tenant, wheel, version_key])
  if (odds === undefined) {
    if (refusal === undefined) return <p class="empty">{say('app.loading')}</p>
    return (
      <p class="empty">
        {`${say('odds.error')} ${whyText(refusal)} `}
        <button type="button" class="button" onClick={reload}>
          {say('app.retry')}
        </button>
      </p>
    )
  }
  const colors = sliceColors(view.segments.map(({ color }) => color))
  const colorOf = (slug: string) => colors[view.segments.findIndex((segment) => segment.slug === slug)]
  return (
    <>
      <p>{say('odds.lead', { version: odds.config_version })}</p>
      <table class="odds">
        <thead>
          <tr>
            <th scope="col">{say('odds.reward')}</th>
            <th scope="col">{say('odds.share')}</th>
            <th scope="col">{say('odds.weight')}</th>
            <th scope="col">{say('odds.remaining')}</th>
          </tr>
        </thead>
        <tbody>
          {odds.segments.map(({ reward_slug, label, share, weight, remaining }) => (
            <tr key={reward_slug}>
              <th scope="row">
                <span class="swatch" style={{ background: colorOf(reward_slug) }} aria-hidden="true" />
                {label}
              </th>
              <td>{share}</td>
              <td>{numberText(weight)}</td>
              <td>{remaining === null ? say('odds.unlimited') : numberText(remaining)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="fine">{say('odds.total', { total: odds.total_weight })}</p>
      <p>
        <a class="button" href={`/odds?${new URLSearchParams({ tenant, wheel })}`}>
          {say('monitor.door')}
        </a>
      </p>
      <p class="fine">
        {say('odds.hash')} <Hash value={odds.config_hash} label={say('odds.hash')} />
      </p>
    </>
  )
}
