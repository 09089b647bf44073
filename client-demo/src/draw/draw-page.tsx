/** The public page of a draw: what was promised, who was in, how it was decided, and the film of it. */
import { useEffect } from 'preact/hooks'
import { type DrawView, readDraw, verifyDrawAddress, watchDrawAddress } from '../shared/guess-api.ts'
import { IN_STEP_MS } from '../shared/guess-room.ts'
import { useLoaded } from '../shared/loading.ts'
import { raffleAddress, watchRaffleAddress } from '../shared/raffle-api.ts'
import { whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { useTick } from '../shared/store.ts'
import { Announcer, Countdown, Hash, Header, Trust } from '../shared/ui.tsx'
import { count, LANGUAGE, numberText, say } from '../strings.ts'
import { EntryList } from './entry-list.tsx'
import { Film } from './film.tsx'
import { FindEntry } from './find-entry.tsx'

const ENDED = new Set(['settled', 'cancelled'])
const LOOK_AGAIN_MS = 2_000

type Props = { id: string; tenant: string; entry: number | null }

export function DrawPage({ id, tenant, entry }: Props) {
  const { value: draw, refusal, reload } = useLoaded(() => readDraw(id), [id])
  useEffect(() => {
    if (draw === undefined || ENDED.has(draw.status)) return
    const timer = setTimeout(reload, nextLookMs(draw))
    return () => clearTimeout(timer)
  }, [draw])
  return (
    <>
      <Header page={draw?.game === 'raffle' ? 'raffle' : 'guess'} />
      <main id="main" class="draw">
        {draw === undefined ? (
          <div class="card notice" role={refusal ? 'alert' : 'status'}>
            <p>{refusal ? whyText(refusal) : say('app.loading')}</p>
            {refusal && (
              <button type="button" class="button" onClick={reload}>
                {say('app.retry')}
              </button>
            )}
          </div>
        ) : (
          <>
            <header class="draw-head">
              <p class="fine">{say('draw.kind')}</p>
              <h1>{draw.draw_name}</h1>
              <p class="lead">{draw.says}</p>
              <p class="row">
                {draw.game === 'raffle' && (
                  <a class="chip" href={raffleAddress(tenant, draw.game_id)}>
                    {say('draw.game')}
                  </a>
                )}
                <a
                  class="chip"
                  href={(draw.game === 'raffle' ? watchRaffleAddress : watchDrawAddress)(
                    tenant,
                    draw.game_id,
                  )}
                >
                  {say('guess.watch')}
                </a>
              </p>
            </header>
            <Certificate draw={draw} />
            <FindEntry draw={draw} tenant={tenant} entry={entry} />
            {draw.status === 'settled' && <Film draw={draw} />}
            <EntryList draw={draw} />
          </>
        )}
      </main>
      <Announcer text={draw === undefined ? '' : saidOf(draw)} />
    </>
  )
}

/** Winners appear at times that are known: be there, and else now and then. */
function nextLookMs(draw: DrawView): number {
  const now_ms = serverClock.now()
  const due = draw.reveals.map(({ reveal_at }) => Date.parse(reveal_at) + 100 - now_ms).filter((ms) => ms > 0)
  return Math.max(50, Math.min(LOOK_AGAIN_MS, ...due))
}

function saidOf({ says, winners }: DrawView): string {
  const last = [...winners].sort((a, b) => b.reveal_at.localeCompare(a.reveal_at))[0]
  return last ? say('draw.said', { place: last.place, player: last.player }) : says
}

const timeText = (iso: string): string =>
  new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(iso))

