/** A raffle on the big screen: its countdown, its tickets, its winners in step with everybody's. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { RaffleWinners } from '../raffle/draws-panel.tsx'
import { type Phase, phaseOf } from '../raffle/phase.ts'
import { winnersSaid } from '../raffle/words.ts'
import { keepCheckpoint } from '../shared/checkpoint.ts'
import { drawAddress, verifyDrawAddress } from '../shared/guess-api.ts'
import type { Link } from '../shared/live.ts'
import { type RaffleBoard, raffleAddress, readBoard } from '../shared/raffle-api.ts'
import {
  connectRaffle,
  type DrawStep,
  lifeOf,
  type RaffleView,
  type RaffleWinner,
  useDraws,
} from '../shared/raffle-room.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { makeStore, useStore } from '../shared/store.ts'
import { Countdown, Hash, Trust } from '../shared/ui.tsx'
import { numberText, say } from '../strings.ts'

type Watching = { link: Link; view: RaffleView | null; board: RaffleBoard | null }

function makeScreen(tenant: string, game: string) {
  const store = makeStore<Watching>({ link: { status: 'connecting' }, view: null, board: null })
  // A board that cannot be read now is read at the next change; the room alone shows who won.
  const readAgain = () =>
    readBoard(tenant, game).then(
      (board) => store.set({ board }),
      () => {},
    )
  const live = connectRaffle({ tenant, game, spectate: true }, async () => undefined, {
    link: (link) => store.set({ link }),
    view(view) {
      const before = store.get().view
      store.set({ view })
      if (view.checkpoint !== '') keepCheckpoint(view.checkpoint, tenant)
      if (before !== null && lifeOf(before) !== lifeOf(view)) void readAgain()
    },
    ready: () => void readAgain(),
  })
  return { store, live }
}

export function RaffleScreen({ tenant, game }: { tenant: string; game: string }) {
  const { store, live } = useMemo(() => makeScreen(tenant, game), [tenant, game])
  useEffect(() => () => live.leave(), [live])
  const { link, view, board } = useStore(store)
  const [said, setSaid] = useState('')
  return (
    <RoomPage page="watch-draw" link={link} onRetry={live.retryNow} said={said} is_loaded={view !== null}>
      {view !== null && <Screen view={view} board={board} tenant={tenant} game={game} onSaid={setSaid} />}
    </RoomPage>
  )
}

type Parts = {
  view: RaffleView
  board: RaffleBoard | null
  tenant: string
  game: string
  onSaid: (text: string) => void
}

const NOBODY: ReadonlySet<string> = new Set()

function Screen({ view, board, tenant, game, onSaid }: Parts) {
  const steps = useDraws(view, board, (winners) => onSaid(winnersSaid(winners, view, NOBODY)))
  const phase = phaseOf(view, steps)
  const drawn = steps.filter(({ reveals, winners }) => reveals.length + winners.length > 0).reverse()
  // Between two draws the clock is what people wait for; at the end the last ticket stays.
  const showing = phase.is_over ? steps : steps.filter(({ next }) => next !== null)
  return (
    <>
      <section class="stage-draw" aria-label={say('app.watch')}>
        <h1>{view.title}</h1>
        <p class="guess-phase">{phase.text}</p>
        <Centre phase={phase} last={newest(showing)} />
        <p class="watch-counts">
          <span>
            <strong>{numberText(view.sold)}</strong> {say('raffle.sold_of', { n: view.total })}
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
        {drawn.length === 0 && (
          <p class="watch-last is-waiting">
            {say(view.phase === 'cancelled' ? 'raffle.cancelled' : 'watch_draw.waiting')}
          </p>
        )}
        {drawn.map((step) => (
          <section key={step.draw.draw_id} class="watch-winners">
            <h2>{step.draw.name}</h2>
            <RaffleWinners step={step} board={board} mine={NOBODY} />
            <p class="row">
              <a class="chip" href={drawAddress(step.draw.draw_id)}>
                {say('guess.draw_page')}
              </a>
              {step.is_over && (
                <a class="chip" href={verifyDrawAddress(step.draw.draw_id)}>
                  {say('result.fair')}
                </a>
              )}
            </p>
          </section>
        ))}
        <div class="watch-foot">
          <p class="fine">
            {say('draw.commitment')} <Hash value={view.commit_hash} label={say('draw.commitment')} />
          </p>
          <Trust label={view.trust} />
          <p class="row">
            <a class="button button-primary" href={raffleAddress(tenant, game)}>
              {say(view.phase === 'open' ? 'watch.play' : 'draw.game')}
            </a>
          </p>
        </div>
      </section>
    </>
  )
}

function newest(steps: readonly DrawStep[]): RaffleWinner | undefined {
  return steps.flatMap(({ winners }) => winners).sort((a, b) => b.reveal_at_ms - a.reveal_at_ms)[0]
}

/** What is largest: the ticket that was just drawn, or the clock to what comes next. */
function Centre({ phase, last }: { phase: Phase; last: RaffleWinner | undefined }) {
  if (last !== undefined) {
    return (
      <p class="big-number" key={`${last.draw_id}:${last.place}`}>
        <span>{say('raffle.ticket')}</span>
        <strong>{last.ticket_number}</strong>
        <span>{last.player}</span>
        {phase.to_ms !== null && <Countdown to_ms={phase.to_ms} />}
      </p>
    )
  }
  if (phase.to_ms === null) return null
  return (
    <p class="big-clock">
      <Countdown to_ms={phase.to_ms} />
    </p>
  )
}
