/** Games to choose from. */
import { useEffect } from 'preact/hooks'
import { type LobbyGame, lobbyGames } from '../shared/api.ts'
import { guessAddress, watchDrawAddress } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { raffleAddress, watchRaffleAddress } from '../shared/raffle-api.ts'
import { whyText } from '../shared/refusal.ts'
import { guest } from '../shared/session.ts'
import { Countdown, Crowd, Header } from '../shared/ui.tsx'
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

/** Where the games of each kind are played and watched. Kinds without a page are not listed. */
const DOORS: Record<string, (tenant: string, slug: string) => { play: string; watch: string }> = {
  wheel: (tenant, slug) => ({
    play: addressOf('play', tenant, slug),
    watch: addressOf('watch', tenant, slug),
  }),
  guess: (tenant, slug) => ({ play: guessAddress(tenant, slug), watch: watchDrawAddress(tenant, slug) }),
  raffle: (tenant, slug) => ({ play: raffleAddress(tenant, slug), watch: watchRaffleAddress(tenant, slug) }),
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
    return (await lobbyGames(tenant)).filter(({ kind }) => kind in DOORS)
  } catch (error) {
    if ((error as { code?: string }).code !== 'unauthorized') throw error
    return (await lobbyGames(tenant, (await guest(tenant)).token)).filter(({ kind }) => kind in DOORS)
  }
}

function LobbyCard({ game, tenant }: { game: LobbyGame; tenant: string }) {
  const { kind, slug, name, status, players, spectators, closes_at } = game
  const { play, watch } = DOORS[kind]!(tenant, slug)
  return (
    <li class="card lobby-card">
      <div class="lobby-art" aria-hidden="true">
        {kind === 'wheel' ? <MiniWheel seed={slug} /> : kind === 'raffle' ? <MiniTickets /> : <MiniJar />}
      </div>
      <div class="lobby-text">
        <h2>{name}</h2>
        {kind !== 'wheel' && <p class="fine">{sayOr(`lobby.kind.${kind}`, kind)}</p>}
        <p class="meta">
          <span class={`pill pill-${status === 'live' || status === 'open' ? 'live' : 'quiet'}`}>
            <span class="dot" aria-hidden="true" />
            {sayOr(`lobby.status.${status}`, status)}
          </span>
          {closes_at !== null && status === 'open' && (
            <span class="lobby-clock">
              {say('lobby.closes')} <Countdown to_ms={Date.parse(closes_at)} />
            </span>
          )}
          <Crowd players={players} spectators={spectators} />
        </p>
      </div>
      <p class="row">
        <a class="button button-primary" href={play}>
          {say('lobby.join', { name })}
        </a>
        <a class="button" href={watch}>
          {say('lobby.watch')}
        </a>
      </p>
    </li>
  )
}

/** A picture of a game that is guessed at. */
function MiniJar() {
  return (
    <svg viewBox="0 0 100 100" aria-hidden="true">
      <rect x="22" y="24" width="56" height="66" rx="14" fill="#2a2550" />
      <rect x="28" y="12" width="44" height="13" rx="5" fill="#ffb000" />
      <text x="50" y="70" text-anchor="middle" font-size="40" font-weight="800" fill="#fff">
        ?
      </text>
    </svg>
  )
}

/** A picture of tickets. */
function MiniTickets() {
  const ticket =
    'M6 0h64a6 6 0 0 1 6 6v8a7 7 0 0 0 0 14v8a6 6 0 0 1-6 6H6a6 6 0 0 1-6-6v-8a7 7 0 0 0 0-14V6a6 6 0 0 1 6-6Z'
  return (
    <svg viewBox="0 0 100 100" aria-hidden="true">
      <path d={ticket} transform="translate(16 12) rotate(8)" fill="#ffb000" />
      <g transform="translate(10 44) rotate(-6)">
        <path d={ticket} fill="#5b3df5" />
        <path d="M54 5v32" stroke="#fff" stroke-width="2" stroke-dasharray="4 4" />
        <text x="28" y="31" text-anchor="middle" font-size="27" font-weight="800" fill="#fff">
          7
        </text>
      </g>
    </svg>
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
