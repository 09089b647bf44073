/** The page of one guess game, and of the list of games when none is named. */
import { useState } from 'preact/hooks'
import {
  type GameView,
  guessAddress,
  readActiveGames,
  readLeaders,
  readStats,
  watchDrawAddress,
} from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { Countdown, Crowd, Hash, Header, Tabs, Trust } from '../shared/ui.tsx'
import { count, say, sayOr } from '../strings.ts'
import type { GuessState } from './game.ts'
import { GuessPanel, useGuessGame } from './guess-panel.tsx'

export function GuessPage({ tenant, game_id }: { tenant: string; game_id: string }) {
  const { game, state } = useGuessGame(tenant, game_id)
  const { view, link, said } = state
  return (
    <RoomPage
      page="guess"
      link={link}
      onRetry={game.retryNow}
      said={said}
      is_loaded={view !== null}
      aside={view && <Crowd players={view.players} spectators={view.spectators} />}
    >
      {view !== null && (
        <div class="guess-columns">
          <section class="card guess-card" aria-labelledby="guess-title">
            <h1 id="guess-title">{view.title}</h1>
            <GuessPanel game={game} state={state} tenant={tenant} />
          </section>
          <Side state={state} tenant={tenant} game_id={game_id} />
        </div>
      )}
    </RoomPage>
  )
}

function Side({ state, tenant, game_id }: { state: GuessState; tenant: string; game_id: string }) {
  const [tab, setTab] = useState('leaders')
  const tabs = [
    { id: 'leaders', label: say('guess.tab.leaders'), panel: <Leaders state={state} tenant={tenant} /> },
    { id: 'stats', label: say('guess.tab.stats'), panel: <Record state={state} /> },
    {
      id: 'fairness',
      label: say('tabs.fairness'),
      panel: <Fairness state={state} tenant={tenant} game_id={game_id} />,
    },
  ]
  return (
    <aside class="side card">
      <Tabs tabs={tabs} chosen={tab} onChoose={setTab} label={say('guess.tabs')} />
    </aside>
  )
}

function Leaders({ state: { token, view }, tenant }: { state: GuessState; tenant: string }) {
  const { value, refusal } = useLoaded(() => readLeaders(tenant, token ?? undefined), [view?.phase, token])
  if (value === undefined) return <p class="empty">{refusal ? whyText(refusal) : say('app.loading')}</p>
  if (value.length === 0) return <p class="empty">{say('guess.leaders.empty')}</p>
  return (
    <table class="odds">
      <thead>
        <tr>
          <th scope="col">{say('guess.leaders.player')}</th>
          <th scope="col">{say('guess.leaders.wins')}</th>
          <th scope="col">{say('guess.leaders.games')}</th>
        </tr>
      </thead>
      <tbody>
        {value.map(({ rank, player, is_me, wins, games }) => (
          <tr key={rank} class={is_me ? 'is-me' : undefined}>
            <th scope="row">
              {rank}. {player} {is_me && <span class="tag">{say('guess.leaders.me')}</span>}
            </th>
            <td>{wins}</td>
            <td>{games}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Record({ state: { token, view } }: { state: GuessState }) {
  const { value, refusal } = useLoaded(
    async () => (token === null ? null : readStats(token)),
    [view?.phase, token],
  )
  if (value == null) return <p class="empty">{refusal ? whyText(refusal) : say('app.loading')}</p>
  const rows = [
    ['guess.stats.games', value.games],
    ['guess.stats.wins', value.wins],
    ['guess.stats.entries', value.entries],
    ['guess.stats.streak', value.streak],
  ] as const
  return (
    <>
      <dl class="stats">
        {rows.map(([key, n]) => (
          <div key={key}>
            <dt>{say(key)}</dt>
            <dd>{n}</dd>
          </div>
        ))}
      </dl>
      <p class="fine">{say('guess.stats.note')}</p>
    </>
  )
}

function Fairness({ state, tenant, game_id }: { state: GuessState; tenant: string; game_id: string }) {
  const view = state.view!
  return (
    <div class="fair">
      <p>{say('guess.fair.lead')}</p>
      <dl class="fair-box">
        <dt>{say('draw.commitment')}</dt>
        <dd>
          <Hash value={view.commit_hash} label={say('draw.commitment')} />
        </dd>
        <dt>{say('draw.root')}</dt>
        <dd>
          {view.entries_root === '' ? (
            say('draw.root_open')
          ) : (
            <Hash value={view.entries_root} label={say('draw.root')} />
          )}
        </dd>
      </dl>
      <Trust label={view.trust} />
      <p class="row">
        <a class="button" href={`/draw?id=${view.draw_id}`}>
          {say('guess.draw_page')}
        </a>
        <a class="button" href={watchDrawAddress(tenant, game_id)}>
          {say('guess.watch')}
        </a>
      </p>
    </div>
  )
}

const statusOf = ({ status, paused_until }: GameView): string => (paused_until === null ? status : 'paused')

/** Games that can be played now, when the address names none. */
export function GuessList({ tenant }: { tenant: string }) {
  const { value, refusal, reload } = useLoaded(() => readActiveGames(tenant), [tenant])
  return (
    <>
      <Header page="guess" />
      <main id="main" class="lobby">
        <h1>{say('guess.list.title')}</h1>
        <p class="lead">{say('guess.list.lead')}</p>
        {value === undefined && (
          <div class="card notice" role={refusal ? 'alert' : 'status'}>
            <p>{refusal ? whyText(refusal) : say('app.loading')}</p>
          </div>
        )}
        {value?.length === 0 && <p class="card empty">{say('guess.list.empty')}</p>}
        <ul class="lobby-list">
          {value?.map((game) => (
            <li key={game.game_id} class="card lobby-card is-plain">
              <div class="lobby-text">
                <h2>{game.title}</h2>
                {game.reward.text && <p>{game.reward.text}</p>}
                <p class="meta">
                  <span class={`pill pill-${statusOf(game) === 'open' ? 'live' : 'quiet'}`}>
                    {sayOr(`lobby.status.${statusOf(game)}`, game.status)}
                  </span>
                  <span>{count('guess.entries', game.entry_count)}</span>
                  <Countdown to_ms={Date.parse(game.closes_at)} />
                </p>
              </div>
              <p class="row">
                <a class="button button-primary" href={guessAddress(tenant, game.game_id)}>
                  {say('lobby.join', { name: game.title })}
                </a>
                <a class="button" href={watchDrawAddress(tenant, game.game_id)}>
                  {say('lobby.watch')}
                </a>
              </p>
            </li>
          ))}
        </ul>
        <p>
          <button type="button" class="button" onClick={reload}>
            {say('guess.list.reload')}
          </button>
        </p>
      </main>
    </>
  )
}
