/** What winner, creator and staff see of a claim alike: its state, the thread, pictures, the complaint, what happened. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { has, say, sayOr, whenText } from '../strings.ts'
import type { Act, ClaimOf, ClaimState } from './claim.ts'
import {
  type Claim,
  type ClaimProof,
  type ClaimStatus,
  type Complaint,
  type Message,
  readPicture,
} from './claims-api.ts'
import { useLoaded } from './loading.ts'
import { serverClock } from './server-clock.ts'
import { useTick } from './store.ts'
import { clockText, type Tenant } from './tenant.ts'

export type ClaimParts = {
  claim_of: ClaimOf
  state: ClaimState
  claim: Claim
  tenant: Tenant
  token: string
}

export function StatusTag({ status }: { status: ClaimStatus }) {
  return <span class={`tag tag-${status}`}>{say(`claim.status.${status}`)}</span>
}

/** An instant on the tenant's clock, with how far away it is. */
export function Instant({ at, tenant }: { at: string; tenant: Tenant }) {
  useTick(30_000)
  const at_ms = Date.parse(at)
  return (
    <time dateTime={at}>
      {clockText(at_ms, tenant)} ({whenText(at_ms, serverClock.now())})
    </time>
  )
}

/** The refusal of an act, beside what was pressed. */
export function Why({ state, act }: { state: ClaimState; act: Act }) {
  const why = state.why[act]
  return why === undefined ? null : (
    <p class="why" role="alert">
      {why}
    </p>
  )
}

type SureProps = { label: string; question: string; yes: string; is_busy: boolean; onYes: () => void }

/** A button for what cannot be undone: it asks once more, and the focus goes along. */
export function Sure({ label, question, yes, is_busy, onYes }: SureProps) {
  const [is_asking, setAsking] = useState(false)
  const group = useRef<HTMLDivElement>(null)
  const was_asking = useRef(false)
  useEffect(() => {
    if (is_asking !== was_asking.current) group.current!.querySelector('button')!.focus()
    was_asking.current = is_asking
  }, [is_asking])
  return (
    <div ref={group} class="sure">
      {is_asking ? (
        // biome-ignore lint/a11y/useSemanticElements: nothing is filled in here, so it is no fieldset.
        <div role="group" aria-label={question} class="sure-question">
          <p>{question}</p>
          <p class="row">
            <button type="button" class="button" onClick={() => setAsking(false)}>
              {say('app.no')}
            </button>
            <button
              type="button"
              class="button button-primary"
              aria-disabled={is_busy}
              onClick={() => {
                setAsking(false)
                onYes()
              }}
            >
              {yes}
            </button>
          </p>
        </div>
      ) : (
        <button type="button" class="button" aria-disabled={is_busy} onClick={() => setAsking(true)}>
          {label}
        </button>
      )}
    </div>
  )
}

type WordsProps = {
  label: string
  send: string
  length_max: number
  hint?: ComponentChildren
  is_busy: boolean
  is_closed?: boolean
  is_optional?: boolean
  onSend: (text: string) => Promise<boolean>
}

/** A form of one text. What was written stays until it has arrived. */
export function Words({
  label,
  send,
  length_max,
  hint,
  is_busy,
  is_closed = false,
  is_optional,
  onSend,
}: WordsProps) {
  const id = useId()
  const [text, setText] = useState('')
  const [is_bad, setBad] = useState(false)
  const submit = (event: Event) => {
    event.preventDefault()
    if (is_busy || is_closed) return
    if (text.trim() === '' && !is_optional) return setBad(true)
    setBad(false)
    void onSend(text.trim()).then((is_done) => is_done && setText(''))
  }
  return (
    <form class="words" onSubmit={submit} noValidate>
      <fieldset disabled={is_closed}>
        <label for={id}>{label}</label>
        <textarea
          id={id}
          rows={3}
          maxLength={length_max}
          value={text}
          aria-describedby={hint === undefined ? undefined : `${id}-hint`}
          aria-invalid={is_bad}
          onInput={(event) => {
            setText(event.currentTarget.value)
            setBad(false)
          }}
        />
        {hint !== undefined && (
          <p id={`${id}-hint`} class="fine">
            {hint}
          </p>
        )}
        {is_bad && (
          <p class="bad" role="alert">
            {say('claim.empty_text')}
          </p>
        )}
        <button type="submit" class="button button-primary" aria-disabled={is_busy}>
          {send}
        </button>
      </fieldset>
    </form>
  )
}

