/** Live wheels to choose from. */
import { useEffect } from 'preact/hooks'
import { type LobbyGame, lobbyWheels } from '../shared/api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { guest } from '../shared/session.ts'
import { Crowd, Header } from '../shared/ui.tsx'
import { say, sayOr } from '../strings.ts'

/** Player counts move all the time; this is often enough to choose by. */
const REFRESH_MS = 5_000

export const addressOf = (page: 'play' | 'watch', tenant: string, slug: string): string => {
  const query = new URLSearchParams({
    ...(tenant !== 'demo' && { tenant }),
    [page === 'play' ? 'wheel' : 'game']: slug,
  })
  return `${page === 'play' ? '/' : '/watch'}?${query}`
}

export function Lobby({ tenant }: { tenant: string }) {
  const { value: games, refusal, reload } = useLoaded(() => readLobby(tenant), [tenant])
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), REFRESH_MS)
    return () => clearInterval(timer)
  }, [])

  return (
    <>
      <Header page="play" />
      <main id="main" class="lobby">
        <h1>{say('lobby.title')}</h1>
        <p class="lead">{say('lobby.lead')}</p>
        {games === undefined && refusal === undefined && <LobbySkeleton />}
        {refusal !== undefined && games === undefined && (
          <div class="card notice" role="alert">
            <p>
              {say('lobby.error')} {whyText(refusal)}
            </p>
            <button type="button" class="button" onClick={reload}>
              {say('app.retry')}
            </button>
          </div>
        )}
        {games?.length === 0 && <p class="card empty">{say('lobby.empty')}</p>}
        <ul class="lobby-list">
          {games?.map((game) => (
            <LobbyCard key={game.slug} game={game} tenant={tenant} />
          ))}
        </ul>
      </main>
    </>
  )
}

/** Some tenants show their lobby only to players; a guest is made then, and only then. */
async function readLobby(tenant: string): Promise<LobbyGame[]> {
  try {
    return await lobbyWheels(tenant)
  } catch (error) {
    if ((error as { code?: string }).code !== 'unauthorized') throw error
    return lobbyWheels(tenant, (await guest(tenant)).token)
  }
}

function LobbyCard({ game, tenant }: { game: LobbyGame; tenant: string }) {
  const { slug, name, status, players, spectators, description } = game
  return (
    <li class="card lobby-card">
      <div class="lobby-art" aria-hidden="true">
        <MiniWheel seed={slug} />
      </div>
      <div class="lobby-text">
        <h2>{name}</h2>
        {description && <p>{description}</p>}
        <p class="meta">
          <span class={`pill pill-${status === 'live' || status === 'open' ? 'live' : 'quiet'}`}>
            <span class="dot" aria-hidden="true" />
            {sayOr(`lobby.status.${status}`, status)}
          </span>
          <Crowd players={players} spectators={spectators} />
        </p>
      </div>
      <p class="row">
        <a class="button button-primary" href={addressOf('play', tenant, slug)}>
          {say('lobby.join', { name })}
        </a>
        <a class="button" href={addressOf('watch', tenant, slug)}>
          {say('lobby.watch')}
        </a>
      </p>
    </li>
  )
}

/** A picture, not the wheel: the lobby does not know the segments. */
function MiniWheel({ seed }: { seed: string }) {
  const turn = [...seed].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 60
  const colors = ['#5b3df5', '#ffb000', '#00806c', '#ff8fb3', '#0b5fa5', '#e8e36b']
  return (
    <svg viewBox="-50 -50 100 100" aria-hidden="true">
      <g transform={`rotate(${turn})`}>
        {colors.map((color, i) => (
          <path key={color} fill={color} transform={`rotate(${i * 60})`} d="M0 0V-44A44 44 0 0 1 38.1-22Z" />
        ))}
      </g>
      <circle r="47" fill="none" stroke="#2a2550" stroke-width="5" />
      <circle r="10" fill="#fff" />
    </svg>
  )
}

function LobbySkeleton() {
  return (
    <div class="card skeleton" role="status">
      {say('app.loading')}
    </div>
  )
}
