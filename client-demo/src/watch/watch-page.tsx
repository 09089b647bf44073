/** Finds the wheel to watch, follows it, and shows it large. */
import { useEffect, useMemo } from 'preact/hooks'
import { addressOf } from '../play/lobby.tsx'
import { Feed } from '../play/panels.tsx'
import { lobbyGames, readOdds } from '../shared/api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { useStore } from '../shared/store.ts'
import { Countdown, Hash, Header, Trust } from '../shared/ui.tsx'
import { Wheel } from '../shared/wheel.tsx'
import type { WheelView } from '../shared/wheel-room.ts'
import { numberText, say } from '../strings.ts'
import { makeWatch, type WatchState } from './watch.ts'

export function WatchPage({ tenant, game }: { tenant: string; game: string | undefined }) {
  const {
    value: slug,
    refusal,
    reload,
  } = useLoaded(async () => game ?? (await firstWheel(tenant)), [tenant, game])
  if (slug !== undefined && slug !== null) return <Screen tenant={tenant} slug={slug} />
  return (
    <>
      <Header page="watch" />
      <main id="main" class="watch-empty">
        <div class="card notice" role="status">
          <p>{refusal ? whyText(refusal) : slug === null ? say('watch.empty') : say('app.loading')}</p>
          {(refusal !== undefined || slug === null) && (
            <button type="button" class="button" onClick={reload}>
              {say('app.retry')}
            </button>
          )}
        </div>
      </main>
    </>
  )
}

async function firstWheel(tenant: string): Promise<string | null> {
  const wheels = (await lobbyGames(tenant)).filter(({ kind }) => kind === 'wheel')
  return (wheels.find(({ status }) => status === 'live' || status === 'open') ?? wheels[0])?.slug ?? null
}

function Screen({ tenant, slug }: { tenant: string; slug: string }) {
  const watch = useMemo(() => makeWatch(tenant, slug), [tenant, slug])
  useEffect(() => () => watch.leave(), [watch])
  const state = useStore(watch.store)
  const { link, view, said } = state
  return (
    <RoomPage page="watch" link={link} onRetry={watch.retryNow} said={said} is_loaded={view !== null}>
      {view !== null && <Board state={state} view={view} tenant={tenant} slug={slug} />}
    </RoomPage>
  )
}

type BoardParts = { state: WatchState; view: WheelView; tenant: string; slug: string }

function Board({ state, view, tenant, slug }: BoardParts) {
  const { value: odds } = useLoaded(() => readOdds(tenant, slug), [tenant, slug])
  return (
    <>
      <section class="watch-stage" aria-label={say('app.watch')}>
        <Wheel segments={view.segments} landing={state.landing} highlighted={state.highlighted} />
      </section>
      <section class="watch-side">
        <h1>{odds?.wheel.wheel_name ?? slug}</h1>
        <div class="watch-counts">
          <p>
            <strong>{numberText(view.players)}</strong> {say('watch.players')}
          </p>
          <p>
            <strong>{numberText(view.spectators)}</strong> {say('watch.spectators')}
          </p>
          {view.round?.status === 'open' && (
            <p class="watch-next">
              {say('watch.next')} <Countdown to_ms={view.round.closes_at_ms} />
            </p>
          )}
        </div>
        <Last state={state} />
        <div class="watch-feed card">
          <h2>{say('watch.latest')}</h2>
          {state.feed.length === 0 ? (
            <p class="empty">{say('live.empty')}</p>
          ) : (
            <Feed feed={state.feed} view={view} />
          )}
        </div>
        <div class="watch-foot">
          <p class="fine">
            {say('watch.commitment')} <Hash value={view.commit_hash} label={say('watch.commitment')} />
          </p>
          <Trust label={view.trust} />
          <p class="row">
            <a class="button button-primary" href={addressOf('play', tenant, slug)}>
              {say('watch.play')}
            </a>
            <a class="button" href={`/odds?${new URLSearchParams({ tenant, wheel: slug })}`}>
              {say('monitor.door')}
            </a>
          </p>
        </div>
      </section>
    </>
  )
}

function Last({ state: { shown } }: { state: WatchState }) {
  if (shown === null) return <p class="watch-last is-waiting">{say('watch.waiting')}</p>
  const { who, name, won, is_turning, event_id } = shown
  return (
    <div class={won && !is_turning ? 'watch-last is-won' : 'watch-last'}>
      <p class="watch-who">{who}</p>
      <p class="watch-name">{is_turning ? '…' : name}</p>
      {!is_turning && (
        <a class="chip" href={`/verify?event=${encodeURIComponent(event_id)}`}>
          {say('result.fair')}
        </a>
      )}
    </div>
  )
}
