/** Games that are paused, go on, and close later: only as they promised, in public, and never to somebody's advantage (P-07). */
import assert from 'node:assert/strict'
import type { GameEvent } from '../../src/db/tx.ts'
import { committedRound, timeOfRound } from '../../src/fairness/beacon.ts'
import { RECORDED_ROUNDS } from '../../src/fairness/recorded-rounds.ts'
import { type Verdict, verifyText } from '../../src/fairness/verify.ts'
import { cancelGame } from '../../src/games/guess/games.ts'
import type { RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { standStill } from '../draws/kit.ts'
import { type GuessStage, startGuessing } from './guess-kit.ts'
import { codesOf, refusalOf, tally } from './kit.ts'

const MINUTE_MS = 60_000

describe('pauses and later closes', function () {
  this.timeout(60_000)
  let stage: GuessStage
  const start = async (options: Parameters<typeof startGuessing>[0] = {}) => {
    stage = await startGuessing(options)
    standStill(stage.clock)
  }
  beforeEach(() => start())
  afterEach(() => stage.close())

  const later = (duration_ms: number) => new Date(stage.clock.now().getTime() + duration_ms)
  const pause = (game_id: string, minutes: number, as = stage.creator()) =>
    stage.guess.pause(as, { game_id, minutes, why: 'the stream is interrupted' })
  const extend = (game_id: string, closes_at: Date, as = stage.creator()) =>
    stage.guess.extend(as, { game_id, closes_at, why: 'the stream began late' })
  const eventsOf = async (game_id: string): Promise<GameEvent[]> =>
    (
      await stage.rows(
        'select event_type as type, event_data as data from game_events where game_id = $1 order by game_seq',
        [game_id],
      )
    ).filter(({ type }) => /paused|resumed|extended|draw\.(open|closed)/.test(type))
  const transcriptOf = async (game_id: string): Promise<string> => {
    const { draw } = await stage.read(game_id)
    return stage.inTenant((tx) => readTranscript(tx, { event_id: draw!.draw_id }))
  }
  const verify = (text: string): Verdict =>
    verifyText(text, { keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') } })
  const auditOf = (action: string) =>
    stage.rows('select user_id, old_values, new_values from audit_logs where action = $1 order by seq', [
      action,
    ])

  it('P-07 a pause stops the timer: what was left of it is left afterwards, and nobody guesses meanwhile', async () => {
    const id = await stage.aGame()
    await stage.enter(id, 'alice', 7)
    await stage.pass(20)
    const view = await pause(id, 30)
    assert.deepEqual(
      [view.status, view.paused_until, view.closes_at],
      ['open', later(30 * MINUTE_MS).toISOString(), later(30 * MINUTE_MS + 40_000).toISOString()],
    )
    const { code, detail } = await refusalOf(stage.enter(id, 'bob', 8))
    assert.deepEqual([code, detail.facts.paused_until], ['game_paused', view.paused_until])
    assert.equal((await refusalOf(pause(id, 1))).code, 'game_paused')

    // Long after the close that was promised first, and just before the end of the pause.
    await stage.pass(30 * 60 - 0.001)
    assert.equal((await stage.read(id)).status, 'open')
    assert.equal((await refusalOf(stage.enter(id, 'bob', 8))).code, 'game_paused')
    await stage.pass(0.001)
    await stage.enter(id, 'bob', 8)
    assert.equal((await stage.read(id)).paused_until, null)
    await stage.pass(39.999)
    await stage.enter(id, 'carol', 9)
    await stage.pass(0.001)
    assert.equal((await refusalOf(stage.enter(id, 'dave', 9))).code, 'game_not_open')
    assert.deepEqual(
      (await eventsOf(id)).map(({ type }) => type),
      ['draw.open', 'draw.extended', 'draw.paused', 'draw.resumed', 'draw.closed'],
    )
    await stage.pass(600)
    await stage.pass(600)
    assert.equal(verify(await transcriptOf(id)).status, 'verified')
    await stage.assertClean()
  })

  it('P-07 who resumes early gives the rest of the pause to the players: a close never moves earlier', async () => {
    const id = await stage.aGame()
    const { closes_at } = await pause(id, 30)
    await stage.pass(60)
    const view = await stage.guess.resume(stage.creator(), id)
    assert.deepEqual([view.paused_until, view.closes_at], [null, closes_at])
    await stage.enter(id, 'alice', 7)
    assert.equal((await refusalOf(stage.guess.resume(stage.creator(), id))).code, 'game_not_paused')
    await stage.pass(29 * 60 + 59)
    assert.equal((await stage.read(id)).status, 'open')
    await stage.enter(id, 'bob', 7)
  })

  it('P-07 a pause that ended while no server ran is over by the clock, and the next one goes on', async () => {
    const id = await stage.aGame()
    await pause(id, 30)
    stage.clock.advance(30 * MINUTE_MS)
    await stage.enter(id, 'alice', 7)
    stage.clock.advance(60_000)
    const next = stage.serve(stage.aProcess())
    await next.draws.advanceDue(stage.tenantId)
    assert.equal((await stage.read(id)).status, 'drawn')
    assert.deepEqual(
      (await eventsOf(id)).map(({ type }) => type),
      ['draw.open', 'draw.extended', 'draw.paused', 'draw.resumed', 'draw.closed'],
    )
  })

  it('P-07 a later close is in the audit chain, in the public log under a checkpoint, on the page of the draw and in the proof', async () => {
    const id = await stage.aGame()
    await stage.enter(id, 'alice', 7)
    const promised = later(60_000).toISOString()
    const first = later(5 * MINUTE_MS).toISOString()
    const second = later(6 * MINUTE_MS).toISOString()
    await extend(id, new Date(first))
    const view = await extend(id, new Date(second), stage.boss())
    assert.deepEqual(
      view.draw!.extensions.map(({ from, closes_at }) => [from, closes_at]),
      [
        [promised, first],
        [first, second],
      ],
    )
    assert.deepEqual(
      (await auditOf('draw.extended')).map(({ user_id, old_values, new_values }) => [
        user_id,
        old_values.closes_at,
        new_values.closes_at,
        new_values.why,
      ]),
      [
        ['carla', promised, first, 'the stream began late'],
        ['boss', first, second, 'the stream began late'],
      ],
    )
    const [log] = await stage.rows(
      `select l.seq, l.event, max(c.log_size) as covered from fair_log l, fair_checkpoints c
       where l.type = 'extend' group by 1, 2 order by l.seq desc limit 1`,
    )
    const { commitHash, closesAt, at } = JSON.parse(log.event)
    assert.deepEqual([commitHash, closesAt], [view.draw!.commit_hash, second])
    assert.ok(Date.parse(at) < Date.parse(first), 'logged before the close that it replaces')
    assert.ok(Number(log.covered) > Number(log.seq), 'under a checkpoint at once')

    await stage.pass(5 * 60 + 30)
    await stage.enter(id, 'bob', 8)
    await stage.pass(30)
    assert.equal((await stage.read(id)).status, 'drawn')
    await stage.pass(600)
    await stage.pass(600)
    const text = await transcriptOf(id)
    assert.deepEqual(
      JSON.parse(text).postpones.map((each: { closesAt: string; logIndex: number }) => each.closesAt),
      [first, second],
    )
    assert.equal(JSON.parse(text).postpones[1].logIndex, Number(log.seq))
    assert.equal(verify(text).status, 'verified')
    await stage.assertClean()
  })

  it('P-07 P-43 with a beacon the round moves with the close, and a verifier follows it or finds the fault', async () => {
    await stage.close()
    const rounds = new Map(RECORDED_ROUNDS.map((each) => [each.round, each]))
    // Real rounds of the public beacon at their real times: nothing is taken on trust here.
    const entropy: RoundEntropy = {
      assertReady: async () => {},
      plan: async (closes_at, _seed, margin_ms = 3_000) => ({
        mode: 'beacon',
        beacon: {
          chain: RECORDED_ROUNDS[0]!.chain,
          round: committedRound(closes_at.toISOString(), margin_ms),
          marginMs: margin_ms,
        },
      }),
      obtain: async (doc, round = doc.beacon!.round) => rounds.get(round),
    }
    const closes_at = timeOfRound(1000) - 60_000
    await start({ entropy, starts_at: new Date(closes_at - 120_000) })
    const id = await stage.aGame({ closes_at: new Date(closes_at).toISOString() })
    for (const [i, user] of ['alice', 'bob', 'carol'].entries()) await stage.enter(id, user, 300 * i + 1)
    assert.equal((await stage.read(id)).draw!.beacon!.round, 1000)
    const { draw } = await extend(id, new Date(closes_at + 9_000))
    assert.deepEqual([draw!.beacon!.round, draw!.trust], [1003, 'beacon'])
    await stage.pass(129)
    await stage.pass(60)
    assert.equal((await stage.read(id)).status, 'drawn')
    await stage.pass(600)
    const text = await transcriptOf(id)
    const transcript = JSON.parse(text)
    assert.deepEqual(
      [transcript.beacon.round, transcript.postpones],
      [
        1003,
        [
          {
            closesAt: new Date(closes_at + 9_000).toISOString(),
            from: 1000,
            logIndex: transcript.postpones[0].logIndex,
            to: 1003,
          },
        ],
      ],
    )
    assert.equal(verify(text).status, 'verified')
    const withPostpones = (postpones: unknown) =>
      verifyText(JSON.stringify({ ...transcript, postpones }, undefined, 0)).code
    assert.equal(withPostpones([]), 'ROUND_MISMATCH', 'a later close that the proof hides')
    assert.equal(
      withPostpones([{ ...transcript.postpones[0], closesAt: new Date(closes_at).toISOString() }]),
      'ROUND_MISMATCH',
      'a close that did not move',
    )
    await stage.assertClean()
  })

  it('P-07 nobody moves a close earlier, after it passed, or more often than twenty times, nor who does not make the game', async () => {
    const id = await stage.aGame()
    const { closes_at } = await stage.read(id)
    for (const wrong of [new Date(closes_at), new Date(Date.parse(closes_at) - 1), new Date(0)])
      assert.equal((await refusalOf(extend(id, wrong))).code, 'close_fixed')
    assert.equal((await refusalOf(pause(id, 1, stage.creator('eve')))).code, 'game_not_found')
    assert.equal((await refusalOf(extend(id, later(99_000), stage.creator('eve')))).code, 'game_not_found')
    for (let i = 1; i <= 20; i++) await extend(id, new Date(Date.parse(closes_at) + i))
    const { code, detail } = await refusalOf(extend(id, new Date(Date.parse(closes_at) + 21)))
    assert.deepEqual(
      [code, detail.facts.closes_at],
      ['close_fixed', new Date(Date.parse(closes_at) + 20).toISOString()],
    )
    assert.equal((await refusalOf(pause(id, 1))).code, 'close_fixed')

    const late = await stage.aGame()
    await stage.enter(late, 'alice', 7)
    stage.clock.advance(60_000)
    // The row still says open: the clock decides.
    for (const ask of [
      () => pause(late, 1),
      () => extend(late, later(60_000)),
      () => stage.guess.resume(stage.boss(), late),
    ]) {
      const refusal = await refusalOf(ask())
      assert.deepEqual([refusal.code, refusal.detail.facts.status], ['game_not_open', 'closed'])
    }
    await stage.draws.advanceDue(stage.tenantId)
    assert.equal((await stage.read(late)).status, 'drawn')
  })

  it('P-07 S0-26 no SQL of the application moves a close: not earlier, not silently, not after it, not of a game that promised it', async () => {
    const id = await stage.aGame()
    const draw_id = (await stage.read(id)).draw!.draw_id
    const sql = (text: string) => stage.inTenant((tx) => tx.rows(text))
    const moved = (how: string) =>
      `update draws set closes_at = closes_at ${how}, draw_at = draw_at + interval '1 hour', extension_count = extension_count + 1
       where id = '${draw_id}'`
    for (const [what, text] of [
      ['earlier', moved(`- interval '1 second'`)],
      ['later without its event in the log', moved(`+ interval '1 second'`)],
      [
        'without being counted',
        `update draws set closes_at = closes_at + interval '1 second' where id = '${draw_id}'`,
      ],
      [
        'of the game alone',
        `update games set closes_at = closes_at + interval '1 second' where id = '${id}'`,
      ],
      ['the draw alone', `update draws set draw_at = draw_at + interval '1 second' where id = '${draw_id}'`],
    ] as const)
      await assert.rejects(sql(text), { code: '55000' }, what)
    await stage.enter(id, 'alice', 7)
    await stage.pass(61)
    await assert.rejects(sql(moved(`+ interval '1 second'`)), { code: '55000' })
    await assert.rejects(
      sql(`update draws set paused_at = now(), paused_until = now() where id = '${draw_id}'`),
      {
        code: '55000',
      },
    )
  })

  it('P-07 guesses that race with a pause are in, or refused as paused, and none is lost or taken afterwards', async () => {
    const id = await stage.aGame()
    const other = stage.serve(stage.aProcess()).guess
    const guessing = Promise.allSettled(
      Array.from({ length: 40 }, (_, i) =>
        (i % 2 ? stage.guess : other).guess(stage.actor(`user-${i}`), {
          game_id: id,
          request_id: 'r',
          value: i + 1,
        }),
      ),
    )
    const [settled] = await Promise.all([guessing, pause(id, 5)])
    const counts = tally(codesOf(settled))
    assert.equal((counts['ok'] ?? 0) + (counts['game_paused'] ?? 0), 40)
    assert.equal((await stage.read(id)).entry_count, counts['ok'] ?? 0)
    const [{ kept }] = (await stage.rows(
      'select count(*)::int as kept from game_submissions where game_id = $1',
      [id],
    )) as [{ kept: number }]
    assert.equal(kept, counts['ok'] ?? 0)
    assert.equal((await refusalOf(stage.enter(id, 'late', 1))).code, 'game_paused')
  })

  it('P-07 of two pauses at once one is made, and a paused game can be called off or closed later still', async () => {
    const id = await stage.aGame()
    const other = stage.serve(stage.aProcess()).guess
    const two = await Promise.allSettled([
      pause(id, 5),
      other.pause(stage.boss(), { game_id: id, minutes: 7, why: 'the same' }),
    ])
    assert.deepEqual(tally(codesOf(two)), { ok: 1, game_paused: 1 })
    const { paused_until } = await stage.read(id)
    const view = await extend(id, later(60 * MINUTE_MS))
    assert.deepEqual([view.paused_until, view.draw!.extensions.length], [paused_until, 2])
    await stage.app.run(stage.creator(), cancelGame, { game_id: id, why: 'enough', games: stage.draws.games })
    assert.equal((await stage.read(id)).status, 'cancelled')
    await stage.assertClean()
  })

  it('P-05 P-07 where guesses may be replaced, a pause and a later close leave the last ones on the list', async () => {
    const id = await stage.aGame({ guess_policy: 'replace_until_close' })
    await stage.enter(id, 'alice', 1)
    await pause(id, 1)
    assert.equal((await refusalOf(stage.enter(id, 'alice', 2))).code, 'game_paused')
    await stage.pass(60)
    await stage.enter(id, 'alice', 3)
    await stage.pass(60)
    await stage.pass(600)
    const { draw } = await stage.read(id)
    assert.deepEqual([draw!.entry_count, draw!.winners[0]], [1, { ...draw!.winners[0], guess: 3 }])
    assert.equal(verify(await transcriptOf(id)).status, 'verified')
  })
})
