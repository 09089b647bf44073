/** What may be asked of a guess game in each of its states: every state and every action once. */
import assert from 'node:assert/strict'
import { advance } from '../../src/draws/draws.ts'
import { ERRORS, type ErrorCode } from '../../src/errors.ts'
import { cancelGame } from '../../src/games/guess/games.ts'
import type { GameStatus } from '../../src/games/guess/store.ts'
import { systemActor } from '../../src/system.ts'
import { type GuessStage, startGuessing } from './guess-kit.ts'

const STATES = [
  'draft',
  'scheduled',
  'open',
  'closed',
  'drawing',
  'drawn',
  'settled',
  'cancelled',
] as const satisfies readonly GameStatus[]

/** In which states an action is taken, and the code that it gets in all others. A game that is open is not paused here. */
const ACTIONS: Record<string, { taken: readonly GameStatus[]; code: ErrorCode; open?: ErrorCode }> = {
  change: { taken: ['draft'], code: 'game_published' },
  publish: { taken: ['draft'], code: 'game_published' },
  guess: { taken: ['open'], code: 'game_not_open' },
  cancel: { taken: ['scheduled', 'open'], code: 'draw_closed' },
  pause: { taken: ['open'], code: 'game_not_open' },
  resume: { taken: [], code: 'game_not_open', open: 'game_not_paused' },
  extend: { taken: ['open'], code: 'game_not_open' },
  remove: { taken: ['draft', 'settled', 'cancelled'], code: 'in_use' },
}

describe('the states of a guess game', function () {
  this.timeout(60_000)
  let stage: GuessStage
  before(async () => {
    stage = await startGuessing()
  })
  after(async () => {
    await stage.close()
  })

  const statusOf = async (id: string): Promise<string> =>
    (await stage.rows<{ status: string }>('select status from games where id = $1', [id]))[0]!.status
  const drawOf = async (id: string): Promise<string> =>
    (await stage.rows<{ draw_id: string }>('select draw_id from games where id = $1', [id]))[0]!.draw_id
  const cancel = (id: string) =>
    stage.app.run(stage.creator(), cancelGame, { game_id: id, why: 'a mistake', games: stage.draws.games })

  /** One move of one game, so that states that last no time can be looked at. */
  async function step(id: string): Promise<void> {
    await stage.checkpoints.make(stage.tenantId)
    const input = { draw_id: await drawOf(id), obtained: {}, games: stage.draws.games }
    await stage.app.run(systemActor(stage.tenantId), advance, input)
  }

  async function aGameThatIs(state: GameStatus): Promise<string> {
    if (state === 'draft') return stage.aDraft()
    const opens_at = new Date(stage.clock.now().getTime() + 30_000).toISOString()
    const id = await stage.aGame(state === 'scheduled' ? { opens_at } : {})
    if (state === 'cancelled') await cancel(id)
    else if (state !== 'scheduled' && state !== 'open') {
      await stage.enter(id, 'first', 7)
      stage.clock.advance(60_000)
      while ((await statusOf(id)) !== state) {
        await step(id)
        if ((await statusOf(id)) === 'drawn') stage.clock.advance(600_000)
      }
    }
    assert.equal(await statusOf(id), state)
    return id
  }

  const act: Record<string, (id: string) => Promise<unknown>> = {
    change: (id) =>
      stage.app.run(stage.creator(), stage.games.update, {
        ref: id,
        input: { title: 'Another title' },
        versions: '*' as const,
      }),
    publish: (id) => stage.guess.publish(stage.creator(), id),
    guess: (id) => stage.enter(id, 'alice', 8),
    cancel,
    pause: (id) => stage.guess.pause(stage.creator(), { game_id: id, minutes: 1, why: 'a break' }),
    resume: (id) => stage.guess.resume(stage.creator(), id),
    extend: (id) =>
      stage.guess.extend(stage.creator(), {
        game_id: id,
        closes_at: new Date(stage.clock.now().getTime() + 600_000),
        why: 'more time',
      }),
    remove: (id) => stage.app.run(stage.creator(), stage.games.remove, { ref: id, versions: '*' as const }),
  }

  for (const state of STATES)
    for (const [action, { taken, open, ...refused }] of Object.entries(ACTIONS)) {
      const code = (state === 'open' && open) || refused.code
      if (taken.includes(state)) {
        it(`S0-05 ${action} of a game that is ${state} is taken`, async () => {
          await act[action]!(await aGameThatIs(state))
        })
      } else if (action === 'guess' && state === 'draft') {
        it('S0-05 a draft is not there for players', async () => {
          await assert.rejects(act['guess']!(await aGameThatIs('draft')), { code: 'game_not_found' })
        })
      } else {
        it(`S0-05 ${action} of a game that is ${state} gets 409 ${code}, which names the state, and changes nothing`, async () => {
          const id = await aGameThatIs(state)
          await assert.rejects(act[action]!(id), (refusal: any) => {
            assert.equal(refusal.code, code)
            assert.equal(ERRORS[refusal.code as ErrorCode].status, 409)
            assert.equal(refusal.detail.facts.status, state)
            return true
          })
          assert.equal(await statusOf(id), state)
        })
      }
    }
})
