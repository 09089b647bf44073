/** Both commitments, the player's own seed, the reveal, and a link to check each spin. */
import { useEffect, useState } from 'preact/hooks'
import type { Commitment } from '../shared/api.ts'
import { keptCheckpoint, partsOf } from '../shared/checkpoint.ts'
import { useLoaded } from '../shared/loading.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { Hash, Trust } from '../shared/ui.tsx'
import { count, numberText, say } from '../strings.ts'
import type { Game, GameState, MySpin, Revealed } from './game.ts'
import { verifyAddress } from './play-wheel.tsx'

/** While a shared spin runs, the room's trust label is that of the spin. */
const RUNNING = new Set(['open', 'closed', 'drawn'])

const CLIENT_SEED = /^[A-Za-z0-9_-]{8,64}$/

export function FairnessPanel({ game, state }: { game: Game; state: GameState }) {
  const { pair, pair_refusal, view, revealed, my_spins } = state
  return (
    <div class="fair">
      <p>{say('fair.lead')}</p>
      {pair === null && (
        <p class="empty">
          {pair_refusal === null ? say('app.loading') : `${say('fair.error')} ${whyText(pair_refusal)}`}
        </p>
      )}
      {pair !== null && (
        <>
          <section class="fair-box" aria-label={say('fair.current')}>
            <h3>{say('fair.current')}</h3>
            <dl>
              <dt>{say('fair.commitment')}</dt>
              <dd>
                <Hash value={pair.current.commit_hash} label={say('fair.current')} />
              </dd>
              <dt>{say('fair.client_seed')}</dt>
              <dd>
                {pair.current.client_seed === '-' ? (
                  say('fair.client_seed_none')
                ) : (
                  <Hash value={pair.current.client_seed} label={say('fair.client_seed')} />
                )}
              </dd>
              <dt>{say('fair.nonce')}</dt>
              <dd>{numberText(pair.current.next_nonce)}</dd>
            </dl>
            <Soundness commitment={pair.current} />
          </section>
          <section class="fair-box" aria-label={say('fair.next')}>
            <h3>{say('fair.next')}</h3>
            <dl>
              <dt>{say('fair.commitment')}</dt>
              <dd>
                <Hash value={pair.next.commit_hash} label={say('fair.next')} />
              </dd>
            </dl>
            <Soundness commitment={pair.next} />
          </section>
          <Rotate game={game} state={state} />
        </>
      )}
      {revealed.map((reveal) => (
        <RevealedSeed key={reveal.commit_hash} reveal={reveal} />
      ))}
      <MySpins spins={my_spins} />
      <section class="fair-box" aria-label={say('fair.checkpoint')}>
        <h3>{say('fair.checkpoint')}</h3>
        <CheckpointLine checkpoint={view?.checkpoint ?? ''} />
      </section>
      {/* Each spin of this page carries bytes of the player's own (fair-1.md section 8). */}
      <Trust label="commit" />
      {view?.round != null && RUNNING.has(view.round.status) && (
        <section class="fair-box" aria-label={say('fair.round', { no: view.round.round_no })}>
          <h3>{say('fair.round', { no: view.round.round_no })}</h3>
          <Hash value={view.round.commit_hash} label={say('fair.commitment')} />
          <Trust label={view.trust} />
        </section>
      )}
    </div>
  )
}

/** Document, hash and signature, checked in this browser. */
function Soundness({ commitment }: { commitment: Commitment }) {
  const { value: is_sound } = useLoaded(async () => {
    const { fetchKeys, isCommitmentSound } = await import('../shared/fairness.ts')
    return isCommitmentSound(commitment, await fetchKeys())
  }, [commitment.commit_hash])
  if (is_sound === undefined) return null
  return <p class={is_sound ? 'good' : 'bad'}>{say(is_sound ? 'fair.checked' : 'fair.check_failed')}</p>
}

function Rotate({ game, state }: { game: Game; state: GameState }) {
  const [seed, setSeed] = useState('')
  const [why, setWhy] = useState<string | null>(null)
  const is_busy = state.is_rotating || state.spin !== 'idle'
  const submit = async (event: Event) => {
    event.preventDefault()
    if (is_busy) return
    if (seed !== '' && !CLIENT_SEED.test(seed)) return setWhy(say('why.client_seed_invalid'))
    setWhy(null)
    try {
      await game.rotate(seed)
      setSeed('')
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
    }
  }
  return (
    <form class="fair-box rotate" onSubmit={(event) => void submit(event)}>
      <h3>{say('fair.rotate_title')}</h3>
      <p>{say('fair.rotate_lead')}</p>
      <label for="own-seed">{say('fair.own_seed')}</label>
      <div class="row">
        <input
          id="own-seed"
          value={seed}
          onInput={(event) => setSeed(event.currentTarget.value)}
          aria-describedby="own-seed-hint"
          aria-invalid={why !== null}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={64}
        />
        <button type="submit" class="button button-primary" aria-disabled={is_busy}>
          {say(state.is_rotating ? 'fair.rotating' : 'fair.rotate')}
        </button>
      </div>
      <p class="fine" id="own-seed-hint">
        {say('fair.own_seed_hint')}
      </p>
      {why !== null && (
        <p class="bad" role="alert">
          {why}
        </p>
      )}
    </form>
  )
}

function RevealedSeed({ reveal: { commit_hash, server_seed, spins, doc } }: { reveal: Revealed }) {
  const [is_match, setMatch] = useState<boolean | null>(null)
  useEffect(() => {
    void import('../shared/fairness.ts').then(({ isSeedOf }) => setMatch(isSeedOf(server_seed, doc)))
  }, [server_seed])
  return (
    <section class="fair-box revealed" aria-label={say('fair.revealed')}>
      <h3>{say('fair.revealed')}</h3>
      <Hash value={server_seed} label={say('fair.revealed')} />
      <p class="fine">
        {say('fair.revealed_of', { hash: `${commit_hash.slice(0, 12)}…` })}{' '}
        {count('fair.revealed_spins', spins)}
      </p>
      {is_match !== null && (
        <p class={is_match ? 'good' : 'bad'}>
          {say(is_match ? 'fair.revealed_matches' : 'fair.revealed_differs')}
        </p>
      )}
    </section>
  )
}

function MySpins({ spins }: { spins: MySpin[] }) {
  return (
    <section class="fair-box" aria-label={say('fair.my_spins')}>
      <h3>{say('fair.my_spins')}</h3>
      <p class="fine">{say(spins.length === 0 ? 'fair.my_spins_empty' : 'fair.my_spins_lead')}</p>
      <ul class="my-spins">
        {spins.map(({ spin_id, nonce, name, revealed }) => (
          <li key={spin_id}>
            <span class="my-spin-no">#{nonce}</span>
            <span class="my-spin-name">{name}</span>
            <a
              class={revealed ? 'chip chip-good' : 'chip'}
              href={verifyAddress(spin_id)}
              aria-label={say('fair.spin_label', { n: nonce, name })}
            >
              {say(revealed ? 'fair.spin_ready' : 'fair.spin_pending')}
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

function CheckpointLine({ checkpoint }: { checkpoint: string }) {
  const parts = partsOf(checkpoint)
  if (parts === undefined) return <p class="fine">{say('fair.checkpoint_none')}</p>
  const size = Math.max(parts.size, keptCheckpoint(parts.origin)?.size ?? 0)
  return (
    <>
      <pre class="checkpoint">{checkpoint.trim()}</pre>
      <p class="fine">{say('fair.checkpoint_kept', { size })}</p>
    </>
  )
}
