/** The queue of complaints for staff: how old they are, what both sides say, the decision and what it does. */
import { useEffect, useId, useState } from 'preact/hooks'
import { complaintSaid } from '../shared/claim.ts'
import { Instant } from '../shared/claim-parts.tsx'
import {
  type Decision,
  decideComplaint,
  type Effect,
  OUTCOMES,
  type Outcome,
  type Queued,
  readComplaint,
  readComplaints,
} from '../shared/claims-api.ts'
import { useLoaded, usePaged } from '../shared/loading.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { leftText, type Tenant } from '../shared/tenant.ts'
import { Unavailable } from '../shared/ui.tsx'
import { say } from '../strings.ts'
import { DeskClaim, StatusFilter } from './claims-tab.tsx'
import type { DeskParts } from './desk-page.tsx'
import { rateText } from './record-tab.tsx'

const STATUSES = ['pending', 'reviewed', 'resolved'] as const
/** Staff is no side of a complaint, so that nothing is pushed to it. */
const LOOK_EVERY_MS = 15_000

type Props = DeskParts & { is_deciding: boolean }

export function ComplaintsTab({ is_deciding, ...parts }: Props) {
  const [open, setOpen] = useState<Queued | null>(null)
  if (open === null) return <Queue {...parts} onOpen={setOpen} />
  return (
    <DeskClaim key={open.complaint_id} {...parts} id={open.claim_id} onBack={() => setOpen(null)}>
      {(reload) => <Deciding {...parts} queued={open} is_deciding={is_deciding} onDecided={reload} />}
    </DeskClaim>
  )
}

function Queue({ bearer, tenant, news, onOpen }: DeskParts & { onOpen: (queued: Queued) => void }) {
  const [status, setStatus] = useState('')
  const { items, refusal, has_more, more, reload } = usePaged(
    (cursor) => readComplaints(bearer.token, status, cursor),
    [bearer, status, news.times],
  )
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), LOOK_EVERY_MS)
    return () => clearInterval(timer)
  }, [reload])
  return (
    <>
      <StatusFilter
        chosen={status}
        all={say('queue.open')}
        statuses={STATUSES}
        prefix="complaint.status"
        onChoose={setStatus}
      />
      {items === undefined ? (
        <Unavailable refusal={refusal} retry={reload} />
      ) : items.length === 0 ? (
        <p class="empty">{say('queue.empty')}</p>
      ) : (
        <ul class="claim-list">
          {items.map((queued) => (
            <QueueRow key={queued.complaint_id} queued={queued} tenant={tenant} onOpen={onOpen} />
          ))}
        </ul>
      )}
      {has_more && (
        <button type="button" class="button more" onClick={more}>
          {say('prizes.more')}
        </button>
      )}
    </>
  )
}

type RowProps = { queued: Queued; tenant: Tenant; onOpen: (queued: Queued) => void }

function QueueRow({ queued, tenant, onOpen }: RowProps) {
  const { status, title, winner, creator, age_s, answer, answer_due_at, creator_record } = queued
  return (
    <li class="claim-row">
      <div>
        <p class="row">
          <span class={`tag tag-complaint-${status}`}>{say(`complaint.status.${status}`)}</span>
          <span class="fine">{say('queue.age', { age: leftText(age_s * 1000, 'long') })}</span>
        </p>
        <h3>{title}</h3>
        <p class="fine">{say('queue.sides', { winner, creator })}</p>
        <p class="fine">
          {answer === null ? say('queue.unanswered') : say('queue.answered')}{' '}
          {answer === null && <Instant at={answer_due_at} tenant={tenant} />}
        </p>
        <p class="fine">{recordText(queued, creator_record)}</p>
      </div>
      <button
        type="button"
        class="button"
        aria-label={`${say('claim.open')}: ${title}, ${winner}`}
        onClick={() => onOpen(queued)}
      >
        {say('claim.open')}
      </button>
    </li>
  )
}

const recordText = ({ creator: name }: Queued, record: Queued['creator_record']): string =>
  record.fulfilment_bps === null
    ? say('queue.record_none', { name })
    : say('queue.record', {
        name,
        rate: rateText(record),
        completed: record.completed_count,
        failed: record.failed_count,
      })

