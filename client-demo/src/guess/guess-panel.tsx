/** A guess game to play: its promise, the form, my guesses, the winners. On its own page and in the reel's dialog. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { claimAddress, readClaims } from '../shared/claims-api.ts'
import {
  drawAddress,
  type Eligibility,
  type GameView,
  type MyGuess,
  verifyDrawAddress,
} from '../shared/guess-api.ts'
import { type GuessView, type ShownWinner, type Step, useStep } from '../shared/guess-room.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { useStore } from '../shared/store.ts'
import { CopyButton, Countdown } from '../shared/ui.tsx'
import { count, numberText, say, sayOr } from '../strings.ts'
import { type GuessGame, type GuessState, makeGuessGame, receiptsOf } from './game.ts'
import { Reward } from './reward.tsx'

/** A game for as long as the component lives. */
export function useGuessGame(tenant: string, game_id: string): { game: GuessGame; state: GuessState } {
  const game = useMemo(() => makeGuessGame(tenant, game_id), [tenant, game_id])
  useEffect(() => () => game.leave(), [game])
  return { game, state: useStore(game.store) }
}

const BEFORE_CLOSE = new Set(['scheduled', 'open', 'paused'])

type Parts = { game: GuessGame; state: GuessState; tenant: string }

export function GuessPanel({ game, state, tenant }: Parts) {
  const view = state.view!
  const step = useStep(view, ({ place, player, guess }) =>
    game.say(
      say(view.mode === 'draw' ? 'guess.said.winner_draw' : 'guess.said.winner', { place, player, n: guess }),
    ),
  )
  const won = placeOf(state.mine, step.winners)
  const has_closed = !BEFORE_CLOSE.has(view.phase)
  return (
    <>
      <GuessHead view={view} step={step} />
      {has_closed && (
        <Result
          {...{ view, step, won, tenant }}
          game={state.game}
          mine={state.mine}
          token={state.token ?? undefined}
        />
      )}
      {state.game !== null && <Reward game={state.game} tenant={tenant} />}
      {!has_closed && state.eligibility !== null && <EntryRules eligibility={state.eligibility} />}
      {view.phase === 'open' && <GuessForm game={game} state={state} view={view} />}
      <MyGuesses mine={state.mine} view={view} />
    </>
  )
}

/** The best place that one of my entries was shown on. */
function placeOf(mine: readonly MyGuess[], winners: readonly ShownWinner[]): ShownWinner | null {
  const own = mine.flatMap(({ entry_index, is_in_force }) =>
    entry_index !== null && is_in_force ? entry_index : [],
  )
  return winners.find(({ entry_index }) => own.includes(entry_index)) ?? null
}

export function GuessHead({ view, step }: { view: GuessView; step: Step }) {
  return (
    <div class="guess-clock">
      <p class="guess-phase">{phaseText(view, step)}</p>
      {view.phase === 'open' && <Countdown to_ms={view.closes_at_ms} />}
      {view.phase === 'paused' && (
        <>
          <Countdown to_ms={view.paused_until_ms} />
          <p class="fine">{say('guess.paused_left', { left: leftText(view) })}</p>
        </>
      )}
      {view.phase === 'scheduled' && <Countdown to_ms={view.opens_at_ms} />}
      {step.next !== null && view.phase === 'drawn' && <Countdown to_ms={step.next.reveal_at_ms} />}
      <p class="fine">{count(view.mode === 'draw' ? 'guess.entries_draw' : 'guess.entries', view.entries)}</p>
    </div>
  )
}

