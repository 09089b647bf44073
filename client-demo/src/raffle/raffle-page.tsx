/** The page of one raffle, and of the list of raffles when none is named. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { lobbyGames } from '../shared/api.ts'
import { useLoaded } from '../shared/loading.ts'
import { raffleAddress, watchRaffleAddress } from '../shared/raffle-api.ts'
import { type RaffleWinner, useDraws } from '../shared/raffle-room.ts'
import { whyText } from '../shared/refusal.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { useStore } from '../shared/store.ts'
import { type Money, moneyText } from '../shared/tenant.ts'
import { Countdown, Crowd, Hash, Header, Tabs, Trust } from '../shared/ui.tsx'
import { count, numberText, say, sayOr } from '../strings.ts'
import { BuyPanel, PickedBar } from './buy-panel.tsx'
import { Draws } from './draws-panel.tsx'
import { type Phase, phaseOf } from './phase.ts'
import { makeRafflePlay, type RafflePlay, type RaffleUser } from './raffle.ts'
import { Tickets } from './tickets.tsx'
import { Wall } from './wall.tsx'
import { prizeName, winnersSaid } from './words.ts'

export function RafflePage({ tenant, game }: { tenant: string; game: string }) {
  const play = useMemo(() => makeRafflePlay(tenant, game), [tenant, game])
  useEffect(() => () => play.leave(), [play])
  const state = useStore(play.store)
  const { view, link, said } = state
  return (
    <RoomPage
      page="raffle"
      link={link}
      onRetry={play.retryNow}
      said={said}
      is_loaded={view !== null}
      aside={view && <Crowd players={view.players} spectators={view.spectators} />}
    >
      {view !== null && <Raffle play={play} state={state} tenant={tenant} game={game} />}
    </RoomPage>
  )
}

type Parts = { play: RafflePlay; state: RaffleUser; tenant: string; game: string }

function Raffle({ play, state, tenant, game }: Parts) {
  const [tab, setTab] = useState('draws')
  const { board, tickets } = state
  const view = state.view!
  const money: Money = { currency: view.currency, decimals: state.decimals }
  const mine = new Set(tickets.map(({ ticket_number }) => ticket_number))
  const steps = useDraws(view, board, (winners) => play.say(winnersSaid(winners, view, mine)))
  const won = steps.flatMap(({ winners }) =>
    winners.filter((each) => !each.is_alternate && mine.has(each.ticket_number)),
  )
  const tabs = [
    { id: 'draws', label: say('raffle.tab.draws'), panel: <Draws steps={steps} board={board} mine={mine} /> },
    {
      id: 'tickets',
      label: say('raffle.mine'),
      badge: tickets.length > 0 ? tickets.length : undefined,
      panel: <Tickets play={play} state={state} />,
    },
    ...(view.instant_hash === ''
      ? []
      : [{ id: 'instant', label: say('raffle.tab.instant'), panel: <Instant state={state} /> }]),
    {
      id: 'fairness',
      label: say('tabs.fairness'),
      panel: <Fairness state={state} tenant={tenant} game={game} />,
    },
  ]
  return (
    <div class={view.phase === 'open' ? 'raffle-columns' : 'raffle-columns is-closed'}>
      <div class="raffle-main">
        <Campaign state={state} money={money} phase={phaseOf(view, steps)} />
        {won.map((winner) => (
          <Won
            key={`${winner.draw_id}:${winner.place}`}
            winner={winner}
            play={play}
            state={state}
            tenant={tenant}
          />
        ))}
        <Wall play={play} state={state}>
          <PickedBar play={play} state={state} money={money} />
        </Wall>
      </div>
      <div class="raffle-side">
        <BuyPanel play={play} state={state} money={money} others={listAddress(tenant)} />
        <aside class="side card">
          <Tabs tabs={tabs} chosen={tab} onChoose={setTab} label={say('raffle.tabs')} />
        </aside>
      </div>
    </div>
  )
}

const listAddress = (tenant: string): string =>
  tenant === 'demo' ? '/raffle' : `/raffle?tenant=${encodeURIComponent(tenant)}`

/** What it is, when it closes, what a ticket costs, how many are gone. */
function Campaign({ state, money, phase }: { state: RaffleUser; money: Money; phase: Phase }) {
  const view = state.view!
  const { board } = state
  const share = view.total === 0 ? 0 : (view.total - view.left) / view.total
  const { description = null, rules, cancelled_why = null } = board?.raffle ?? {}
  return (
    <section class="card campaign" aria-labelledby="raffle-title">
      <div class="campaign-head">
        <h1 id="raffle-title">{view.title}</h1>
        <p class="price">
          <strong>
            {view.ticket_price === 0 ? say('raffle.free') : moneyText(view.ticket_price, money)}
          </strong>
          <span class="fine">{say('raffle.a_ticket')}</span>
        </p>
      </div>
      {description !== null && <p class="lead">{description}</p>}
      <div class="guess-clock">
        <p class="guess-phase">{phase.text}</p>
        {phase.to_ms !== null && <Countdown to_ms={phase.to_ms} />}
      </div>
      {view.phase === 'cancelled' && (
        <p class="why">
          {cancelled_why === null
            ? sayOr(`guess.cancel.${view.draws[0]?.cancel_reason}`, say('raffle.cancelled'))
            : say('raffle.cancelled_why', { why: cancelled_why })}{' '}
          {say('raffle.refunded')}
        </p>
      )}
      <div class="sold">
        <p>
          <strong>{numberText(view.sold)}</strong> {say('raffle.sold_of', { n: view.total })}
          <span class="fine">{view.phase === 'open' && count('raffle.left', view.left)}</span>
        </p>
        <div
          class="sold-bar"
          role="progressbar"
          aria-label={say('raffle.sold')}
          aria-valuemin={0}
          aria-valuemax={view.total}
          aria-valuenow={view.sold}
        >
          <div style={{ width: `${(share * 100).toFixed(2)}%` }} />
        </div>
      </div>
      {rules !== undefined && (
        <p class="fine">
          {say(rules.unit === 'person' ? 'raffle.rule.person' : 'raffle.rule.ticket')}{' '}
          {say(rules.repeat_winners ? 'raffle.rule.repeat' : 'raffle.rule.once')}{' '}
          {view.draws.length > 1 && say(`raffle.rule.${rules.carry_over}`)}
        </p>
      )}
    </section>
  )
}