type DecidingProps = Props & { queued: Queued; onDecided: () => void }

/** The two steps of staff. A complaint that somebody else moved meanwhile is read again, and nothing is decided. */
function Deciding({ bearer, tenant, news, tell, queued, is_deciding, onDecided }: DecidingProps) {
  const { token } = bearer
  const id = queued.complaint_id
  const { value, refusal, reload } = useLoaded(() => readComplaint(token, id), [id, news.times])
  const [effect, setEffect] = useState<Effect | null>(null)
  const [is_busy, setBusy] = useState(false)
  const [why, setWhy] = useState('')

  const decide = async (decision: Decision) => {
    if (is_busy || value === undefined) return
    setBusy(true)
    setWhy('')
    try {
      const { body } = await decideComplaint(token, id, value.etag, decision)
      if (decision.status === 'resolved') setEffect(body.effect)
      tell(complaintSaid(body))
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
    }
    reload()
    onDecided()
    setBusy(false)
  }
  if (value === undefined) return <Unavailable refusal={refusal} retry={reload} />
  const { status } = value.body
  return (
    <div class="deciding">
      {is_deciding && status === 'pending' && (
        <p class="row">
          <button
            type="button"
            class="button button-primary"
            aria-disabled={is_busy}
            onClick={() => void decide({ status: 'reviewed' })}
          >
            {say('queue.review')}
          </button>
        </p>
      )}
      {is_deciding && status === 'reviewed' && <OutcomeForm is_busy={is_busy} onDecide={decide} />}
      {why !== '' && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
      {effect !== null && <EffectOf effect={effect} queued={queued} tenant={tenant} />}
    </div>
  )
}

type OutcomeProps = { is_busy: boolean; onDecide: (decision: Decision) => Promise<void> }

function OutcomeForm({ is_busy, onDecide }: OutcomeProps) {
  const id = useId()
  const [outcome, setOutcome] = useState<Outcome | null>(null)
  const [note, setNote] = useState('')
  const [is_bad, setBad] = useState(false)
  const submit = (event: Event) => {
    event.preventDefault()
    if (outcome === null) return setBad(true)
    const text = note.trim()
    void onDecide({ status: 'resolved', outcome, ...(text !== '' && { note: text }) })
  }
  return (
    <form class="words" onSubmit={submit} noValidate>
      <fieldset class="choice">
        <legend>{say('queue.outcome')}</legend>
        <div>
          {OUTCOMES.map((each) => (
            <label key={each} class={outcome === each ? 'is-chosen' : ''}>
              <input
                type="radio"
                class="sr-only"
                name={id}
                checked={outcome === each}
                onChange={() => {
                  setOutcome(each)
                  setBad(false)
                }}
              />
              {say(`queue.outcome.${each}`)}
            </label>
          ))}
        </div>
      </fieldset>
      {outcome !== null && <p class="fine">{say(`complaint.outcome.${outcome}`)}</p>}
      {is_bad && (
        <p class="bad" role="alert">
          {say('queue.choose')}
        </p>
      )}
      <label for={`${id}-note`}>{say('queue.note')}</label>
      <textarea
        id={`${id}-note`}
        rows={3}
        maxLength={2_000}
        value={note}
        onInput={(event) => setNote(event.currentTarget.value)}
      />
      <button type="submit" class="button button-primary" aria-disabled={is_busy}>
        {say('queue.decide')}
      </button>
    </form>
  )
}

/** What the decision did to the creator. */
function EffectOf({ effect, queued, tenant }: { effect: Effect; queued: Queued; tenant: Tenant }) {
  return (
    <p class="effect">
      {say('queue.effect', { name: queued.creator, n: effect.failed_count })}{' '}
      {effect.blocked_until === null ? (
        say('queue.effect_free')
      ) : (
        <>
          {say('queue.effect_blocked')} <Instant at={effect.blocked_until} tenant={tenant} />
        </>
      )}
    </p>
  )
}
