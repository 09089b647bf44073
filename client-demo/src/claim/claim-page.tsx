/** The claims of a winner, and one of them with everything that belongs to it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Guest } from '../shared/api.ts'
import { isDecided, makeClaim } from '../shared/claim.ts'
import {
  ClaimHistory,
  type ClaimParts,
  ComplaintFacts,
  Instant,
  Pictures,
  StatusTag,
  Sure,
  Thread,
  Why,
  Words,
} from '../shared/claim-parts.tsx'
import { type ClaimBrief, claimAddress, readClaims, readComplaint } from '../shared/claims-api.ts'
import { followInbox } from '../shared/inbox.ts'
import type { Link, Live } from '../shared/live.ts'
import { useLoaded, usePaged } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { serverClock } from '../shared/server-clock.ts'
import { keptGuest } from '../shared/session.ts'
import { useStore, useTick } from '../shared/store.ts'
import { readTenant, type Tenant } from '../shared/tenant.ts'
import { Announcer, CopyButton, Header, LinkPill, Unavailable } from '../shared/ui.tsx'
import { say, sayOr } from '../strings.ts'
import { CodeCard } from './code-card.tsx'

export function ClaimPage({ tenant, id }: { tenant: string; id: string | null }) {
  const guest = useMemo(() => keptGuest(tenant), [tenant])
  if (guest === undefined) return <NobodyYet />
  return id === null ? <ClaimList guest={guest} tenant={tenant} /> : <OneClaim guest={guest} id={id} />
}

/** Whoever has won has played, and is there already. */
function NobodyYet() {
  return (
    <>
      <Header page="claim" />
      <main id="main" class="claim">
        <section class="card notice">
          <h1>{say('wallet.nobody_title')}</h1>
          <p>{say('claim.nobody')}</p>
          <p class="row">
            <a class="button button-primary" href="/guess">
              {say('guess.list.title')}
            </a>
          </p>
        </section>
      </main>
    </>
  )
}

/** The line to the inbox for as long as the page lives; `moved` hears which claims something was told about. */
function useInbox(guest: Guest, moved: (ids: ReadonlySet<string> | null) => void) {
  const [link, setLink] = useState<Link>({ status: 'connecting' })
  const live = useRef<Live>(undefined)
  useEffect(() => {
    live.current = followInbox(async () => guest.token, { link: setLink, moved })
    return () => live.current?.leave()
  }, [guest])
  return <LinkPill link={link} onRetry={() => live.current?.retryNow()} />
}

function ClaimList({ guest, tenant }: { guest: Guest; tenant: string }) {
  const mine = useLoaded(() => readTenant(guest.token), [guest])
  const { items, refusal, has_more, more, reload } = usePaged(
    (cursor) => readClaims(guest.token, { side: 'winner', cursor }),
    [guest],
  )
  const pill = useInbox(guest, reload)
  const retry = () => {
    mine.reload()
    reload()
  }
  return (
    <>
      <Header page="claim">{pill}</Header>
      <main id="main" class="claim">
        <h1>{say('claim.list')}</h1>
        {items === undefined || mine.value === undefined ? (
          <Unavailable refusal={refusal ?? mine.refusal} retry={retry} />
        ) : (
          <>
            {items.length === 0 && <p class="empty">{say('claim.list_empty')}</p>}
            <ul class="claim-list">
              {items.map((claim) => (
                <ClaimRow key={claim.claim_id} claim={claim} mine={mine.value!} tenant={tenant} />
              ))}
            </ul>
            {has_more && (
              <button type="button" class="button more" onClick={more}>
                {say('prizes.more')}
              </button>
            )}
          </>
        )}
      </main>
    </>
  )
}