type WonParts = { winner: RaffleWinner; play: RafflePlay; state: RaffleUser; tenant: string }

function Won({ winner, play, state, tenant }: WonParts) {
  const { draw_id, place, prize, ticket_number, status } = winner
  const draw = state.view!.draws.find((each) => each.draw_id === draw_id)
  const is_settled = draw?.status === 'settled'
  const is_claimable = is_settled && (status === 'announced' || status === 'contacted')
  const days = state.board?.raffle.rules.claim_days ?? 0
  return (
    <div class="outcome is-won raffle-won">
      <p class="outcome-title">{say('guess.won.title')}</p>
      <p class="outcome-text">{prizeName(state.board, draw_id, prize) || say('raffle.some_prize')}</p>
      <p class="outcome-meta">
        {say('raffle.won_with', { draw: draw?.name ?? '', place, n: ticket_number })}
      </p>
      {is_claimable && (
        <>
          <button type="button" class="button button-primary" onClick={() => void play.claim(draw_id)}>
            {say('raffle.claim')}
          </button>
          <p class="fine">{count('raffle.claim_until', days)}</p>
        </>
      )}
      {status === 'claimed' && <p class="good">{say('raffle.claimed')}</p>}
      {is_settled && prize !== '' && (
        <a class="chip chip-good" href={tenant === 'demo' ? '/wallet' : `/wallet?tenant=${tenant}`}>
          {say('result.wallet')}
        </a>
      )}
    </div>
  )
}

