/** One wheel for one player: the stage on one side, everything to read on the other. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { readOdds } from '../shared/api.ts'
import { ARC_DEG_MIN } from '../shared/geometry.ts'
import { useLoaded } from '../shared/loading.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { serverClock } from '../shared/server-clock.ts'
import { useStore, useTick } from '../shared/store.ts'
import { Countdown, Crowd, Tabs } from '../shared/ui.tsx'
import { isWidened, prefersStill, Wheel } from '../shared/wheel.tsx'
import type { Round } from '../shared/wheel-room.ts'
import { count, say, sayOr, whenText } from '../strings.ts'
import { FairnessPanel } from './fairness-panel.tsx'
import { type Game, type GameState, makeGame, resultText } from './game.ts'
import { LivePanel, OddsPanel, PrizesPanel, walletAddress } from './panels.tsx'

export const verifyAddress = (event_id: string): string => `/verify?event=${encodeURIComponent(event_id)}`

export function PlayWheel({ tenant, wheel }: { tenant: string; wheel: string }) {
  const game = useMemo(() => makeGame(tenant, wheel), [tenant, wheel])
  useEffect(() => () => game.leave(), [game])
  const state = useStore(game.store)
  const { link, view, said } = state
  const { value: odds } = useLoaded(() => readOdds(tenant, wheel), [tenant, wheel])
  const name = odds?.wheel.wheel_name ?? wheel

  return (
    <RoomPage
      page="play"
      link={link}
      onRetry={game.retryNow}
      said={said}
      is_loaded={view !== null}
      aside={view !== null && <Crowd players={view.players} spectators={view.spectators} />}
    >
      <div class="round-slot">
        <RoundBar game={game} state={state} />
      </div>
      <Stage game={game} state={state} name={name} tenant={tenant} />
      <Side game={game} state={state} tenant={tenant} wheel={wheel} />
    </RoomPage>
  )
}

type Parts = { game: Game; state: GameState; wheel: string }

type StageParts = { game: Game; state: GameState; name: string; tenant: string }

function Stage({ game, state, name, tenant }: StageParts) {
  const view = state.view!
  return (
    <section class="stage" aria-label={say('app.play')}>
      <h1 class="stage-name">{name}</h1>
      <div
        class={state.spin === 'turning' || state.is_round_turning ? 'wheel-wrap is-turning' : 'wheel-wrap'}
      >
        <Wheel segments={view.segments} landing={state.landing} highlighted={state.highlighted} />
      </div>
      <SpinBar game={game} state={state} />
      <Outcome state={state} tenant={tenant} />
      {isWidened(view.segments) && <p class="fine">{say('wheel.widened', { deg: ARC_DEG_MIN })}</p>}
    </section>
  )
}

function SpinBar({ game, state }: { game: Game; state: GameState }) {
  const { chances, spin, is_round_turning, view, link } = state
  const chances_left = chances?.chances_left
  const is_busy = spin !== 'idle' || is_round_turning
  const is_shut = view!.phase !== 'open'
  const button = useRef<HTMLButtonElement>(null)
  return (
    <div class="spin-bar">
      {/* Not `disabled`: a button that loses the focus in mid-spin would throw keyboard players off the page. */}
      <button
        ref={button}
        type="button"
        class="spin-button"
        aria-disabled={is_busy || is_shut || chances_left === 0 || link.status !== 'live'}
        aria-describedby="spin-note"
        onClick={() => {
          if (!is_busy && !is_shut && chances_left !== 0 && link.status === 'live') void game.spin()
        }}
      >
        {say(spin !== 'idle' ? 'spin.busy' : 'spin.button')}
      </button>
      <p class="spin-note" id="spin-note">
        <Chances state={state} />
      </p>
      {is_shut && <p class="why">{phaseText(view!.phase, view!.opens_at)}</p>}
      {state.is_overdue && <p class="why">{say('spin.pending')}</p>}
      {state.why !== null && !state.is_overdue && <p class="why">{state.why}</p>}
      {!is_shut && chances_left === 0 && spin === 'idle' && state.why === null && (
        <p class="why">{say('spin.none_left')}</p>
      )}
      {state.awarded > 0 && <p class="hint">{count('spin.awarded', state.awarded)}</p>}
    </div>
  )
}

function Chances({ state: { chances } }: { state: GameState }) {
  useTick(30_000)
  if (chances === null) return <>{say('spin.chances_unknown')}</>
  const { chances_left, next_expires_at } = chances
  return (
    <>
      <strong class="chances" key={chances_left}>
        {count('spin.chances', chances_left)}
      </strong>
      {chances_left > 0 && next_expires_at && (
        <span class="chances-end">
          {say('spin.next_expires', { when: whenText(Date.parse(next_expires_at), serverClock.now()) })}
        </span>
      )}
    </>
  )
}

