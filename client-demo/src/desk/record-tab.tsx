/** What the bearer and his companies have handed over, and a block with its one appeal. */
import { useState } from 'preact/hooks'
import { Instant, Words } from '../shared/claim-parts.tsx'
import {
  appeal,
  type Block,
  type CreatorRecord,
  type PartyRecord,
  readMyRecord,
} from '../shared/claims-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import type { Tenant } from '../shared/tenant.ts'
import { Unavailable } from '../shared/ui.tsx'
import { count, percentText, say } from '../strings.ts'
import type { DeskParts } from './desk-page.tsx'

export function RecordTab({ bearer, tenant, news, tell }: DeskParts) {
  const { value, refusal, reload } = useLoaded(() => readMyRecord(bearer.token), [bearer, news.times])
  if (value === undefined) return <Unavailable refusal={refusal} retry={reload} />
  return (
    <div class="records">
      {value.map((party) => (
        <Party key={party.party_id} {...{ party, tenant, tell, reload }} token={bearer.token} />
      ))}
    </div>
  )
}

/** Of what ended, how much was handed over. */
export const rateText = ({ fulfilment_bps }: CreatorRecord): string =>
  fulfilment_bps === null ? '–' : percentText(fulfilment_bps / 10_000)

type PartyProps = Pick<DeskParts, 'tenant' | 'tell'> & {
  party: PartyRecord
  token: string
  reload: () => void
}

function Party({ party, tenant, tell, token, reload }: PartyProps) {
  const { name, completed_count, failed_count, recent_failures, failures_max, failure_days, block } = party
  return (
    <section class="card record" aria-label={name}>
      <h2>
        {name} <span class="tag">{say(`record.${party.party_kind}`)}</span>
      </h2>
      <dl class="stats">
        <div>
          <dt>{say('record.rate')}</dt>
          <dd>{rateText(party)}</dd>
        </div>
        <div>
          <dt>{say('record.completed')}</dt>
          <dd>{completed_count}</dd>
        </div>
        <div>
          <dt>{say('record.failed')}</dt>
          <dd>{failed_count}</dd>
        </div>
        <div>
          <dt>{say('record.recent', { days: failure_days })}</dt>
          <dd>
            {recent_failures} / {failures_max}
          </dd>
        </div>
      </dl>
      <p class="fine">{count('record.rule', failures_max, { days: failure_days })}</p>
      {block !== null && <Blocked {...{ block, tenant, tell, token, reload }} />}
    </section>
  )
}

type BlockedProps = Omit<PartyProps, 'party'> & { block: Block }

function Blocked({ block, tenant, tell, token, reload }: BlockedProps) {
  const [is_busy, setBusy] = useState(false)
  const [why, setWhy] = useState('')
  const send = async (text: string) => {
    setBusy(true)
    setWhy('')
    try {
      await appeal(token, block.block_id, text)
      tell(say('block.said.appealed'))
      reload()
      return true
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
      return false
    } finally {
      setBusy(false)
    }
  }
  return (
    <div class="blocked">
      <BlockFacts block={block} tenant={tenant} />
      {block.appeal === null && block.decision === null && (
        <Words
          label={say('block.appeal')}
          send={say('block.send')}
          length_max={2_000}
          hint={say('block.appeal_hint')}
          is_busy={is_busy}
          onSend={send}
        />
      )}
      {why !== '' && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
    </div>
  )
}

/** A block as its creator and staff see it. */
export function BlockFacts({ block, tenant }: { block: Block; tenant: Tenant }) {
  const { decision, decision_note } = block
  return (
    <>
      <p class="why">
        {decision === 'lifted' ? (
          say('block.lifted')
        ) : (
          <>
            {count('block.until', block.failure_count)} <Instant at={block.blocked_until} tenant={tenant} />
          </>
        )}
      </p>
      {block.appeal !== null && (
        <dl class="facts">
          <dt>{say('block.appeal_said')}</dt>
          <dd class="quote">{block.appeal}</dd>
          <dt>{say('block.decision')}</dt>
          <dd>
            {say(decision === null ? 'block.undecided' : `block.decision.${decision}`)}
            {decision_note !== null && <span class="quote">{decision_note}</span>}
          </dd>
        </dl>
      )}
    </>
  )
}