function Instant({ state: { instant } }: { state: RaffleUser }) {
  if (instant === null) return <p class="empty">{say('app.loading')}</p>
  const hit = instant.wins.filter(({ player }) => player !== null)
  return (
    <>
      <p>{count('raffle.instant.lead', instant.count)}</p>
      {hit.length === 0 && <p class="empty">{say('raffle.instant.empty')}</p>}
      <ul class="feed" aria-label={say('raffle.tab.instant')}>
        {instant.wins.map(({ number, player }) => (
          <li key={number} class={player === null ? undefined : 'is-won'}>
            <span class="ticket-no">{number}</span>
            <span class="feed-text">{player ?? say('raffle.instant.unsold')}</span>
            <span />
          </li>
        ))}
      </ul>
      <dl class="fair-box">
        <dt>{say('raffle.instant.hash')}</dt>
        <dd>
          <Hash value={instant.seed_hash ?? ''} label={say('raffle.instant.hash')} />
        </dd>
        {instant.seed !== null && (
          <>
            <dt>{say('raffle.instant.seed')}</dt>
            <dd>
              <Hash value={instant.seed} label={say('raffle.instant.seed')} />
            </dd>
          </>
        )}
      </dl>
    </>
  )
}

function Fairness({ state, tenant, game }: Omit<Parts, 'play'>) {
  const view = state.view!
  return (
    <div class="fair">
      <p>{say('raffle.fair')}</p>
      {view.draws.map((draw) => (
        <dl key={draw.draw_id} class="fair-box">
          <dt>
            {draw.name}: {say('draw.commitment')}
          </dt>
          <dd>
            <Hash value={draw.commit_hash} label={`${draw.name}: ${say('draw.commitment')}`} />
          </dd>
          <dt>{say('draw.root')}</dt>
          <dd>
            {draw.entries_root === '' ? (
              say('draw.root_open')
            ) : (
              <Hash value={draw.entries_root} label={`${draw.name}: ${say('draw.root')}`} />
            )}
          </dd>
        </dl>
      ))}
      <Trust label={view.trust} />
      <p class="row">
        <a class="button" href={watchRaffleAddress(tenant, game)}>
          {say('guess.watch')}
        </a>
        <a class="button" href={listAddress(tenant)}>
          {say('raffle.others')}
        </a>
      </p>
    </div>
  )
}

/** Raffles that are not over, when the address names none. */
export function RaffleList({ tenant }: { tenant: string }) {
  const { value, refusal, reload } = useLoaded(
    async () => (await lobbyGames(tenant)).filter(({ kind }) => kind === 'raffle'),
    [tenant],
  )
  return (
    <>
      <Header page="raffle" />
      <main id="main" class="lobby">
        <h1>{say('raffle.list.title')}</h1>
        <p class="lead">{say('raffle.list.lead')}</p>
        {value === undefined && (
          <div class="card notice" role={refusal ? 'alert' : 'status'}>
            <p>{refusal ? whyText(refusal) : say('app.loading')}</p>
          </div>
        )}
        {value?.length === 0 && <p class="card empty">{say('raffle.list.empty')}</p>}
        <ul class="lobby-list">
          {value?.map(({ slug, name, status, closes_at, players, spectators }) => (
            <li key={slug} class="card lobby-card is-plain">
              <div class="lobby-text">
                <h2>{name}</h2>
                <p class="meta">
                  <span class={`pill pill-${status === 'open' ? 'live' : 'quiet'}`}>
                    {sayOr(`lobby.status.${status}`, status)}
                  </span>
                  {closes_at !== null && status === 'open' && <Countdown to_ms={Date.parse(closes_at)} />}
                  <Crowd players={players} spectators={spectators} />
                </p>
              </div>
              <p class="row">
                <a class="button button-primary" href={raffleAddress(tenant, slug)}>
                  {say('lobby.join', { name })}
                </a>
                <a class="button" href={watchRaffleAddress(tenant, slug)}>
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
