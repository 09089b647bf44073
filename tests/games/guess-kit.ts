/** Guess games without doors, on a stage with as many processes as wanted. */
import type { Actor } from '../../src/db/tx.ts'
import { drawGames } from '../../src/draws/game.ts'
import { type Draws, makeDraws } from '../../src/draws/service.ts'
import { type Guess, makeGuess } from '../../src/games/guess/guess.ts'
import { gameCreate, gameResource } from '../../src/games/guess/resource.ts'
import { DRAW_GAMES } from '../../src/games/index.ts'
import { localEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { startStage } from './kit.ts'

export async function startGuessing(options: { entropy?: RoundEntropy; starts_at?: Date } = {}) {
  const stage = await startStage(options)
  const tenantId = stage.tenants.get('demo')!
  const games = gameResource()
  const serve = (process: Pick<typeof stage, 'app' | 'checkpoints'>): { draws: Draws; guess: Guess } => {
    const draws = makeDraws({
      app: process.app,
      checkpoints: process.checkpoints,
      entropy: options.entropy ?? localEntropy,
      games: drawGames(DRAW_GAMES),
      report: (where, error) => void stage.reports.push([where, error]),
    })
    return { draws, guess: makeGuess({ app: process.app, draws }) }
  }
  const { draws, guess } = serve(stage)
  const creator = (id = 'carla'): Actor => stage.actor(id, 'demo', ['creator'])

  /** A draft by `carla`, closing a minute from now unless it says otherwise. */
  async function aDraft(wish: Record<string, unknown> = {}, as: Actor = creator()): Promise<string> {
    const input = gameCreate.parse({
      title: 'Guess the weight',
      mode: 'guess',
      ...(wish['mode'] !== 'draw' && { rule: 'nearest', guess_min: 1, guess_max: 1000 }),
      reward_type: 'product',
      closes_at: new Date(stage.clock.now().getTime() + 60_000).toISOString(),
      ...wish,
    })
    return ((await stage.app.run(as, games.create, { input })) as { id: string }).id
  }

  async function aGame(wish: Record<string, unknown> = {}): Promise<string> {
    const id = await aDraft(wish)
    await guess.publish(creator(), id)
    return id
  }

  let count = 0
  const enter = (game_id: string, user: string, value: number | null, request_id = `r-${count++}`) =>
    guess.guess(stage.actor(user), { game_id, request_id, value }).then((reply) => reply.answer)

  return {
    ...stage,
    tenantId,
    games,
    draws,
    guess,
    serve,
    creator,
    aDraft,
    aGame,
    enter,
    read: (game_id: string, user = 'somebody') => guess.read(stage.actor(user), game_id),
    /** Lets so much time pass and does what is due. */
    async pass(duration_s: number) {
      stage.clock.advance(duration_s * 1000)
      await draws.advanceDue(tenantId)
    },
    /** Past the close, the draw, and the last reveal. */
    async toTheEnd() {
      for (const duration_s of [61, 600, 600]) {
        stage.clock.advance(duration_s * 1000)
        await draws.advanceDue(tenantId)
      }
    },
  }
}

export type GuessStage = Awaited<ReturnType<typeof startGuessing>>
