/** The wallet: tabs with counts, cards, and why a prize cannot be used. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { claimAddress } from '../shared/claims-api.ts'
import { PrizeCard } from '../shared/prize-card.tsx'
import { conditionTexts, type Prize, reasonText, STATUSES, type Status } from '../shared/prizes.ts'
import { whyText } from '../shared/refusal.ts'
import { useStore } from '../shared/store.ts'
import type { Tenant } from '../shared/tenant.ts'
import { Announcer, Header, LinkPill, Tabs } from '../shared/ui.tsx'
import { say } from '../strings.ts'
import { Needs } from './needs.tsx'
import { makeWallet, shownPrizes, type Wallet, type WalletState } from './wallet.ts'

export function WalletPage({ tenant }: { tenant: string }) {
  const wallet = useMemo(() => makeWallet(tenant), [tenant])
  useEffect(() => wallet.leave, [wallet])
  const state = useStore(wallet.store)
  return (
    <>
      <Header page="wallet">
        {state.guest !== null && <LinkPill link={state.link} onRetry={wallet.retryNow} />}
      </Header>
      <main id="main" class="wallet">
        <div class="wallet-head">
          <h1>{say('wallet.title')}</h1>
          <p class="row">
            <a class="button" href={claimAddress(tenant)}>
              {say('wallet.claims')}
            </a>
            <a class="button" href={tenant === 'demo' ? '/' : `/?tenant=${encodeURIComponent(tenant)}`}>
              {say('wallet.win_more')}
            </a>
          </p>
        </div>
        {state.guest === null ? <NobodyYet /> : <Lists wallet={wallet} state={state} />}
      </main>
      <Announcer text={state.said} />
    </>
  )
}

/** A guest is made where the first spin is, and only there. */
function NobodyYet() {
  return (
    <section class="card notice">
      <h2>{say('wallet.nobody_title')}</h2>
      <p>{say('wallet.nobody')}</p>
      <p class="row">
        <a class="button button-primary" href="/">
          {say('lobby.title')}
        </a>
      </p>
    </section>
  )
}

type Parts = { wallet: Wallet; state: WalletState }

function Lists({ wallet, state }: Parts) {
  const tabs = STATUSES.map((status) => ({
    id: status,
    label: say(`wallet.tab.${status}`),
    ...(state.counts !== null && { badge: state.counts[status] }),
    panel: <List wallet={wallet} state={state} />,
  }))
  return (
    <div class="wallet-tabs">
      <Tabs
        tabs={tabs}
        chosen={state.tab}
        onChoose={(id) => wallet.choose(id as Status)}
        label={say('wallet.title')}
      />
    </div>
  )
}

function List({ wallet, state }: Parts) {
  const { prizes, tenant, refusal, tab } = state
  const list = shownPrizes(state)
  if (refusal !== null && prizes === null)
    return (
      <div class="notice" role="alert">
        <p>
          {say('prizes.error')} {whyText(refusal)}
        </p>
        <button type="button" class="button" onClick={() => void wallet.refresh()}>
          {say('app.retry')}
        </button>
      </div>
    )
  if (prizes === null || tenant === null)
    return (
      <div class="skeleton" role="status">
        {say('app.loading')}
      </div>
    )
  return (
    <>
      {refusal !== null && <Stale refusal={whyText(refusal)} retry={wallet.refresh} />}
      {list.length === 0 ? (
        <p class="empty">{say(`wallet.empty.${tab}`)}</p>
      ) : (
        <ul class="tickets" aria-label={say(`wallet.tab.${tab}`)}>
          {list.map((prize) => (
            <li key={prize.id}>
              <Card prize={prize} tenant={tenant} wallet={wallet} state={state} />
            </li>
          ))}
        </ul>
      )}
      {state.has_more && (
        <button
          type="button"
          class="button more"
          aria-disabled={state.is_loading_more}
          onClick={() => void wallet.more()}
        >
          {say(state.is_loading_more ? 'app.loading' : 'prizes.more')}
        </button>
      )}
    </>
  )
}

/** What is shown was true a moment ago; the reader is told, and not left without it. */
function Stale({ refusal, retry }: { refusal: string; retry: () => Promise<void> }) {
  return (
    <p class="why why-row" role="alert">
      {refusal}
      <button type="button" class="button" onClick={() => void retry()}>
        {say('app.retry')}
      </button>
    </p>
  )
}

function Card({ prize, tenant, wallet, state }: Parts & { prize: Prize; tenant: Tenant }) {
  const is_busy = state.busy.has(prize.id)
  const why = state.why[prize.id]
  const reasons = prize.prize_status === 'unlocked' ? prize.why_not : []
  return (
    <PrizeCard
      prize={prize}
      tenant={tenant}
      is_fresh={state.revealed.some(({ id }) => id === prize.id)}
      onDeadline={() => void wallet.refresh()}
    >
      {reasons.length > 0 && (
        <ul class="reasons">
          {reasons.map((reason) => (
            <li key={reason.code}>{reasonText(reason, tenant)}</li>
          ))}
        </ul>
      )}
      {why !== undefined && <p class="why">{why}</p>}
      {prize.can_unlock && (
        <button
          type="button"
          class="button button-primary"
          aria-disabled={is_busy}
          aria-describedby={`prize-${prize.id}`}
          onClick={() => void wallet.unlock(prize.id)}
        >
          {say(is_busy ? 'wallet.unlocking' : 'wallet.unlock')}
        </button>
      )}
      {prize.can_apply && tenant.is_demo && (
        <a
          class="button button-primary"
          href={shopAddress(tenant, prize.id)}
          aria-describedby={`prize-${prize.id}`}
        >
          {say('wallet.use')}
        </a>
      )}
      {prize.prize_name !== null && <Details prize={prize} tenant={tenant} token={state.guest!.token} />}
    </PrizeCard>
  )
}

const shopAddress = ({ tenant_code }: Tenant, id: number) =>
  `/shop?${new URLSearchParams({ ...(tenant_code !== 'demo' && { tenant: tenant_code }), prize: String(id) })}`

function Details({ prize, tenant, token }: { prize: Prize; tenant: Tenant; token: string }) {
  const [is_open, setOpen] = useState(false)
  const conditions = conditionTexts(prize.conditions ?? {}, tenant)
  return (
    <details class="details" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{say('wallet.details')}</summary>
      <h4>{say('wallet.conditions')}</h4>
      {conditions.length === 0 ? (
        <p class="fine">{say('wallet.no_conditions')}</p>
      ) : (
        <ul class="bullets">
          {conditions.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {is_open && <Needs prize={prize} tenant={tenant} token={token} />}
    </details>
  )
}
