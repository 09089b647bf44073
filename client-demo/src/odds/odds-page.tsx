/** Observed beside promised: every roll of the version in force, and how likely such counts are by chance. */
import { useEffect, useState } from 'preact/hooks'
import { addressOf } from '../play/lobby.tsx'
import { API, ask, lobbyGames } from '../shared/api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { Hash, Header } from '../shared/ui.tsx'
import { count, numberText, type StringKey, say } from '../strings.ts'

/** Rolls are counted anew as often as somebody who watches would want to see them move. */
const REFRESH_MS = 10_000
/** Counts that chance gives less often than this are worth a look; a wheel is looked at many times. */
const SUSPICIOUS_P = 0.001

type Monitor = {
  wheel: string
  wheel_name: string
  config_version: number
  config_hash: string
  spins: number
  chi_square: string
  degrees_of_freedom: number
  p_value: string | null
  segments: { reward_slug: string; reward_label: string; share: string; expected: string; observed: number }[]
}

type Choice = { slug: string; name: string }

const readMonitor = (tenant: string, wheel: string): Promise<Monitor> =>
  ask('GET', `${API}/fairness/monitor?${new URLSearchParams({ tenant, wheel })}`)

async function readWheels(tenant: string): Promise<Choice[]> {
  return (await lobbyGames(tenant)).filter(({ kind }) => kind === 'wheel')
}

export function OddsPage({ tenant, asked }: { tenant: string; asked: string | undefined }) {
  const { value: wheels, refusal, reload } = useLoaded(() => readWheels(tenant), [tenant])
  const [chosen, setChosen] = useState(asked)
  const wheel = chosen ?? wheels?.[0]?.slug
  return (
    <>
      <Header page="odds" />
      <main id="main" class="lobby">
        <h1>{say('monitor.title')}</h1>
        <p class="lead">{say('monitor.lead')}</p>
        {wheels !== undefined && wheels.length > 1 && (
          <label class="monitor-choice">
            {say('monitor.wheel')}{' '}
            <select value={wheel} onChange={(event) => setChosen(event.currentTarget.value)}>
              {wheels.map(({ slug, name }) => (
                <option key={slug} value={slug}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        {wheel !== undefined && <Observed tenant={tenant} wheel={wheel} />}
        {wheel === undefined && (
          <div class="card notice" role="status">
            <p>{refusal ? whyText(refusal) : say(wheels === undefined ? 'app.loading' : 'watch.empty')}</p>
            {refusal && (
              <button type="button" class="button" onClick={reload}>
                {say('app.retry')}
              </button>
            )}
          </div>
        )}
      </main>
    </>
  )
}

function Observed({ tenant, wheel }: { tenant: string; wheel: string }) {
  const { value: seen, refusal, reload } = useLoaded(() => readMonitor(tenant, wheel), [tenant, wheel])
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), REFRESH_MS)
    return () => clearInterval(timer)
  }, [reload])
  if (seen === undefined)
    return (
      <div class="card notice" role="status">
        <p>{refusal ? whyText(refusal) : say('app.loading')}</p>
        {refusal && (
          <button type="button" class="button" onClick={reload}>
            {say('app.retry')}
          </button>
        )}
      </div>
    )
  const most = Math.max(1, ...seen.segments.flatMap(({ expected, observed }) => [Number(expected), observed]))
  return (
    <section class="card monitor" aria-label={seen.wheel_name}>
      <h2>{seen.wheel_name}</h2>
      <p class={`monitor-verdict monitor-${verdictOf(seen)}`}>
        <strong>{count('monitor.spins', seen.spins)}</strong> {verdictText(seen)}
      </p>
      <table class="odds">
        <thead>
          <tr>
            <th scope="col">{say('odds.reward')}</th>
            <th scope="col">{say('odds.share')}</th>
            <th scope="col">{say('monitor.expected')}</th>
            <th scope="col">{say('monitor.observed')}</th>
          </tr>
        </thead>
        <tbody>
          {seen.segments.map(({ reward_slug, reward_label, share, expected, observed }) => (
            <tr key={reward_slug}>
              <th scope="row">
                {reward_label}
                <svg class="monitor-bars" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
                  <rect class="monitor-promised" y="0" height="4" width={(Number(expected) / most) * 100} />
                  <rect class="monitor-rolled" y="5" height="4" width={(observed / most) * 100} />
                </svg>
              </th>
              <td>{share}</td>
              <td>{expected}</td>
              <td>{numberText(observed)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="fine">
        {say('monitor.test', {
          chi: seen.chi_square,
          degrees: seen.degrees_of_freedom,
          p: seen.p_value ?? '–',
          version: seen.config_version,
        })}
      </p>
      <p class="fine">
        {say('odds.hash')} <Hash value={seen.config_hash} label={say('odds.hash')} />
      </p>
      <p class="row">
        <a class="button" href={addressOf('play', tenant, wheel)}>
          {say('app.play')}
        </a>
        <a class="button" href="/verify">
          {say('monitor.verify')}
        </a>
      </p>
    </section>
  )
}

type Verdict = 'early' | 'agrees' | 'unlikely'

function verdictOf({ p_value }: Monitor): Verdict {
  if (p_value === null) return 'early'
  return Number(p_value) < SUSPICIOUS_P ? 'unlikely' : 'agrees'
}

function verdictText(seen: Monitor): string {
  const key: StringKey = `monitor.${verdictOf(seen)}`
  const p = Number(seen.p_value)
  return say(key, { often: p > 0 ? Math.max(1, Math.round(1 / p)) : '∞' })
}