/** What was left of the time when the pause began, and is left after it. */
function leftText({ closes_at_ms, paused_until_ms }: GuessView): string {
  const s = Math.max(0, Math.ceil((closes_at_ms - paused_until_ms) / 1000))
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`
}

/** Who may enter and what some get beside, each rule with a mark for this player. */
function EntryRules({ eligibility }: { eligibility: Eligibility }) {
  const lines = [...eligibility.rules, ...(eligibility.bonus?.offers ?? [])]
  if (lines.length === 0) return null
  return (
    <section class="entry-rules" aria-labelledby="entry-rules">
      <h2 id="entry-rules">{say(eligibility.is_eligible ? 'guess.rules' : 'guess.rules_not_met')}</h2>
      <ul>
        {lines.map(({ says, is_met }) => (
          <li key={says} class={is_met ? 'is-met' : 'is-unmet'}>
            <span class="rule-mark" aria-hidden="true">
              {is_met ? '✓' : '–'}
            </span>
            <span>
              {says} <span class="sr-only">{say(is_met ? 'guess.rule_met' : 'guess.rule_unmet')}</span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

export function phaseText(view: GuessView, { next, is_over }: Step): string {
  if (view.phase === 'drawn' && next !== null) return say('guess.phase.next', { n: next.place })
  if (view.phase === 'settled' && !is_over) return say('guess.phase.drawn')
  return sayOr(`guess.phase.${view.phase}`, view.phase)
}

function GuessForm({ game, state, view }: Omit<Parts, 'tenant'> & { view: GuessView }) {
  const [text, setText] = useState('')
  const [is_bad, setBad] = useState(false)
  const { min, max, mode } = view
  const in_force = state.mine.filter((each) => each.is_in_force && each.bonus === null)
  const terms = state.game
  const is_replacing = terms?.guess_policy === 'replace_until_close'
  // In a game that is guessed at, a bonus is more guesses; in a draw it comes with the entry.
  const more = mode === 'draw' ? 0 : (state.eligibility?.bonus?.entries ?? 0)
  const left = is_replacing ? 1 : (terms?.guesses_per_user ?? 1) + more - in_force.length
  const is_done = left <= 0
  const value = Number(text)
  const is_fine = text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max
  const is_let_in = state.eligibility?.is_eligible !== false
  const is_shut = !is_let_in || state.is_sending || state.link.status !== 'live' || is_done

  const submit = (event: Event) => {
    event.preventDefault()
    if (is_shut) return
    if (mode !== 'draw' && !is_fine) return setBad(true)
    setBad(false)
    void game.guess(mode === 'draw' ? null : value).then(() => setText(''))
  }
  if (is_done && state.refusal === null)
    return <p class="hint guess-done">{say(mode === 'draw' ? 'guess.done_draw' : 'guess.done')}</p>
  return (
    <form class="guess-form" onSubmit={submit} noValidate>
      {mode !== 'draw' && (
        <>
          <label for="guess-value">{say('guess.label', { min, max })}</label>
          <input
            id="guess-value"
            class="guess-input"
            type="number"
            inputMode={min < 0 ? 'text' : 'numeric'}
            min={min}
            max={max}
            step={1}
            autoComplete="off"
            value={text}
            placeholder={in_force[0]?.value != null && is_replacing ? String(in_force[0].value) : '?'}
            aria-invalid={is_bad && !is_fine}
            aria-describedby="guess-help"
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <input
            class="guess-slider"
            type="range"
            min={min}
            max={max}
            value={is_fine ? value : Math.round((min + max) / 2)}
            aria-label={say('guess.slider')}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </>
      )}
      <button type="submit" class="spin-button" aria-disabled={is_shut}>
        {say(
          state.is_sending
            ? 'guess.sending'
            : mode === 'draw'
              ? 'guess.enter'
              : is_replacing && in_force.length > 0
                ? 'guess.change'
                : 'guess.send',
        )}
      </button>
      <div id="guess-help" class="guess-help" role="status">
        {is_bad && !is_fine ? (
          <p class="bad">{say('guess.bad', { min, max })}</p>
        ) : state.refusal !== null ? (
          <p class="why">{whyText(state.refusal)}</p>
        ) : (
          <p class="fine">
            {is_let_in ? helpText(left, is_replacing, in_force.length) : say('guess.not_eligible')}
          </p>
        )}
      </div>
    </form>
  )
}

function helpText(left: number, is_replacing: boolean, made: number): string {
  if (is_replacing) return say(made > 0 ? 'guess.help.replace' : 'guess.help.replace_first')
  return left > 1 ? count('guess.help.left', left) : say('guess.help.once')
}

type ResultParts = {
  view: GuessView
  step: Step
  game: GameView | null
  won: ShownWinner | null
  mine: MyGuess[]
  tenant: string
  token: string | undefined
}

function Result({ view, step, game, won, mine, tenant, token }: ResultParts) {
  if (view.phase === 'cancelled')
    return <p class="why">{sayOr(`guess.cancel.${view.cancel_reason}`, say('guess.cancelled'))}</p>
  return (
    <section class="guess-result" aria-label={say('guess.winners')}>
      {won !== null && (
        <div class="outcome is-won">
          <p class="outcome-title">{say('guess.won.title')}</p>
          <p class="outcome-text">{say('guess.won.place', { n: won.place })}</p>
          <p class="outcome-meta">{game?.reward.text}</p>
          {step.is_over && game?.reward.is_claimed === true && (
            <ClaimDoors game_id={game.game_id} token={token} tenant={tenant} />
          )}
          {step.is_over && game?.reward.is_claimed === false && (
            <a class="chip chip-good" href={tenant === 'demo' ? '/wallet' : `/wallet?tenant=${tenant}`}>
              {say('result.wallet')}
            </a>
          )}
        </div>
      )}
      {won === null && step.is_over && mine.length > 0 && <p class="lead">{say('guess.lost')}</p>}
      {step.is_over && view.winning_numbers.length > 0 && (
        <p class="guess-number">
          <span>{say('guess.number')}</span>{' '}
          <strong>{view.winning_numbers.map(numberText).join(', ')}</strong>
        </p>
      )}
      <Winners view={view} step={step} mine={won?.entry_index ?? null} />
      <p class="row">
        <a class="chip" href={drawAddress(view.draw_id)}>
          {say('guess.draw_page')}
        </a>
        {step.is_over && (
          <a class="chip" href={verifyDrawAddress(view.draw_id)}>
            {say('result.fair')}
          </a>
        )}
      </p>
    </section>
  )
}

/** To the claim of what was won, and to the thread with the creator. Only winners have a claim (S0-22). */
function ClaimDoors({
  game_id,
  token,
  tenant,
}: {
  game_id: string
  token: string | undefined
  tenant: string
}) {
  const { value } = useLoaded(
    async () => (token === undefined ? [] : (await readClaims(token, { side: 'winner', game_id })).data),
    [game_id, token],
  )
  const [claim] = value ?? []
  if (claim === undefined) return null
  const address = claimAddress(tenant, claim.claim_id)
  return (
    <>
      <p class="fine">{say('guess.won.claimed')}</p>
      <p class="won-doors">
        <a class="button button-primary" href={address}>
          {say('guess.won.claim')}
        </a>
        <a class="chip" href={`${address}#messages`}>
          {say('guess.won.message')}
        </a>
      </p>
    </>
  )
}

