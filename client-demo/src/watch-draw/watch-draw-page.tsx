/** Follows a guess game or a raffle as a spectator and shows it large. Without a name it picks what closes first. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { phaseText, Winners } from '../guess/guess-panel.tsx'
import { lobbyGames } from '../shared/api.ts'
import { keepCheckpoint } from '../shared/checkpoint.ts'
import { drawAddress, guessAddress, verifyDrawAddress } from '../shared/guess-api.ts'
import { connectGuess, type GuessView, useStep } from '../shared/guess-room.ts'
import type { Link } from '../shared/live.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { makeStore, useStore } from '../shared/store.ts'
import { Countdown, Hash, Header, Trust } from '../shared/ui.tsx'
import { numberText, say } from '../strings.ts'
import { RaffleScreen } from './raffle-screen.tsx'

/** Which game is watched. */
export type Watched = { kind: 'guess' | 'raffle'; game: string }
type Props = { tenant: string; watched: Watched | undefined }

export function WatchDrawPage({ tenant, watched }: Props) {
  const { value, refusal, reload } = useLoaded(
    async () => watched ?? (await closesFirst(tenant)) ?? null,
    [tenant, watched],
  )
  if (value != null) {
    return value.kind === 'raffle' ? (
      <RaffleScreen key={value.game} tenant={tenant} game={value.game} />
    ) : (
      <Screen key={value.game} tenant={tenant} game_id={value.game} />
    )
  }
  return (
    <>
      <Header page="watch" />
      <main id="main" class="watch-empty">
        <div class="card notice" role="status">
          <p>{refusal ? whyText(refusal) : value === null ? say('watch_draw.empty') : say('app.loading')}</p>
          {(refusal !== undefined || value === null) && (
            <button type="button" class="button" onClick={reload}>
              {say('app.retry')}
            </button>
          )}
        </div>
      </main>
    </>
  )
}

/** The game of the lobby whose list is sealed next, or is being drawn. */
async function closesFirst(tenant: string): Promise<Watched | undefined> {
  const games = (await lobbyGames(tenant)).filter(({ kind }) => kind === 'guess' || kind === 'raffle')
  const [first] = games.sort((a, b) => String(a.closes_at).localeCompare(String(b.closes_at)))
  return first && { kind: first.kind as Watched['kind'], game: first.slug }
}

function makeScreen(tenant: string, game_id: string) {
  const store = makeStore<{ link: Link; view: GuessView | null }>({
    link: { status: 'connecting' },
    view: null,
  })
  const live = connectGuess({ tenant, game: game_id, spectate: true }, async () => undefined, {
    link: (link) => store.set({ link }),
    view(view) {
      store.set({ view })
      if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
    },
  })
  return { store, live }
}

function Screen({ tenant, game_id }: { tenant: string; game_id: string }) {
  const { store, live } = useMemo(() => makeScreen(tenant, game_id), [tenant, game_id])
  useEffect(() => () => live.leave(), [live])
  const { link, view } = useStore(store)
  const [said, setSaid] = useState('')
  return (
    <RoomPage page="watch-draw" link={link} onRetry={live.retryNow} said={said} is_loaded={view !== null}>
      {view !== null && <Board view={view} tenant={tenant} game_id={game_id} onSaid={setSaid} />}
    </RoomPage>
  )
}

type BoardParts = { view: GuessView; tenant: string; game_id: string; onSaid: (text: string) => void }

function Board({ view, tenant, game_id, onSaid }: BoardParts) {
  const step = useStep(view, ({ place, player, guess }) =>
    onSaid(
      say(view.mode === 'draw' ? 'guess.said.winner_draw' : 'guess.said.winner', { place, player, n: guess }),
    ),
  )
  const to_ms =
    view.phase === 'open'
      ? view.closes_at_ms
      : view.phase === 'paused'
        ? view.paused_until_ms
        : view.phase === 'scheduled'
          ? view.opens_at_ms
          : (step.next?.reveal_at_ms ?? null)
  return (
    <>
      <section class="stage-draw" aria-label={say('app.watch')}>
        <h1>{view.title}</h1>
        <p class="guess-phase">{phaseText(view, step)}</p>
        {to_ms !== null ? (
          <p class="big-clock">
            <Countdown to_ms={to_ms} />
          </p>
        ) : (
          step.is_over &&
          view.winning_numbers.length > 0 && (
            <p class="big-number">
              <span>{say('guess.number')}</span>
              <strong>{view.winning_numbers.map(numberText).join(', ')}</strong>
            </p>
          )
        )}
        <p class="watch-counts">
          <span>
            <strong>{numberText(view.entries)}</strong> {say('watch_draw.entries')}
          </span>
          <span>
            <strong>{numberText(view.players)}</strong> {say('watch.players')}
          </span>
          <span>
            <strong>{numberText(view.spectators)}</strong> {say('watch.spectators')}
          </span>
        </p>
      </section>
      <section class="watch-side">
        {view.reveals.length > 0 ? (
          <Winners view={view} step={step} mine={null} />
        ) : (
          <p class="watch-last is-waiting">
            {say(view.phase === 'cancelled' ? 'guess.cancelled' : 'watch_draw.waiting')}
          </p>
        )}
        <div class="watch-foot">
          <p class="fine">
            {say('draw.commitment')} <Hash value={view.commit_hash} label={say('draw.commitment')} />
          </p>
          {view.entries_root !== '' && (
            <p class="fine">
              {say('draw.root')} <Hash value={view.entries_root} label={say('draw.root')} />
            </p>
          )}
          <Trust label={view.trust} />
          <p class="row">
            {view.phase === 'open' && (
              <a class="button button-primary" href={guessAddress(tenant, game_id)}>
                {say('watch.play')}
              </a>
            )}
            <a class="button" href={drawAddress(view.draw_id)}>
              {say('guess.draw_page')}
            </a>
            {step.is_over && (
              <a class="button" href={verifyDrawAddress(view.draw_id)}>
                {say('result.fair')}
              </a>
            )}
          </p>
        </div>
      </section>
    </>
  )
}