function Certificate({ draw }: { draw: DrawView }) {
  const { commit_hash, entries_root, frozen_at, drawn_at, beacon, cancelled, entry_count } = draw
  return (
    <section class="card certificate" aria-labelledby="certificate">
      <h2 id="certificate">{say('draw.certificate')}</h2>
      <ol class="cert-steps">
        <CertStep title={say('draw.commitment')} is_done when={draw.opens_at}>
          <p class="fine">{say('draw.commitment_says')}</p>
          <Hash value={commit_hash} label={say('draw.commitment')} />
        </CertStep>
        {draw.extensions.length > 0 && (
          <CertStep title={say('draw.extended')} is_done when={draw.extensions.at(-1)!.at}>
            <ul class="fine cert-moves">
              {draw.extensions.map(({ from, closes_at, log_index }) => (
                <li key={log_index}>
                  {say('draw.extended_line', { from: timeText(from), to: timeText(closes_at), n: log_index })}
                </li>
              ))}
            </ul>
          </CertStep>
        )}
        <CertStep title={say('draw.sealed')} is_done={entries_root !== null} when={frozen_at}>
          {entries_root === null ? (
            <p class="fine">
              {count('draw.entries', entry_count)} {say('draw.closes_in')}{' '}
              <Countdown to_ms={Date.parse(draw.closes_at)} />
            </p>
          ) : (
            <>
              <p class="fine">
                {count('draw.entries', entry_count)} {say('draw.sealed_says')}
              </p>
              <Hash value={entries_root} label={say('draw.root')} />
            </>
          )}
        </CertStep>
        <CertStep title={say('draw.entropy')} is_done={drawn_at !== null} when={drawn_at}>
          {beacon === null ? (
            <p class="fine">{say('draw.entropy_own')}</p>
          ) : (
            <p class="fine">{say('draw.entropy_beacon', { round: beacon.round })}</p>
          )}
        </CertStep>
        <CertStep title={say('draw.outcome')} is_done={draw.status === 'settled'} when={draw.settled_at}>
          {cancelled !== null ? (
            <p class="why">{cancelled.says}</p>
          ) : draw.winners.length > 0 || draw.reveals.length > 0 ? (
            <WinnerTable draw={draw} />
          ) : (
            <p class="fine">{say('draw.outcome_open')}</p>
          )}
          {draw.verify !== null && (
            <p>
              <a class="button button-primary" href={verifyDrawAddress(draw.draw_id)}>
                {say('draw.verify')}
              </a>
            </p>
          )}
        </CertStep>
      </ol>
      <Trust label={draw.trust} />
    </section>
  )
}

type CertStepProps = { title: string; is_done: boolean; when: string | null; children: any }

function CertStep({ title, is_done, when, children }: CertStepProps) {
  return (
    <li class={is_done ? 'cert-step is-done' : 'cert-step'}>
      <span class="step-mark" aria-hidden="true">
        {is_done ? '✓' : ''}
      </span>
      <div>
        <h3>{title}</h3>
        {when !== null && is_done && (
          <time class="fine" dateTime={when}>
            {timeText(when)}
          </time>
        )}
        {children}
      </div>
    </li>
  )
}

function WinnerTable({ draw }: { draw: DrawView }) {
  useTick(draw.status === 'drawn' ? 100 : 60_000)
  const now_ms = serverClock.now()
  const shown = draw.winners.filter((winner) => Date.parse(winner.reveal_at) + IN_STEP_MS <= now_ms)
  const waiting = draw.place_count - shown.length
  const has_guess = draw.winners.some(({ guess }) => guess != null)
  const has_ticket = draw.winners.some(({ ticket_number }) => ticket_number !== undefined)
  return (
    <>
      <div class="table-scroll">
        <table class="odds winners">
          <thead>
            <tr>
              <th scope="col">{say('draw.place')}</th>
              <th scope="col">{say('guess.leaders.player')}</th>
              {has_guess && <th scope="col">{say('draw.guess')}</th>}
              {has_ticket && <th scope="col">{say('draw.ticket')}</th>}
              <th scope="col">{say('draw.entry')}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ place, player, guess, ticket_number, entry_index, is_alternate }) => (
              <tr key={place}>
                <th scope="row">{place}</th>
                <td>
                  {player} {is_alternate && <span class="tag">{say('draw.alternate')}</span>}
                </td>
                {has_guess && <td>{guess == null ? '' : numberText(guess)}</td>}
                {has_ticket && <td>{ticket_number}</td>}
                <td>{entry_index}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {waiting > 0 && draw.status === 'drawn' && <p class="fine">{count('draw.waiting', waiting)}</p>}
    </>
  )
}
