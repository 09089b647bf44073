/** Claims without doors: guess games that were played to the end, and what becomes of their rewards. */
import {
  appealAgainst,
  changeSettings,
  decideAppeal,
  endBlocks,
  failSilent,
  readOwnRecords,
} from '../../src/claims/accountability.ts'
import { claimReward, scanCode } from '../../src/claims/claims.ts'
import { makeCode } from '../../src/claims/codes.ts'
import { answerTo, complain, type Decision, decideComplaint } from '../../src/claims/complaints.ts'
import { forfeitDue } from '../../src/claims/offers.ts'
import { type ClaimSettings, SETTINGS_DEFAULT } from '../../src/claims/rules.ts'
import type { Actor } from '../../src/db/tx.ts'
import { systemActor } from '../../src/system.ts'
import { startGuessing } from '../games/guess-kit.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

export type StandingRow = {
  id: string
  user_id: string
  place: number
  prize_place: number
  claim_status: string
  status_reason: string
  window_ends_at: Date
  play_id: number | null
}

export async function startClaims() {
  const stage = await startGuessing()

  /** A game that everybody named has entered, played to the end; as many win as there are places. */
  async function aWonGame(
    wish: Record<string, unknown> & { players?: readonly string[]; as?: Actor } = {},
  ): Promise<string> {
    const { players = ['wanda'], as = stage.creator(), ...rest } = wish
    const id = await stage.aDraft({ mode: 'draw', claim_window_hours: 48, ...rest }, as)
    await stage.guess.publish(as, id)
    for (const player of players) await stage.enter(id, player, null)
    await stage.toTheEnd()
    return id
  }

  const claimsOf = (game_id: string) =>
    stage.rows<StandingRow>('select * from reward_claims where game_id = $1 order by place', [game_id])

  const claim = (game_id: string, user: string, info: string | null = null) =>
    stage.app.run(stage.actor(user), claimReward, { game_id, place: null, info })

  const codeOf = (claim_id: string, user: string) =>
    stage.app.run(stage.actor(user), async (tx, id: string) => makeCode(tx, id), claim_id)

  /** A game that `players` won and claimed, past its window. */
  async function dueClaims(
    players: readonly string[],
    wish: Parameters<typeof aWonGame>[0] = {},
  ): Promise<string[]> {
    const game_id = await aWonGame({
      players,
      number_of_winners: players.length,
      claim_window_hours: 1,
      ...wish,
    })
    const ids: string[] = []
    for (const player of players) ids.push((await claim(game_id, player)).claim_id)
    stage.clock.advance(HOUR_MS)
    return ids
  }

  const complainOf = (claim_id: string, user = 'wanda', message = 'Nothing came.') =>
    stage.app.run(stage.actor(user), complain, { claim_id, message })

  /** As many complaints against carla as are wished, each by a winner of its own. */
  async function complaintsOf(
    count: number,
    wish: Parameters<typeof aWonGame>[0] = {},
  ): Promise<{ complaint_id: string; claim_id: string; winner: string }[]> {
    const winners = Array.from({ length: count }, (_, i) => `wanda${i}`)
    const claims = await dueClaims(winners, wish)
    const made = []
    for (const [i, claim_id] of claims.entries()) {
      const { complaint_id } = await complainOf(claim_id, winners[i])
      made.push({ complaint_id, claim_id, winner: winners[i]! })
    }
    return made
  }

  const decide = (complaint_id: string, decision: Decision, { app = stage.app, as = stage.boss() } = {}) =>
    app.run(as, decideComplaint, { complaint_id, decision, versions: '*' as const })

  return {
    ...stage,
    aWonGame,
    dueClaims,
    complainOf,
    complaintsOf,
    aComplaint: async () => (await complaintsOf(1))[0]!,
    decide,
    /** Reviewed and decided that nothing came. */
    async decideAgainst(complaint_id: string) {
      await decide(complaint_id, { status: 'reviewed' })
      return decide(complaint_id, { status: 'resolved', outcome: 'unfulfilled' })
    },
    /** The audit, after what a minute does: offers and silences that are long over are one of its questions. */
    async assertClean() {
      while ((await stage.inTenant((tx) => forfeitDue(tx))) > 0);
      while ((await stage.inTenant((tx) => endBlocks(tx))) > 0);
      while ((await stage.inTenant((tx) => failSilent(tx))) > 0);
      await stage.assertClean()
    },
    answer: (complaint_id: string, as: Actor = stage.creator(), answer = 'It was sent.') =>
      stage.app.run(as, answerTo, { complaint_id, answer }),
    /** Do what the minute does. */
    failSilent: (app = stage.app) => app.run(systemActor(stage.tenantId), failSilent, undefined),
    endBlocks: (app = stage.app) => app.run(systemActor(stage.tenantId), endBlocks, undefined),
    settle: (settings: Partial<ClaimSettings>) =>
      stage.app.run(stage.boss(), changeSettings, {
        settings: { ...SETTINGS_DEFAULT, ...settings },
        versions: '*' as const,
      }),
    recordOf: async (as: Actor = stage.creator()) =>
      (await stage.app.run(as, readOwnRecords, undefined)).data,
    appeal: (block_id: string, as: Actor = stage.creator()) =>
      stage.app.run(as, appealAgainst, { block_id, appeal: 'The post was on strike.' }),
    decideAppeal: (block_id: string, decision: 'lifted' | 'upheld', as: Actor = stage.boss()) =>
      stage.app.run(as, decideAppeal, { block_id, decision, note: null }),
    blocks: () =>
      stage.rows<{
        id: string
        party_id: string
        failure_count: number
        blocked_until: Date
        ended_at: Date | null
      }>('select * from creator_blocks order by created_at, id'),
    claimsOf,
    claim,
    codeOf,
    scan: (token: string, as: Actor = stage.creator()) => stage.app.run(as, scanCode, { token }),
    /** A game of carla that wanda won and claimed. */
    async aClaim(wish: Parameters<typeof aWonGame>[0] = {}): Promise<{ claim_id: string; game_id: string }> {
      const game_id = await aWonGame(wish)
      const { claim_id } = await claim(game_id, wish.players?.[0] ?? 'wanda')
      return { claim_id, game_id }
    },
    /** Does what the minute does. */
    forfeitDue: () => stage.inTenant((tx) => forfeitDue(tx)),
    notesOf: (user_id: string) =>
      stage.rows<{ kind: string; message: string; data: any; read_at: Date | null }>(
        'select kind, message, data, read_at from notifications where user_id = $1 order by id',
        [user_id],
      ),
    async aCompany(...members: string[]): Promise<string> {
      const id = crypto.randomUUID()
      await stage.inTenant(async (tx) => {
        await tx.rows(
          'insert into companies (id, company_name, created_at, updated_at) values ($1, $2, $3, $3)',
          [id, `Pumpkins ${id}`, tx.now],
        )
        await tx.rows(
          'insert into company_members (company_id, user_id, created_at) select $1, unnest($2::text[]), $3',
          [id, members, tx.now],
        )
      })
      return id
    },
  }
}

export type ClaimStage = Awaited<ReturnType<typeof startClaims>>
