/** Claims without doors: guess games that were played to the end, and what becomes of their rewards. */

import { claimReward, scanCode } from '../../src/claims/claims.ts'
import { makeCode } from '../../src/claims/codes.ts'
import { forfeitDue } from '../../src/claims/offers.ts'
import type { Actor } from '../../src/db/tx.ts'
import { startGuessing } from '../games/guess-kit.ts'

export const HOUR_MS = 3_600_000

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

  return {
    ...stage,
    aWonGame,
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