/** Messages of both sides, live, and the form for one's own. */
export function Thread({ claim_of, state, claim, tenant }: ClaimParts) {
  const list = useRef<HTMLOListElement>(null)
  const { messages, older } = state
  const last = messages?.at(-1)?.message_id
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight })
  }, [last])
  if (messages === null) return null
  const is_open = ['offered', 'pending', 'disputed'].includes(claim.status)
  return (
    <section class="card claim-thread" id="messages" aria-labelledby="thread-title">
      <h2 id="thread-title">{say('claim.thread')}</h2>
      {older !== null && (
        <button type="button" class="button more" onClick={() => void claim_of.loadOlder()}>
          {say('claim.older')}
        </button>
      )}
      {messages.length === 0 ? (
        <p class="empty">{say('claim.thread_empty')}</p>
      ) : (
        <ol ref={list} class="thread" aria-labelledby="thread-title">
          {messages.map((message) => (
            <Bubble key={message.message_id} message={message} claim={claim} tenant={tenant} />
          ))}
        </ol>
      )}
      {claim.you_are !== 'staff' && is_open && (
        <Words
          label={say(claim.you_are === 'winner' ? 'claim.to_creator' : 'claim.to_winner')}
          send={say('claim.send')}
          length_max={2_000}
          is_busy={state.busy === 'message'}
          onSend={claim_of.write}
        />
      )}
      <Why state={state} act="message" />
      {!is_open && <p class="fine">{say('claim.thread_over')}</p>}
    </section>
  )
}

function Bubble({ message, claim, tenant }: { message: Message; claim: Claim; tenant: Tenant }) {
  const { side, is_mine, message: text, created_at } = message
  const is_own = side === claim.you_are
  const who = is_mine ? say('claim.side.you') : `${say(`claim.side.${side}`)}, ${claim[side]}`
  return (
    <li class={`bubble ${is_own ? 'is-own' : ''}`}>
      <p class="bubble-who">{who}</p>
      <p class="bubble-text">{text}</p>
      <time class="fine" dateTime={created_at}>
        {clockText(Date.parse(created_at), tenant)}
      </time>
    </li>
  )
}

/** As the server: what one side may show, and how large it may be. */
const PICTURES_PER_SIDE = 5
const PICTURE_BYTES_MAX = 5 * 1024 * 1024

/** Pictures of both sides, and the way for one's own. */
export function Pictures({ claim_of, state, claim, tenant, token }: ClaimParts) {
  const [is_large, setLarge] = useState(false)
  const { proofs, status, you_are } = claim
  const is_open = (status === 'pending' || status === 'disputed') && you_are !== 'staff'
  const left = PICTURES_PER_SIDE - proofs.filter(({ side }) => side === you_are).length
  const is_busy = state.busy === 'picture'
  if (!is_open && proofs.length === 0) return null

  const choose = (input: HTMLInputElement) => {
    const file = input.files?.[0]
    input.value = ''
    if (file === undefined || is_busy) return
    setLarge(file.size > PICTURE_BYTES_MAX)
    if (file.size <= PICTURE_BYTES_MAX) void claim_of.show(file)
  }
  return (
    <section class="card claim-pictures" aria-labelledby="pictures-title">
      <h2 id="pictures-title">{say('claim.pictures')}</h2>
      {proofs.length > 0 && (
        <ul class="pictures">
          {proofs.map((proof) => (
            <li key={proof.proof_id}>
              <Picture proof={proof} tenant={tenant} token={token} />
            </li>
          ))}
        </ul>
      )}
      {is_open && left > 0 && (
        <>
          <p class="fine">{say('claim.picture_hint', { n: left })}</p>
          <label class="button file-button" aria-disabled={is_busy}>
            {say('claim.picture_add')}
            <input
              type="file"
              class="sr-only"
              accept="image/jpeg,image/png,image/webp"
              onChange={(event) => choose(event.currentTarget)}
            />
          </label>
        </>
      )}
      {is_busy && (
        <progress max={1} value={state.sent} aria-label={say('claim.picture_sending')}>
          {Math.round(state.sent * 100)} %
        </progress>
      )}
      {is_large && (
        <p class="why" role="alert">
          {say('why.body_too_large')}
        </p>
      )}
      <Why state={state} act="picture" />
    </section>
  )
}