function ClaimRow({ claim, mine, tenant }: { claim: ClaimBrief; mine: Tenant; tenant: string }) {
  return (
    <li class="card claim-row">
      <div>
        <p>
          <StatusTag status={claim.status} />
        </p>
        <h2>{rewardText(claim)}</h2>
        <p class="fine">
          {say('claim.of_game', { title: claim.title, n: claim.place })}
          {claim.status === 'offered' && (
            <>
              {' '}
              {say('claim.until')} <Instant at={claim.window_ends_at} tenant={mine} />
            </>
          )}
        </p>
      </div>
      <a
        class={`button ${claim.status === 'offered' ? 'button-primary' : ''}`}
        href={claimAddress(tenant, claim.claim_id)}
        aria-label={`${say('claim.open')}: ${rewardText(claim)}, ${claim.title}`}
      >
        {say('claim.open')}
      </a>
    </li>
  )
}

const rewardText = ({ reward }: Pick<ClaimBrief, 'reward'>): string =>
  reward.text ?? sayOr(`reward.${reward.type}`, reward.type)

function OneClaim({ guest, id }: { guest: Guest; id: string }) {
  const claim_of = useMemo(() => makeClaim(guest.token, id), [guest, id])
  const state = useStore(claim_of.store)
  const { value: tenant, refusal, reload } = useLoaded(() => readTenant(guest.token), [guest])
  useEffect(() => void claim_of.load(), [claim_of])
  const pill = useInbox(guest, (ids) => {
    if (ids === null || ids.has(id)) void claim_of.load()
  })
  const { claim } = state
  const retry = () => {
    reload()
    void claim_of.load()
  }
  return (
    <>
      <Header page="claim">{pill}</Header>
      <main id="main" class="claim">
        {claim === null || tenant === undefined ? (
          <Unavailable refusal={state.refusal ?? refusal} retry={retry} />
        ) : (
          <WinnersClaim {...{ claim_of, state, claim, tenant }} token={guest.token} />
        )}
      </main>
      <Announcer text={state.said} />
    </>
  )
}

function WinnersClaim(parts: ClaimParts) {
  const { claim, state, tenant } = parts
  useEffect(() => {
    // The thread was not there yet when the browser looked for it.
    if (location.hash === '#messages') document.querySelector('#messages')?.scrollIntoView()
  }, [])
  return (
    <>
      <div class="claim-head">
        <p class="row">
          <a class="chip" href={claimAddress(tenant.tenant_code)}>
            {say('claim.list')}
          </a>
          <StatusTag status={claim.status} />
        </p>
        <h1>{rewardText(claim)}</h1>
        <p class="lead">
          {say('claim.of_game', { title: claim.title, n: claim.place })}{' '}
          {say('claim.by', { name: claim.creator })}
        </p>
      </div>
      {state.refusal !== null && (
        <p class="why" role="alert">
          {whyText(state.refusal)}
        </p>
      )}
      <div class="claim-columns">
        <div class="claim-column">
          <NextStep {...parts} />
          <Pictures {...parts} />
        </div>
        <div class="claim-column">
          <Thread {...parts} />
          <ComplaintCard {...parts} />
          <ClaimHistory claim={claim} tenant={tenant} />
        </div>
      </div>
    </>
  )
}

/** What the winner can do now. */
function NextStep(parts: ClaimParts) {
  const { claim, tenant } = parts
  const { status } = claim
  const title = useRef<HTMLHeadingElement>(null)
  const before = useRef(status)
  useEffect(() => {
    // What had the focus may be gone together with the last step.
    if (before.current !== status && document.activeElement === document.body) title.current!.focus()
    before.current = status
  }, [status])
  return (
    <section class={`card claim-step is-${status}`} aria-labelledby="step-title">
      <h2 id="step-title" ref={title} tabIndex={-1}>
        {say(`claim.step.${isDecided(claim) ? 'decided' : status}`)}
      </h2>
      {status === 'offered' && <Offered {...parts} />}
      {status === 'pending' && <Pending {...parts} />}
      {status === 'disputed' && (
        <>
          <p>{say(isDecided(claim) ? 'claim.decided_says' : 'claim.disputed_says')}</p>
          <CodeCard {...parts} />
        </>
      )}
      {status === 'completed' && (
        <>
          <p class="good">
            <Instant at={claim.status_at} tenant={tenant} />
          </p>
          {claim.play_id !== null && (
            <p class="row">
              <a
                class="chip chip-good"
                href={tenant.tenant_code === 'demo' ? '/wallet' : `/wallet?tenant=${tenant.tenant_code}`}
              >
                {say('result.wallet')}
              </a>
            </p>
          )}
        </>
      )}
      {status === 'forfeited' && <p>{say('claim.forfeited_says')}</p>}
    </section>
  )
}

