/** Draws without doors: one life, one list, one outcome, whoever moves them and whenever they die. */
import assert from 'node:assert/strict'
import { advance, askRedraw, cancelDraws, decideOnRedraw } from '../../src/draws/draws.ts'
import { readDraw, readList, readProof, readReplay } from '../../src/draws/read.ts'
import { timeOfRound } from '../../src/fairness/beacon.ts'
import { fromHex, toHex } from '../../src/fairness/bytes.ts'
import { entrantHash } from '../../src/fairness/commit.ts'
import { recordedSource } from '../../src/fairness/entropy.ts'
import { leafHashOf, merkleRoot, verifyInclusion } from '../../src/fairness/merkle.ts'
import { RECORDED_ROUNDS } from '../../src/fairness/recorded-rounds.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import { originOf } from '../../src/proofs/checkpoints.ts'
import { beaconEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { systemActor } from '../../src/system.ts'
import { refusalOf } from '../games/kit.ts'
import { type DrawStage, startDraws, users } from './kit.ts'
import { FAULTY } from './lots.ts'

const QUICKNET = RECORDED_ROUNDS[0]!.chain

describe('draws', function () {
  this.timeout(60_000)
  let stage: DrawStage
  afterEach(async () => {
    await stage?.close()
  })

  const verifier = () => ({
    keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') },
    logs: [stage.keys.verifierKey(originOf(stage.tenantId))],
  })
  const transcript = (event_id: string) => stage.inTenant((tx) => readTranscript(tx, { event_id }))
  const view = (draw_id: string) => stage.inTenant((tx) => readDraw(tx, { draw_id, games: stage.games }))
  const logged = async () =>
    (await stage.rows(`select type from fair_log where type <> 'config' order by seq`)).map(
      (each) => each.type,
    )
  const toTheEnd = async (id: string) => {
    await stage.pass(id, 60)
    await stage.pass(id, 600)
    return stage.goOn(id)
  }

  it('P-44 P-45 S1-32 from commitment to transcript: logged in this order, the root under a checkpoint before the result', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    assert.equal((await stage.row(id)).status, 'open')
    const accepted = await stage.enter(id, users(300))
    await stage.pass(id, 60)
    const drawn = await stage.row(id)
    assert.deepEqual([drawn.status, drawn.entry_count, drawn.place_count], ['drawn', 300, 5])
    const [root] = await stage.rows(`select seq, event from fair_log where type = 'root'`)
    const [result] = await stage.rows(`select seq from fair_log where type = 'result'`)
    const between = await stage.rows(
      'select 1 from fair_checkpoints where log_size > $1 and log_size <= $2',
      [root.seq, result.seq],
    )
    assert.equal(between.length, 1)
    assert.equal(
      drawn.entries_root,
      toHex(merkleRoot(accepted.map((each) => leafHashOf(JSON.parse(each.leaf))))),
    )
    assert.equal((await refusalOf(transcript(id))).code, 'not_yet_revealed')

    await stage.pass(id, 600)
    assert.equal((await stage.row(id)).status, 'settled')
    assert.deepEqual(await logged(), ['commit', 'root', 'result', 'reveal'])
    const text = await transcript(id)
    const verdict = verifyText(text, verifier())
    assert.deepEqual([verdict.status, verdict.trust, verdict.code], ['verified', 'operator', null])
    const { outcome } = JSON.parse(text)
    const winners = await stage.winners(id)
    assert.deepEqual(
      winners.map((each) => [each.place, each.entry_index, each.prize, each.is_alternate]),
      outcome.order.map((entry: number, i: number) => [
        i + 1,
        entry,
        ['car', 'cup', 'cup'][i] ?? null,
        i >= 3,
      ]),
    )
    assert.deepEqual(
      (await stage.granted()).map((each) => each.user_id),
      winners.map((each) => `player-${each.entry_index}`),
    )
    assert.ok(!users(300).some((user) => text.includes(`"${user}"`)))
  })

  it('P-44 every entrant proves the own entry from receipt and root, learns no other, and the list appears with the winners', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    const accepted = await stage.enter(id, [...users(700), 'player-3'])
    const { game_id } = await stage.row(id)
    for (const each of accepted) assert.equal(entrantHash(game_id, each.user_id, each.salt), each.entrant)
    assert.equal(accepted[3]!.entrant, accepted[700]!.entrant)
    assert.equal(new Set(accepted.map((each) => each.entrant)).size, 700)
    const proof = (entry: number, user_id: string | null) =>
      stage.inTenant((tx) => readProof(tx, { draw_id: id, entry, user_id }))
    const list = (from: number, limit: number) =>
      stage.inTenant((tx) => readList(tx, { draw_id: id, from, limit }))
    assert.equal((await refusalOf(proof(3, 'player-3'))).code, 'not_yet_revealed')
    assert.equal((await refusalOf(list(0, 10))).code, 'not_yet_revealed')

    await stage.draws.advance(stage.tenantId, id)
    stage.clock.advance(60_000)
    const actor = systemActor(stage.tenantId)
    await stage.app.run(actor, advance, { draw_id: id, obtained: {}, games: stage.games })
    assert.equal((await stage.row(id)).status, 'closed')
    assert.equal((await refusalOf(proof(3, 'player-4'))).code, 'not_yet_revealed')
    assert.equal((await refusalOf(proof(3, null))).code, 'not_yet_revealed')
    for (const entry of [0, 3, 255, 256, 511, 512, 699, 700]) {
      const told = await proof(entry, accepted[entry]!.user_id)
      const ok = verifyInclusion({
        index: entry,
        size: told.entry_count,
        leafHash: leafHashOf(told.entry),
        proof: told.proof.map(fromHex),
        root: fromHex(told.entries_root),
      })
      assert.ok(ok, `entry ${entry}`)
      assert.equal(told.leaf_hash, accepted[entry]!.leaf_hash)
    }
    await stage.goOn(id)
    assert.equal((await proof(5, null)).entry_index, 5)
    assert.equal((await refusalOf(proof(701, null))).code, 'not_found')
    const first = await list(0, 100)
    const last = await list(690, 100)
    assert.deepEqual([first.data.length, first.next_cursor], [100, '100'])
    assert.deepEqual([last.data.length, last.next_cursor], [11, null])
  })

  it('K-04 K-05 all winners are stored before one is shown; each appears at its time and not before, and the film tells the same', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    await stage.enter(id, users(20))
    await stage.pass(id, 60)
    assert.equal((await stage.winners(id)).length, 5)
    const shown = async () => (await view(id)).winners.map((each) => each.place)
    const events = async () =>
      (
        await stage.rows(
          `select event_data->'place' as place from game_events where event_type = 'draw.revealed' order by game_seq`,
        )
      ).map((each) => each.place)
    const whole = JSON.stringify(
      (await stage.rows(`select event_data from game_events`)).map((each) => each.event_data),
    )
    assert.ok(!whole.includes('entry_index'), 'an event told of a winner before its time')
    assert.deepEqual([await shown(), await events()], [[], []])
    await stage.pass(id, 0.9)
    assert.deepEqual([await shown(), await events()], [[], []])
    await stage.pass(id, 0.2)
    assert.deepEqual([await shown(), await events()], [[3], [3]])
    await stage.pass(id, 2)
    assert.deepEqual(await events(), [3, 2])
    await stage.pass(id, 2)
    assert.deepEqual(
      [await shown(), await events()],
      [
        [1, 2, 3, 4, 5],
        [3, 2, 5, 4, 1],
      ],
    )
    const film = await stage.inTenant((tx) => readReplay(tx, { draw_id: id, games: stage.games }))
    assert.deepEqual(
      film.frames.map((frame) => [frame.type, frame.data['place']].filter(Boolean).join(' ')),
      [
        'draw.closed',
        'draw.drawn',
        'draw.revealed 3',
        'draw.revealed 2',
        'draw.revealed 5',
        'draw.revealed 4',
        'draw.revealed 1',
        'draw.settled',
      ],
    )
    assert.ok(film.frames.every((frame, i) => i === 0 || frame.after_ms >= film.frames[i - 1]!.after_ms))
  })

  it('P-45 F17 two processes that move one draw at once make each step once, and it has one outcome', async () => {
    stage = await startDraws()
    const others = [stage.aProcess(), stage.aProcess()].map((process) => stage.service(process))
    const id = await stage.aDraw()
    await stage.enter(id, users(50))
    const all = async (pass_s: number) => {
      stage.clock.advance(pass_s * 1000)
      await Promise.all(
        [stage.draws, ...others, stage.draws, ...others].map((draws) => draws.advance(stage.tenantId, id)),
      )
    }
    await all(60)
    await all(600)
    assert.deepEqual(await logged(), ['commit', 'root', 'result', 'reveal'])
    assert.equal((await stage.granted()).length, 5)
    const moves = await stage.rows(`select action from audit_logs where entity_type = 'draw' order by seq`)
    assert.deepEqual(
      moves.map((each) => each.action),
      ['draw.scheduled', 'draw.open', 'draw.closed', 'draw.drawing', 'draw.drawn', 'draw.settled'],
    )
    assert.equal(verifyText(await transcript(id), verifier()).status, 'verified')
  })

  it('S1-29 P-45 no SQL skips a state, edits the list, the winners or the times, or draws again', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    await stage.enter(id, users(10))
    const refused = async (sql: string) =>
      assert.rejects(
        stage.inTenant((tx) => tx.rows(sql)),
        (error: { code?: string }) => ['55000', '42501', '23505', '23514'].includes(error.code!),
        sql,
      )
    const set = (change: string) => refused(`update draws set ${change} where id = '${id}'`)
    for (const change of [
      `status = 'drawn'`,
      `status = 'settled'`,
      `status = 'scheduled'`,
      `closes_at = closes_at + interval '1 hour', draw_at = draw_at + interval '2 hours'`,
      `opens_at = opens_at - interval '1 hour'`,
      `seed_id = null`,
      `entry_count = 3`,
      `is_filled = false`,
      `commit_hash = repeat('0', 64)`,
    ]) {
      await set(change)
    }
    const forged = (index: number) =>
      refused(
        `insert into draw_entries (draw_id, entry_index, user_id, ref_id, leaf, created_at)
         values ('${id}', ${index}, 'player-1', gen_random_uuid(), '{}', now())`,
      )
    await forged(10)
    await stage.pass(id, 60)
    await forged(3)
    await forged(10)
    for (const change of [
      `outcome = '{}'`,
      `entries_root = repeat('0', 64)`,
      `status = 'cancelled', cancel_reason = 'by_person'`,
      `status = 'drawing'`,
      `settle_at = settle_at + interval '1 hour'`,
      `place_count = 9`,
      `revealed_count = 77`,
      `tree = '{}'`,
    ]) {
      await set(change)
    }
    for (const table of ['draw_entries', 'draw_entrants', 'draw_winners', 'draw_nodes']) {
      await refused(`delete from ${table}`)
      await refused(`update ${table} set draw_id = draw_id`)
    }
    await refused(
      `insert into draw_winners (draw_id, place, entry_index, user_id, ref_id, prize, reveal_at, created_at)
       values ('${id}', 6, 9, 'player-9', gen_random_uuid(), 'car', now(), now())`,
    )
    await assert.rejects(stage.rows('delete from draws'), { code: '55000' })
    await assert.rejects(stage.rows(`update draw_winners set user_id = 'mallory'`), { code: '55000' })
    await toTheEnd(id)
    await set(`status = 'open'`)
    await set(`settled_at = now()`)
    assert.equal(verifyText(await transcript(id), verifier()).status, 'verified')
  })

  it('S1-29 a person calls a draw off before the close, once, with a reason, and not after it', async () => {
    stage = await startDraws()
    const off = (draw_id: string) =>
      stage.app.run(stage.boss(), cancelDraws, {
        draw_ids: [draw_id],
        why: 'The car is broken.',
        games: stage.games,
      })
    const id = await stage.aDraw()
    await stage.enter(id, users(3))
    await off(id)
    const told = await view(id)
    assert.deepEqual([told.status, told.cancelled?.reason], ['cancelled', 'by_person'])
    assert.deepEqual(await logged(), ['commit', 'void', 'reveal'])
    assert.equal((await stage.rows(`select 1 from audit_logs where action = 'lots.refunded'`)).length, 1)
    assert.equal((await refusalOf(off(id))).code, 'draw_closed')
    assert.equal((await refusalOf(stage.enter(id, users(1)))).code, 'draw_closed')
    const late = await stage.aDraw()
    await stage.enter(late, users(3))
    stage.clock.advance(60_000)
    assert.equal((await refusalOf(off(late))).code, 'draw_closed')
    await stage.goOn(late)
    assert.equal((await refusalOf(off(late))).code, 'draw_closed')
  })

  it('F18 a draw that nobody entered ends without an outcome, by its own rule and in public', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    await stage.pass(id, 60)
    assert.deepEqual((await view(id)).cancelled?.reason, 'no_entries')
    assert.deepEqual(await logged(), ['commit', 'root', 'void', 'reveal'])
  })

  describe('with a public beacon', () => {
    /** The beacon as it will be: rounds in the future, out when the test says so. */
    function future(): RoundEntropy & { out: Map<number, unknown> } {
      const out = new Map<number, any>()
      return {
        out,
        assertReady: async () => {},
        plan: async (closes_at, _seed, margin_ms = 3_000) => {
          const beacon = {
            chain: QUICKNET,
            round: roundAfter(closes_at.getTime() + margin_ms),
            marginMs: margin_ms,
          }
          return { mode: 'beacon', beacon }
        },
        obtain: async (doc, round) => out.get(round ?? doc.beacon!.round),
      }
    }
    const roundAfter = (ms: number) => {
      const probe = Math.ceil((ms - timeOfRound(1)) / 3_000) + 1
      return timeOfRound(probe) >= ms ? probe : probe + 1
    }

    it('P-43 a draw over a recorded round verifies, and shows which round decided', async () => {
      stage = await startDraws({ entropy: beaconEntropy(recordedSource()) })
      const id = await stage.aDraw()
      await stage.enter(id, users(40))
      await toTheEnd(id)
      const text = await transcript(id)
      assert.equal(verifyText(text, verifier()).status, 'verified')
      assert.equal(JSON.parse(text).beacon.round, (await view(id)).beacon!.round)
      assert.deepEqual(await logged(), ['commit', 'root', 'beacon', 'result'])
    })

    it('P-43 F5 a server that slept over the beacon round draws nothing: the root is late, everything is given back', async () => {
      stage = await startDraws({ entropy: future() })
      const id = await stage.aDraw()
      await stage.enter(id, users(5))
      const { beacon } = await view(id)
      stage.clock.advance(new Date(beacon!.out_at!).getTime() - stage.clock.now().getTime())
      await stage.goOn(id)
      assert.deepEqual((await view(id)).cancelled?.reason, 'root_late')
      assert.deepEqual(await logged(), ['commit', 'void'])
    })

    it('P-43 a round that is not the promised one is not drawn with, and an outage ends by the promised rule', async () => {
      const entropy = future()
      stage = await startDraws({ entropy })
      const id = await stage.aDraw()
      await stage.enter(id, users(5))
      await stage.pass(id, 61)
      const { beacon_round } = await stage.row(id)
      stage.clock.advance(120_000)
      entropy.out.set(beacon_round!, RECORDED_ROUNDS[0])
      await assert.rejects(stage.goOn(id), /not the beacon round/)
      entropy.out.delete(beacon_round!)
      assert.equal((await stage.goOn(id)).status, 'drawing')
      await stage.pass(id, 3_601)
      assert.deepEqual((await view(id)).cancelled?.reason, 'outage')
    })

    it('P-43 a list that waits for another draw is put off before its round, in the log, and then void', async () => {
      stage = await startDraws({ entropy: future() })
      const game_id = '01a1f938-87bf-72bd-8203-e461f26d8a24'
      const before = await stage.aDraw({ game_id, open_s: 100_000 })
      const id = await stage.aDraw({ game_id, after_draw_id: before, is_copied: true })
      const first = (await stage.row(id)).beacon_round!
      stage.clock.advance(timeOfRound(first) - 10_000 - stage.clock.now().getTime())
      await stage.goOn(id)
      const put_off = await stage.row(id)
      assert.deepEqual(
        [put_off.beacon_round, put_off.postpone_count, put_off.status],
        [first + 200, 1, 'open'],
      )
      const [event] = await stage.rows(`select event from fair_log where type = 'postpone'`)
      const { from, to } = JSON.parse(event.event)
      assert.deepEqual([from, to], [first, first + 200])
      stage.clock.advance(timeOfRound(first + 200) - stage.clock.now().getTime())
      await stage.goOn(id)
      assert.equal((await stage.row(id)).cancel_reason, 'root_late')
    })
  })

  it('S1-31 a list that is copied from another draw waits for its outcome and is copied in parts', async () => {
    stage = await startDraws()
    const game_id = '01a1f938-87bf-72bd-8203-e461f26d8a24'
    const before = await stage.aDraw({ game_id })
    const id = await stage.aDraw({ game_id, open_s: 30, after_draw_id: before, is_copied: true })
    await stage.enter(before, users(5_001))
    await stage.pass(id, 40)
    assert.deepEqual([(await stage.row(id)).status, (await stage.row(id)).entry_count], ['open', 0])
    await stage.pass(before, 60)
    await stage.goOn(id)
    const row = await stage.row(id)
    assert.deepEqual([row.status, row.entry_count, row.is_filled], ['drawn', 5_001, true])
    await toTheEnd(id)
    assert.equal(verifyText(await transcript(id), verifier()).status, 'verified')
    const [a, b] = await Promise.all(
      [before, id].map(async (each) => (await stage.winners(each))[0]!.entry_index),
    )
    const entrants = await stage.rows('select count(distinct entrant) as n from draw_entrants')
    assert.equal(entrants[0].n, 10_002, `entrants are not linked between draws (${a}, ${b})`)
  })

  it('P-12 a redraw needs a reason and a second person, is a draw of its own, and both results stay public', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    await stage.enter(id, users(30))
    const { games, draws } = stage
    const ask = () => stage.app.run(stage.boss(), askRedraw, { draw_id: id, reason: 'Nobody came.', games })
    const decide = (user: string, is_approved = true) =>
      draws.promise(
        stage.actor(user, 'demo', ['operator']),
        decideOnRedraw,
        { draw_id: id, is_approved, games, entropy: draws.entropy },
        ({ new_draw_id }) => (new_draw_id ? [new_draw_id] : []),
      )
    assert.equal((await refusalOf(ask())).code, 'redraw_refused')
    await toTheEnd(id)
    const before = await transcript(id)
    await ask()
    assert.equal((await refusalOf(ask())).code, 'redraw_refused')
    assert.equal((await refusalOf(decide('boss'))).code, 'second_person_needed')
    await assert.rejects(
      stage.inTenant((tx) =>
        tx.rows(`update draw_redraws set decision = 'declined', decided_by = asked_by, decided_at = now()`),
      ),
      { code: '23514' },
    )
    const { new_draw_id } = await decide('other-boss')
    assert.equal((await refusalOf(decide('other-boss'))).code, 'redraw_refused')
    await toTheEnd(new_draw_id!)
    assert.equal(verifyText(await transcript(new_draw_id!), verifier()).status, 'verified')
    const without = ({ log: _, ...rest }: Record<string, unknown>) => rest
    assert.deepEqual(without(JSON.parse(await transcript(id))), without(JSON.parse(before)))
    const [first, second] = [await view(id), await view(new_draw_id!)]
    assert.deepEqual(
      [first.status, first.redraws[0]!.new_draw_id, first.winners.length],
      ['settled', new_draw_id, 5],
    )
    assert.deepEqual([second.redraw_of, second.redraw_reason, second.seq], [id, 'Nobody came.', 2])
    assert.ok(first.redraws[0]!.asked_by !== first.redraws[0]!.decided_by)
    assert.ok(!JSON.stringify(first).includes('boss'))
  })

  it('F1 a process that ends between any two steps changes nothing: the next one goes on to the same winners', async () => {
    stage = await startDraws()
    const id = await stage.aDraw()
    await stage.enter(id, users(100))
    const steps: string[] = []
    let expected: unknown
    for (let turn = 0; turn < 20; turn++) {
      // Every step on a process that has never seen the draw, and that ends right after.
      const process = stage.aProcess()
      await process.checkpoints.make(stage.tenantId)
      const { did } = await process.app.run(systemActor(stage.tenantId), advance, {
        draw_id: id,
        obtained: {},
        games: stage.games,
      })
      await process.stop()
      if (did !== null) steps.push(did)
      if (did === 'drawn') expected = (await stage.winners(id)).map((each) => each.entry_index)
      if (did === 'settled') break
      if (did === null) stage.clock.advance(30_000)
    }
    assert.deepEqual(steps, ['closed', 'drawing', 'drawn', 'reveal', 'settled'])
    const text = await transcript(id)
    assert.deepEqual(JSON.parse(text).outcome.order, expected)
    assert.equal(verifyText(text, verifier()).status, 'verified')
  })

  it('S1-31 everything that fell due while nobody looked is done at the next look, and one that fails holds up no other', async () => {
    stage = await startDraws()
    const faulty = await stage.aDraw({ game: FAULTY })
    const ids = [await stage.aDraw(), await stage.aDraw()]
    for (const id of [faulty, ...ids]) await stage.enter(id, users(3, id))
    stage.clock.advance(3_600_000)
    const again_ms = await stage.draws.advanceDue(stage.tenantId)
    assert.ok(again_ms <= 1_000)
    stage.clock.advance(600_000)
    assert.equal(await stage.draws.advanceDue(stage.tenantId), 1_000)
    for (const id of ids) assert.equal((await stage.row(id)).status, 'settled')
    // Its last step was taken back whole: the secret is not out and nothing was granted.
    assert.equal((await stage.row(faulty)).status, 'drawn')
    assert.deepEqual(
      [...new Set(stage.reports.map(([where, error]) => `${where}: ${(error as Error).message}`))],
      ['draw: this game cannot award'],
    )
  })
})