function Picture({ proof, tenant, token }: { proof: ClaimProof; tenant: Tenant; token: string }) {
  const { value, refusal } = useLoaded(() => readPicture(token, proof), [proof.proof_id])
  const url = useObjectUrl(value)
  const { width, height } = proof
  const says = say('claim.picture_of', {
    who: say(`claim.side.${proof.side}`),
    when: clockText(Date.parse(proof.created_at), tenant),
  })
  return (
    <figure class="picture">
      {url === undefined ? (
        <span class="picture-none" style={{ aspectRatio: `${width} / ${height}` }}>
          {say(refusal === undefined ? 'app.loading' : 'claim.picture_none')}
        </span>
      ) : (
        <a href={url} target="_blank" rel="noopener">
          <img src={url} width={width} height={height} alt={says} />
        </a>
      )}
      <figcaption class="fine">{says}</figcaption>
    </figure>
  )
}

/** An address for bytes of this page, for as long as they are shown. */
export function useObjectUrl(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string | undefined>(undefined)
  useEffect(() => {
    if (blob === undefined) return
    const made = URL.createObjectURL(blob)
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  return url
}

/** A complaint as both sides and staff see it. */
export function ComplaintFacts({ complaint, tenant }: { complaint: Complaint; tenant: Tenant }) {
  const { status, outcome, answer, answered_at, answer_due_at, decision_note } = complaint
  return (
    <>
      <p>
        <span class={`tag tag-complaint-${status}`}>{say(`complaint.status.${status}`)}</span>
      </p>
      <dl class="facts">
        <dt>
          {say('complaint.says')}, <Instant at={complaint.created_at} tenant={tenant} />
        </dt>
        <dd class="quote">{complaint.message}</dd>
        {answer !== null && answered_at !== null && (
          <>
            <dt>
              {say('complaint.answer')}, <Instant at={answered_at} tenant={tenant} />
            </dt>
            <dd class="quote">{answer}</dd>
          </>
        )}
        {answer === null && status !== 'resolved' && (
          <>
            <dt>{say('complaint.answer_due')}</dt>
            <dd>
              <Instant at={answer_due_at} tenant={tenant} />
            </dd>
          </>
        )}
        {outcome !== null && (
          <>
            <dt>{say('complaint.outcome')}</dt>
            <dd>
              <strong>{say(`complaint.outcome.${outcome}`)}</strong>
              {decision_note !== null && <span class="quote">{decision_note}</span>}
            </dd>
          </>
        )}
      </dl>
    </>
  )
}

/** How the claim came to its state, oldest first. */
export function ClaimHistory({ claim, tenant }: Pick<ClaimParts, 'claim' | 'tenant'>) {
  return (
    <section class="card" aria-labelledby="history-title">
      <h2 id="history-title">{say('wallet.history')}</h2>
      <ol class="history">
        {claim.history.map(({ at, reason, by }) => (
          <li key={at + reason}>
            <span>
              {sayOr(`claim.move.${reason}`, reason)}
              {by !== 'system' && has(`claim.side.${by}`) && (
                <span class="fine"> ({sayOr(`claim.side.${by}`, by)})</span>
              )}
            </span>{' '}
            <time class="fine" dateTime={at}>
              {clockText(Date.parse(at), tenant)}
            </time>
          </li>
        ))}
      </ol>
    </section>
  )
}
