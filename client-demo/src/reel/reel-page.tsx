/** A reel, and the game that comes up the moment it ends. */
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { CLIP_MS, reelAt } from '../../../src/demo/reel-times.ts'
import { GuessPanel, useGuessGame } from '../guess/guess-panel.tsx'
import { guessAddress } from '../shared/guess-api.ts'
import { whyText } from '../shared/refusal.ts'
import { RoomPage } from '../shared/room-page.tsx'
import { serverClock } from '../shared/server-clock.ts'
import { useStore, useTick } from '../shared/store.ts'
import { Announcer, Countdown } from '../shared/ui.tsx'
import { say } from '../strings.ts'
import { Clip } from './clip.tsx'
import { type LinkedGame, makeReel, type Reel } from './reel.ts'

export function ReelPage({ tenant, reel_id }: { tenant: string; reel_id: string }) {
  const reel = useMemo(() => makeReel(tenant, reel_id), [tenant, reel_id])
  useEffect(() => () => reel.leave(), [reel])
  const { link, is_loaded, game, is_open, said } = useStore(reel.store)
  return (
    <RoomPage page="reel" link={link} onRetry={reel.retryNow} said={said} is_loaded={is_loaded}>
      <div class="reel-columns">
        <Clip />
        <section class="reel-side">
          <h1>{say('reel.title')}</h1>
          <p class="lead">{say('reel.lead')}</p>
          <ReelClock />
          {game !== null && !is_open && (
            <div class="card reel-linked">
              <p>
                <strong>{game.title}</strong>
              </p>
              <p class="fine">
                {say('guess.phase.open')} <Countdown to_ms={game.closes_at_ms} />
              </p>
              <p class="row">
                <button type="button" class="button button-primary" onClick={reel.open}>
                  {say('reel.open')}
                </button>
                <a class="button" href={guessAddress(tenant, game.game_id)}>
                  {say('reel.page')}
                </a>
              </p>
            </div>
          )}
        </section>
      </div>
      {game !== null && is_open && <Popup key={game.game_id} reel={reel} game={game} tenant={tenant} />}
    </RoomPage>
  )
}

/** Where the showing is; the page of a live reel is never empty. */
function ReelClock() {
  useTick(200)
  const { elapsed_ms, next_in_ms } = reelAt(serverClock.now())
  const is_playing = elapsed_ms < CLIP_MS
  const s = Math.ceil((is_playing ? CLIP_MS - elapsed_ms : next_in_ms) / 1000)
  return (
    <p class={`pill ${is_playing ? 'pill-live' : ''}`}>
      {is_playing && <span class="dot" aria-hidden="true" />}
      {say(is_playing ? 'reel.playing' : 'reel.break', { s })}
    </p>
  )
}

function Popup({ reel, game, tenant }: { reel: Reel; game: LinkedGame; tenant: string }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  const played = useGuessGame(tenant, game.game_id)
  const { view, link, said } = played.state
  useEffect(() => {
    dialog.current!.showModal()
    title.current!.focus()
  }, [])
  return (
    <dialog ref={dialog} class="popup" aria-labelledby="popup-title" onClose={reel.close}>
      <div class="popup-head">
        <h2 id="popup-title" ref={title} tabIndex={-1}>
          {game.title}
        </h2>
        <button type="button" class="button" onClick={() => dialog.current!.close()}>
          {say('app.close')}
        </button>
      </div>
      {view !== null ? (
        <GuessPanel game={played.game} state={played.state} tenant={tenant} />
      ) : (
        <p class="empty" role="status">
          {link.status === 'refused' ? whyText(link.refusal) : say('link.connecting')}
        </p>
      )}
      {/* What is outside a modal dialog is not read. */}
      <Announcer text={said} />
    </dialog>
  )
}
