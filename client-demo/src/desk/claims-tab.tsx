/** What the bearer hands over: the list, and one claim with its thread, pictures and complaint. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import { isDecided, makeClaim, seesAll } from '../shared/claim.ts'
import {
  ClaimHistory,
  type ClaimParts,
  ComplaintFacts,
  Instant,
  Pictures,
  StatusTag,
  Thread,
  Why,
  Words,
} from '../shared/claim-parts.tsx'
import { CLAIM_STATUSES, type ClaimBrief, readClaims } from '../shared/claims-api.ts'
import { usePaged } from '../shared/loading.ts'
import { useStore } from '../shared/store.ts'
import { Unavailable } from '../shared/ui.tsx'
import { say, sayOr } from '../strings.ts'
import type { DeskParts } from './desk-page.tsx'

type Props = DeskParts & { open: string | null; onOpen: (claim_id: string | null) => void }

export function ClaimsTab({ open, onOpen, ...parts }: Props) {
  return open === null ? (
    <ClaimsToHandOver {...parts} onOpen={onOpen} />
  ) : (
    <DeskClaim key={open} {...parts} id={open} onBack={() => onOpen(null)} />
  )
}

function ClaimsToHandOver({ bearer, tenant, news, onOpen }: DeskParts & Pick<Props, 'onOpen'>) {
  const [status, setStatus] = useState('')
  const { items, refusal, has_more, more, reload } = usePaged(
    (cursor) => readClaims(bearer.token, { side: 'creator', status, cursor }),
    [bearer, status, news.times],
  )
  return (
    <>
      <StatusFilter
        chosen={status}
        all={say('desk.filter_all')}
        statuses={CLAIM_STATUSES}
        prefix="claim.status"
        onChoose={setStatus}
      />
      {items === undefined ? (
        <Unavailable refusal={refusal} retry={reload} />
      ) : items.length === 0 ? (
        <p class="empty">{say(status === '' ? 'desk.claims_empty' : 'desk.claims_none')}</p>
      ) : (
        <ul class="claim-list">
          {items.map((claim) => (
            <li key={claim.claim_id} class="claim-row">
              <div>
                <p>
                  <StatusTag status={claim.status} />
                </p>
                <h3>{claim.title}</h3>
                <p class="fine">
                  {say('desk.place_of', { n: claim.place, name: claim.winner })} · {rewardText(claim)} ·{' '}
                  <Instant at={claim.status_at} tenant={tenant} />
                </p>
              </div>
              <button
                type="button"
                class="button"
                aria-label={`${say('claim.open')}: ${claim.title}, ${claim.winner}`}
                onClick={() => onOpen(claim.claim_id)}
              >
                {say('claim.open')}
              </button>
            </li>
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

const rewardText = ({ reward }: Pick<ClaimBrief, 'reward'>): string =>
  reward.text ?? sayOr(`reward.${reward.type}`, reward.type)

type FilterProps = {
  chosen: string
  /** What is shown while nothing is chosen. */
  all: string
  statuses: readonly string[]
  prefix: string
  onChoose: (status: string) => void
}

/** Which states a list shows. */
export function StatusFilter({ chosen, all, statuses, prefix, onChoose }: FilterProps) {
  const id = useId()
  return (
    <p class="filter">
      <label for={id}>{say('desk.filter')}</label>
      <select id={id} value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
        <option value="">{all}</option>
        {statuses.map((status) => (
          <option key={status} value={status}>
            {sayOr(`${prefix}.${status}`, status)}
          </option>
        ))}
      </select>
    </p>
  )
}

type OpenProps = DeskParts & {
  id: string
  onBack: () => void
  /** What staff does about it; afterwards the claim is read again, because nobody tells staff. */
  children?: (reload: () => void) => ComponentChildren
}

/** One claim as the side that hands it over, or staff, sees it. */
export function DeskClaim({ bearer, tenant, news, tell, id, onBack, children }: OpenProps) {
  const { token } = bearer
  const claim_of = useMemo(() => makeClaim(token, id), [token, id])
  const state = useStore(claim_of.store)
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (state.claim === null || news.ids === null || news.ids.has(id)) void claim_of.load()
  }, [claim_of, news.times])
  useEffect(() => tell(state.said), [state.said])
  const is_there = state.claim !== null
  useEffect(() => title.current?.focus(), [is_there])
  const { claim } = state
  const back = (
    <p class="row">
      <button type="button" class="chip" onClick={onBack}>
        {say('desk.back')}
      </button>
      {claim !== null && <StatusTag status={claim.status} />}
    </p>
  )
  if (claim === null)
    return (
      <>
        {back}
        <Unavailable refusal={state.refusal ?? undefined} retry={() => void claim_of.load()} />
      </>
    )
  const parts = { claim_of, state, claim, tenant, token }
  return (
    <>
      {back}
      <div class="claim-head">
        <h2 ref={title} tabIndex={-1} class="step-title">
          {claim.title}
        </h2>
        <p class="lead">
          {say('desk.place_of', { n: claim.place, name: claim.winner })} · {rewardText(claim)}
        </p>
      </div>
      <div class="claim-columns">
        <div class="claim-column">
          <section class="card" aria-labelledby="facts-title">
            <h2 id="facts-title">{say('desk.facts')}</h2>
            <p>{isDecided(claim) ? say('complaint.outcome.unfulfilled') : claim.status_says}</p>
            <dl class="facts">
              <dt>{say('claim.info_given')}</dt>
              <dd class="quote">
                {claim.claim_info ?? say(seesAll(claim) ? 'desk.no_info' : 'desk.info_hidden')}
              </dd>
              <dt>{say('desk.window')}</dt>
              <dd>
                <Instant at={claim.window_ends_at} tenant={tenant} />
              </dd>
            </dl>
          </section>
          <Complained {...parts}>{children?.(() => void claim_of.load())}</Complained>
          <Pictures {...parts} />
        </div>
        <div class="claim-column">
          <Thread {...parts} />
          <ClaimHistory claim={claim} tenant={tenant} />
        </div>
      </div>
    </>
  )
}

/** The complaint of the winner, and the creator's one answer to it. */
function Complained({
  claim_of,
  state,
  claim,
  tenant,
  children,
}: ClaimParts & { children: ComponentChildren }) {
  const { complaint, you_are } = claim
  if (complaint === null) return null
  const takes_answer = you_are === 'creator' && complaint.answer === null && complaint.status !== 'resolved'
  return (
    <section class="card claim-complaint" aria-labelledby="complaint-title">
      <h2 id="complaint-title">{say('complaint.title')}</h2>
      <ComplaintFacts complaint={complaint} tenant={tenant} />
      {takes_answer && (
        <Words
          label={say('complaint.your_answer')}
          send={say('complaint.send_answer')}
          length_max={2_000}
          hint={say('complaint.answer_hint')}
          is_busy={state.busy === 'answer'}
          onSend={claim_of.answer}
        />
      )}
      <Why state={state} act="answer" />
      {children}
    </section>
  )
}
