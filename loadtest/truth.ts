/** What is committed: read from the database of our own server as the auditor, or through the API of another's. */
import type { Database } from '../src/db/pool.ts'
import { type Api, eachOf } from './api.ts'
import type { CommittedSpin, LoggedSpin, Told, Truth } from './check.ts'
import type { Player } from './crowd.ts'
import type { LogEntry } from './thread.ts'

const AT_ONCE = 8
const PAGE = 100

/** Reads rows, not answers of the server under test: as livedraw_auditor, in one state of the database. */
export async function truthOfDatabase(database: Database, wheelId: string): Promise<Truth> {
  const client = await database.connect()
  try {
    await client.query('begin isolation level repeatable read read only; set local role livedraw_auditor')
    const rows = async <T>(text: string) => (await client.query(text, [wheelId])).rows as T[]
    const spins = await rows<Omit<CommittedSpin, 'won'> & { is_winner: boolean; answer: string }>(
      `select s.id as spin_id, s.user_id, r.nonce, f.commit_hash, h.segment_index as segment, h.reward_slug, p.is_winner,
              p.id as play_id, s.answer
       from spin_sessions s
       join spin_results r on r.tenant_id = s.tenant_id and r.spin_session_id = s.id
       join fair_seeds f on f.tenant_id = s.tenant_id and f.id = r.seed_id
       join wheel_rewards_history h on h.tenant_id = s.tenant_id and h.id = r.wheel_reward_id and h.config_version = r.config_version
       join gamification_game_plays p on p.tenant_id = s.tenant_id and p.event_id = s.id
       where s.wheel_game_id = $1`,
    )
    const events = await rows<LogEntry>(
      `select game_seq as seq, event_type as type, event_data as data from game_events where game_id = $1::text order by game_seq`,
    )
    const used = await rows<{ user_id: string; used: number }>(
      `select user_id, sum(used_chances)::int as used from spin_chances
       where user_id in (select user_id from spin_sessions where wheel_game_id = $1) group by user_id`,
    )
    return {
      spins: spins.map(({ is_winner, answer, ...spin }) => ({
        ...spin,
        won: is_winner,
        chances_left: (JSON.parse(answer) as { chances_left: number }).chances_left,
      })),
      log: loggedSpins(events),
      chances_used: new Map(used.map((row) => [row.user_id, row.used])),
    }
  } finally {
    await client.query('rollback')
    client.release()
  }
}

/** Reads each player's own history, and takes the log as a client read it. */
export async function truthOfApi(
  api: Api,
  slug: string,
  players: readonly Player[],
  log: readonly LogEntry[],
): Promise<Truth> {
  const used = new Map<string, number>()
  const spins = await eachOf(players, AT_ONCE, async ({ user_id, token }): Promise<CommittedSpin[]> => {
    const grants = await pages<{ used_chances: number }>(api, '/spin-chances', token)
    used.set(
      user_id,
      grants.reduce((sum, grant) => sum + grant.used_chances, 0),
    )
    const mine = await pages<Omit<CommittedSpin, 'user_id'>>(api, `/wheels/${slug}/spins`, token)
    return mine.map((spin) => ({ ...spin, user_id }))
  })
  return { spins: spins.flat(), log: loggedSpins(log), chances_used: used }
}

async function pages<T>(api: Api, path: string, token: string): Promise<T[]> {
  const all: T[] = []
  let cursor: string | null = null
  do {
    const query: string = `?limit=${PAGE}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
    const page: { data: T[]; next_cursor: string | null } = await api.ask('GET', path + query, token)
    all.push(...page.data)
    cursor = page.next_cursor
  } while (cursor !== null)
  return all
}

function loggedSpins(events: readonly LogEntry[]): LoggedSpin[] {
  return events
    .filter(({ type }) => type === 'wheel.spun')
    .map(({ seq, data }) => {
      const { spin_id, segment, reward_slug, won } = data as Told
      return { seq, spin_id, segment, reward_slug, won }
    })
}
