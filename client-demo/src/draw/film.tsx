/** A past draw as a film, at the speed that somebody likes. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type DrawView, type Replay, readReplay, type WinnerView } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { count, numberText, say, sayOr } from '../strings.ts'

const SPEEDS = [1, 2, 4, 8]
const TICK_MS = 50

export function Film({ draw }: { draw: DrawView }) {
  const { value: replay, refusal } = useLoaded(() => readReplay(draw.draw_id), [draw.draw_id])
  return (
    <section class="card film" aria-labelledby="film">
      <h2 id="film">{say('film.title')}</h2>
      {replay === undefined ? (
        <p class="empty">{refusal ? whyText(refusal) : say('app.loading')}</p>
      ) : (
        <Player replay={replay} />
      )}
    </section>
  )
}

function Player({ replay }: { replay: Replay }) {
  const [speed, setSpeed] = useState(1)
  const [at_ms, setAt] = useState(0)
  const [is_playing, setPlaying] = useState(false)
  const last = useRef(0)
  const { duration_ms, frames } = replay
  useEffect(() => {
    if (!is_playing) return
    last.current = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      const passed_ms = (now - last.current) * speed
      last.current = now
      setAt((before) => Math.min(duration_ms, before + passed_ms))
    }, TICK_MS)
    return () => clearInterval(timer)
  }, [is_playing, speed, duration_ms])
  const is_over = at_ms >= duration_ms
  useEffect(() => {
    if (is_over) setPlaying(false)
  }, [is_over])

  const seen = frames.filter(({ after_ms }) => after_ms <= at_ms)
  return (
    <>
      <div class="row film-controls">
        <button
          type="button"
          class="button button-primary"
          onClick={() => {
            if (is_over) setAt(0)
            setPlaying(!is_playing)
          }}
        >
          {say(is_playing ? 'film.pause' : 'film.play')}
        </button>
        <fieldset class="choice">
          <legend class="sr-only">{say('film.speed')}</legend>
          <div>
            {SPEEDS.map((each) => (
              <label key={each} class={each === speed ? 'is-chosen' : undefined}>
                <input
                  type="radio"
                  name="speed"
                  class="sr-only"
                  checked={each === speed}
                  onChange={() => setSpeed(each)}
                />
                {each}×
              </label>
            ))}
          </div>
        </fieldset>
        <span class="fine film-time">
          {numberText(Math.round(at_ms / 100) / 10)} / {numberText(Math.round(duration_ms / 100) / 10)} s
        </span>
      </div>
      <input
        type="range"
        min={0}
        max={Math.ceil(duration_ms)}
        value={at_ms}
        aria-label={say('film.position')}
        onInput={(event) => setAt(Number(event.currentTarget.value))}
      />
      <ol class="film-frames" aria-live="polite">
        {seen.map(({ after_ms, type, data }, i) => (
          <li key={i}>
            <span class="feed-time">{numberText(Math.round(after_ms / 100) / 10)} s</span>
            <span>{frameText(type, data)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

function frameText(type: string, data: Record<string, unknown>): string {
  if (type === 'draw.closed') return count('film.closed', Number(data['entry_count']))
  if (type !== 'draw.revealed') return sayOr(`film.${type.slice('draw.'.length)}`, type)
  const { place, player, guess, ticket_number, is_alternate } = data as unknown as WinnerView
  if (is_alternate) return say('film.alternate', { place, player })
  if (ticket_number !== undefined) return say('film.winner_raffle', { place, player, n: ticket_number })
  return guess == null
    ? say('film.winner_draw', { place, player })
    : say('film.winner', { place, player, n: guess })
}