function Offered({ claim_of, state, claim, tenant }: ClaimParts) {
  return (
    <>
      <p>
        {say('claim.until')} <Instant at={claim.window_ends_at} tenant={tenant} />. {say('claim.until_says')}
      </p>
      <Words
        label={say('claim.info')}
        send={say('claim.claim')}
        length_max={2_000}
        hint={say('claim.info_hint')}
        is_optional
        is_busy={state.busy === 'claim'}
        onSend={claim_of.claim}
      />
      <Why state={state} act="claim" />
      <GiveUp {...{ claim_of, state }} />
    </>
  )
}

function Pending(parts: ClaimParts) {
  const { claim_of, state, claim } = parts
  return (
    <>
      {claim.claim_info !== null && (
        <dl class="facts">
          <dt>{say('claim.info_mine')}</dt>
          <dd class="quote">{claim.claim_info}</dd>
        </dl>
      )}
      <CodeCard {...parts} />
      <p class="fine">{say('claim.came_hint')}</p>
      <Sure
        label={say('claim.came')}
        question={say('claim.came_sure')}
        yes={say('claim.came_yes')}
        is_busy={state.busy === 'confirm'}
        onYes={() => void claim_of.confirm()}
      />
      <Why state={state} act="confirm" />
      <GiveUp {...{ claim_of, state }} />
    </>
  )
}

function GiveUp({ claim_of, state }: Pick<ClaimParts, 'claim_of' | 'state'>) {
  return (
    <>
      <Sure
        label={say('claim.give_up')}
        question={say('claim.give_up_sure')}
        yes={say('claim.give_up_yes')}
        is_busy={state.busy === 'give_up'}
        onYes={() => void claim_of.giveUp()}
      />
      <Why state={state} act="give_up" />
    </>
  )
}

/** The complaint there is, and the form for one: closed until the window is over, and it says until when (S0-23). */
function ComplaintCard({ claim_of, state, claim, tenant, token }: ClaimParts) {
  useTick(1_000)
  const { complaint, status, complaint_opens_at } = claim
  const is_owed = status === 'pending'
  if (complaint === null && !is_owed) return null
  const is_closed = serverClock.now() < Date.parse(complaint_opens_at)
  return (
    <section class="card claim-complaint" aria-labelledby="complaint-title">
      <h2 id="complaint-title">{say('complaint.title')}</h2>
      {complaint !== null && (
        <>
          <ComplaintFacts complaint={complaint} tenant={tenant} />
          <Receipt key={complaint.complaint_id} id={complaint.complaint_id} token={token} />
        </>
      )}
      {is_owed && (
        <Words
          label={say('complaint.label')}
          send={say('complaint.send')}
          length_max={2_000}
          hint={
            is_closed ? (
              <>
                {say('complaint.closed')} <Instant at={complaint_opens_at} tenant={tenant} />
              </>
            ) : (
              say('complaint.open')
            )
          }
          is_closed={is_closed}
          is_busy={state.busy === 'complain'}
          onSend={claim_of.complain}
        />
      )}
      <Why state={state} act="complain" />
    </section>
  )
}

/** What the server signed when it took the complaint. */
function Receipt({ id, token }: { id: string; token: string }) {
  const { value } = useLoaded(() => readComplaint(token, id), [id])
  const receipt = value?.body.receipt
  return receipt == null ? null : (
    <p class="code-text">
      <span>{say('complaint.receipt')}</span>
      <code>{receipt}</code>
      <CopyButton text={receipt} label={say('complaint.receipt')} />
    </p>
  )
}
