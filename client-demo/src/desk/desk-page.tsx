/** The desk: whoever hands rewards over works here, and staff that decides complaints. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Bearer, forgetBearer, keptBearer } from '../shared/bearer.ts'
import { followInbox } from '../shared/inbox.ts'
import type { Link, Live } from '../shared/live.ts'
import { useLoaded } from '../shared/loading.ts'
import { decides, handsOver, watches } from '../shared/rights.ts'
import { readTenant, type Tenant } from '../shared/tenant.ts'
import { TokenForm } from '../shared/token-form.tsx'
import { Announcer, Header, LinkPill, Tabs, Unavailable } from '../shared/ui.tsx'
import { say } from '../strings.ts'
import { BlocksTab } from './blocks-tab.tsx'
import { ClaimsTab } from './claims-tab.tsx'
import { ComplaintsTab } from './complaints-tab.tsx'
import { RecordTab } from './record-tab.tsx'
import { ScanTab } from './scan-tab.tsx'

/** What the inbox told last, and how often it told something. */
export type News = { times: number; ids: ReadonlySet<string> | null }

/** What every tab of the desk is given. */
export type DeskParts = {
  bearer: Bearer
  tenant: Tenant
  news: News
  /** Says something to a screen reader. */
  tell: (text: string) => void
}

export function DeskPage() {
  const [bearer, setBearer] = useState(keptBearer)
  const [is_over, setOver] = useState(false)
  const leave = (is_token_over: boolean) => {
    forgetBearer()
    setOver(is_token_over)
    setBearer(undefined)
  }
  useEffect(() => {
    if (bearer === undefined) return
    const timer = setTimeout(() => leave(true), bearer.expires_at_ms - Date.now())
    return () => clearTimeout(timer)
  }, [bearer])
  return bearer === undefined ? (
    <SignIn first_why={is_over ? say('desk.token_over') : ''} onBearer={setBearer} />
  ) : (
    <Desk key={bearer.token} bearer={bearer} onLeave={() => leave(false)} />
  )
}

type SignInProps = {
  /** Why the last token does not hold any more. */
  first_why: string
  onBearer: (bearer: Bearer) => void
}

function SignIn({ first_why, onBearer }: SignInProps) {
  return (
    <>
      <Header page="desk" />
      <main id="main" class="desk">
        <section class="card desk-door">
          <h1>{say('desk.title')}</h1>
          <p>{say('desk.lead')}</p>
          <TokenForm
            label={say('desk.token')}
            first_why={first_why}
            refuses={(bearer) => (handsOver(bearer) || watches(bearer) ? undefined : say('desk.wrong_role'))}
            onBearer={onBearer}
          >
            <h2>{say('desk.how')}</h2>
            <dl class="facts">
              <dt>{say('desk.how_creator')}</dt>
              <dd>
                <code class="bytes">npm run token -- --tenant demo --sub ada --role creator</code>
              </dd>
              <dt>{say('desk.how_operator')}</dt>
              <dd>
                <code class="bytes">npm run token -- --tenant demo --sub otto --role operator</code>
              </dd>
            </dl>
          </TokenForm>
        </section>
      </main>
    </>
  )
}

function Desk({ bearer, onLeave }: { bearer: Bearer; onLeave: () => void }) {
  const { value: tenant, refusal, reload } = useLoaded(() => readTenant(bearer.token), [bearer])
  const [link, setLink] = useState<Link>({ status: 'connecting' })
  const [news, setNews] = useState<News>({ times: 0, ids: null })
  const [said, tell] = useState('')
  const [tab, setTab] = useState(handsOver(bearer) ? 'claims' : 'complaints')
  const [open, setOpen] = useState<string | null>(null)
  const live = useRef<Live>(undefined)
  useEffect(() => {
    live.current = followInbox(async () => bearer.token, {
      link: setLink,
      moved: (ids) => setNews(({ times }) => ({ times: times + 1, ids })),
    })
    return () => live.current?.leave()
  }, [bearer])

  const showClaim = (claim_id: string | null) => {
    setOpen(claim_id)
    setTab('claims')
  }
  const parts = tenant === undefined ? undefined : { bearer, tenant, news, tell }
  const tabs = parts && [
    ...(handsOver(bearer)
      ? [
          {
            id: 'claims',
            label: say('desk.tab.claims'),
            panel: <ClaimsTab {...parts} open={open} onOpen={setOpen} />,
          },
          {
            id: 'scan',
            label: say('desk.tab.scan'),
            panel: <ScanTab {...parts} onOpen={showClaim} />,
          },
          { id: 'record', label: say('desk.tab.record'), panel: <RecordTab {...parts} /> },
        ]
      : []),
    ...(watches(bearer)
      ? [
          {
            id: 'complaints',
            label: say('desk.tab.complaints'),
            panel: <ComplaintsTab {...parts} is_deciding={decides(bearer)} />,
          },
          {
            id: 'blocks',
            label: say('desk.tab.blocks'),
            panel: <BlocksTab {...parts} is_deciding={decides(bearer)} />,
          },
        ]
      : []),
  ]
  return (
    <>
      <Header page="desk">
        <LinkPill link={link} onRetry={() => live.current?.retryNow()} />
      </Header>
      <main id="main" class="desk">
        <div class="wallet-head">
          <h1>{say('desk.title')}</h1>
          <p class="row">
            <span class="fine">
              {say('desk.as', { name: bearer.user_id, roles: bearer.roles.join(', ') })}
            </span>
            {watches(bearer) && (
              <a class="button" href="/admin">
                {say('desk.to_lists')}
              </a>
            )}
            <button type="button" class="button" onClick={onLeave}>
              {say('desk.leave')}
            </button>
          </p>
        </div>
        {tabs === undefined ? (
          <Unavailable refusal={refusal} retry={reload} />
        ) : (
          <Tabs tabs={tabs} chosen={tab} onChoose={setTab} label={say('desk.tabs')} />
        )}
      </main>
      <Announcer text={said} />
    </>
  )
}