function phaseText(phase: string, opens_at: string): string {
  if (phase !== 'scheduled') return sayOr(`phase.${phase}`, phase)
  if (opens_at === '') return say('phase.scheduled_unknown')
  return say('phase.scheduled', { when: whenText(Date.parse(opens_at), serverClock.now()) })
}

/** What came of the last spin, as text that stays. */
function Outcome({ state: { result, round_result }, tenant }: { state: GameState; tenant: string }) {
  const box = useRef<HTMLDivElement>(null)
  const shown = result?.spin_id ?? round_result?.round_id
  useEffect(() => {
    // On a phone the end of the stage can be below the edge.
    box.current?.scrollIntoView({ block: 'nearest', behavior: prefersStill() ? 'auto' : 'smooth' })
  }, [shown])
  if (result !== null) {
    return (
      <div class={result.won ? 'outcome is-won' : 'outcome'} key={result.spin_id} ref={box}>
        <p class="outcome-title">{say(result.won ? 'result.title.won' : 'result.title.lost')}</p>
        <p class="outcome-text">
          {result.award === 'won' || result.award === 'lost' ? result.name : resultText(result)}
        </p>
        <p class="outcome-meta">
          {result.prize_status !== null && (
            <span>
              {say('result.status', {
                status: sayOr(`prize_status.${result.prize_status}`, result.prize_status),
              })}
            </span>
          )}
          <span>{say('result.spin_no', { n: result.nonce })}</span>
        </p>
        <p class="row">
          {result.prize_status !== null && (
            <a class="chip chip-good" href={walletAddress(tenant)}>
              {say('result.wallet')}
            </a>
          )}
          <a class="chip" href={verifyAddress(result.spin_id)}>
            {say('result.fair')}
          </a>
        </p>
      </div>
    )
  }
  if (round_result === null) return null
  return (
    <div class="outcome is-shared" key={round_result.round_id} ref={box}>
      <p class="outcome-title">{say('round.result_title', { no: round_result.round_no })}</p>
      <p class="outcome-text">{round_result.name}</p>
      <a class="chip" href={verifyAddress(round_result.round_id)}>
        {say('round.verify')}
      </a>
    </div>
  )
}

/** The shared spin: when it closes, who is in, and the way in. */
function RoundBar({ game, state }: { game: Game; state: GameState }) {
  const round = state.view!.round
  if (round === null || (round.status !== 'open' && !state.is_round_turning)) return null
  const is_open = round.status === 'open' && !state.is_round_turning
  return (
    <section class="round" aria-label={say('round.title', { no: round.round_no })}>
      <div class="round-text">
        <strong>{say('round.title', { no: round.round_no })}</strong>
        <span>{is_open ? say('round.lead') : say('round.spinning')}</span>
      </div>
      {is_open && <RoundClock round={round} />}
      {is_open && <RoundDoor game={game} round={round} joined={state.joined} />}
      {is_open && <span class="round-entries fine">{count('round.entries', round.entry_count)}</span>}
    </section>
  )
}

function RoundClock({ round }: { round: Round }) {
  return (
    <div class="round-clock">
      <span>{say('round.closes')}</span>
      <Countdown to_ms={round.closes_at_ms} />
    </div>
  )
}

function RoundDoor({ game, round, joined }: { game: Game; round: Round; joined: GameState['joined'] }) {
  useTick(500)
  const [is_sending, setSending] = useState(false)
  const has_closed = serverClock.now() >= round.closes_at_ms
  const has_joined = joined?.round_id === round.round_id
  return (
    <div class="round-door">
      {has_joined ? (
        <span class="hint">{say('round.joined', { n: joined!.entry_index + 1 })}</span>
      ) : has_closed ? (
        <span class="hint">{say('round.closed')}</span>
      ) : (
        <button
          type="button"
          class="button button-accent"
          title={say('round.why')}
          aria-disabled={is_sending}
          onClick={() => {
            if (is_sending) return
            setSending(true)
            void game.joinRound().finally(() => setSending(false))
          }}
        >
          {say('round.join')}
        </button>
      )}
    </div>
  )
}

function Side({ game, state, tenant, wheel }: Parts & { tenant: string }) {
  const [tab, setTab] = useState('live')
  const view = state.view!
  const wins = state.my_spins.filter(({ won }) => won).length
  const tabs = [
    { id: 'live', label: say('tabs.live'), panel: <LivePanel state={state} /> },
    {
      id: 'prizes',
      label: say('tabs.prizes'),
      badge: wins || undefined,
      panel: <PrizesPanel state={state} tenant={tenant} />,
    },
    { id: 'odds', label: say('tabs.odds'), panel: <OddsPanel tenant={tenant} wheel={wheel} view={view} /> },
    { id: 'fairness', label: say('tabs.fairness'), panel: <FairnessPanel game={game} state={state} /> },
  ]
  return (
    <aside class="side card">
      <Tabs tabs={tabs} chosen={tab} onChoose={setTab} label={say('tabs.label')} />
    </aside>
  )
}