/** Every place: who stands there, when it is shown, or that nobody does. */
export function Winners({ view, step, mine }: { view: GuessView; step: Step; mine: number | null }) {
  if (view.reveals.length === 0 && step.winners.length === 0) return null
  const places = [...view.reveals].sort((a, b) => a.place - b.place)
  return (
    <ol class="places" aria-label={say('guess.winners')}>
      {places.map(({ place }) => {
        const winner = step.winners.find((each) => each.place === place)
        const is_next = step.next?.place === place
        const kind = winner ? (winner.entry_index === mine ? 'is-shown is-mine' : 'is-shown') : ''
        return (
          <li key={place} class={`place ${kind} ${is_next ? 'is-next' : ''}`}>
            <span class="place-no">{place}</span>
            <span class="place-who">{winner?.player ?? say('guess.hidden')}</span>
            <span class="place-guess">{winner && view.mode !== 'draw' ? numberText(winner.guess) : ''}</span>
          </li>
        )
      })}
      {step.is_over &&
        Array.from({ length: Math.max(0, view.not_awarded) }, (_, i) => places.length + i + 1).map(
          (place) => (
            <li key={place} class="place is-open">
              <span class="place-no">{place}</span>
              <span class="place-who">{say('guess.not_awarded')}</span>
              <span class="place-guess" />
            </li>
          ),
        )}
    </ol>
  )
}

function MyGuesses({ mine, view }: { mine: MyGuess[]; view: GuessView }) {
  if (mine.length === 0) return null
  const receipts = receiptsOf()
  return (
    <section class="my-guesses" aria-labelledby="my-guesses">
      <h2 id="my-guesses">{say(view.mode === 'draw' ? 'guess.mine_draw' : 'guess.mine')}</h2>
      <ol>
        {[...mine].reverse().map((each) => {
          const receipt = receipts[each.submission_id]
          return (
            <li key={each.submission_id} class={each.is_in_force ? 'is-in-force' : 'is-replaced'}>
              <span class="my-guess-value">{each.value === null ? '✓' : numberText(each.value)}</span>
              <span class="my-guess-text">
                {each.bonus !== null
                  ? say('guess.bonus', { label: each.bonus })
                  : say(each.is_in_force ? 'guess.in_force' : 'guess.replaced')}
                <span class="fine">
                  {each.entry_index === null
                    ? say('guess.seq', { n: each.seq + 1 })
                    : say('guess.entry', { n: each.entry_index })}
                </span>
              </span>
              <span class="my-guess-doors">
                {receipt !== undefined && <CopyButton text={receipt} label={say('guess.receipt')} />}
                {view.entries_root !== '' && each.entry_index !== null && (
                  <a class="chip" href={`${drawAddress(view.draw_id)}&entry=${each.entry_index}`}>
                    {say('guess.find')}
                  </a>
                )}
              </span>
            </li>
          )
        })}
      </ol>
    </section>
  )
}
