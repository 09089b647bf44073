/** Shared spins: entries sealed by a root before the outcome, one outcome whatever happens, open to everybody after. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { timeOfRound } from '../../src/fairness/beacon.ts'
import { toHex } from '../../src/fairness/bytes.ts'
import { checkReceiptJws, entrantHash } from '../../src/fairness/commit.ts'
import { drandSource, recordedSource } from '../../src/fairness/entropy.ts'
import { leafHashOf, openCheckpoint } from '../../src/fairness/merkle.ts'
import { RECORDED_ROUNDS } from '../../src/fairness/recorded-rounds.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import { changeStatus } from '../../src/games/wheel/publish.ts'
import {
  advanceRound,
  canMove,
  type Obtained,
  ROUND_STATES,
  type RoundStatus,
} from '../../src/games/wheel/rounds.ts'
import { originOf } from '../../src/proofs/checkpoints.ts'
import { beaconEntropy, type RoundEntropy } from '../../src/proofs/round-entropy.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { publicVectors } from '../fairness/vectors.ts'
import { codesOf, refusalOf, type Stage, startStage, tally } from '../games/kit.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))
const JOIN_S = 10

describe('shared spins', () => {
  let stage: Stage
  afterEach(async () => {
    await stage?.close()
  })

  const tenantId = () => stage.tenants.get('demo')!
  const verifier = () => ({
    keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') },
    logs: [stage.keys.verifierKey(originOf(tenantId()))],
  })
  const transcriptOf = (event_id: string) => stage.inTenant((tx) => readTranscript(tx, { event_id }))
  const roundRow = async () =>
    (await stage.rows('select * from wheel_rounds order by round_no desc limit 1'))[0]
  const logTypes = async () =>
    (await stage.rows(`select type from fair_log where type not in ('config', 'client') order by seq`)).map(
      (row) => row.type,
    )
  const step = (round_id: string, obtained: Obtained = {}, app = stage.app) =>
    app.run({ ...stage.boss(), userId: 'system' }, advanceRound, { round_id, obtained })
  const goOn = () => stage.wheel.advanceRounds(tenantId())

  async function aStage(entropy?: RoundEntropy, starts_at?: Date) {
    stage = await startStage({ ...(entropy && { entropy }), ...(starts_at && { starts_at }) })
    await stage.aWheel({ spin: { round_join_s: JOIN_S } })
  }

  /** Opened, joined by so many players, and past its closing time. */
  async function aRound(entries = 3) {
    const round = await stage.wheel.openRound(stage.boss(), 'summer')
    const joined = []
    for (const i of times(entries, (n) => n)) {
      joined.push(await stage.wheel.joinRound(stage.actor(`player-${i}`), 'summer', `entropy-of-player-${i}`))
    }
    return { ...round, joined }
  }

  describe('their states', () => {
    const allowed = new Set(['open>closed', 'open>void', 'closed>drawn', 'closed>void', 'drawn>settled'])
    const states = Object.keys(ROUND_STATES) as RoundStatus[]
    for (const from of states) {
      for (const to of states) {
        const is_allowed = allowed.has(`${from}>${to}`)
        it(`K-04 a round that is ${from} ${is_allowed ? 'can' : 'cannot'} become ${to}`, () => {
          assert.equal(canMove(from, to), is_allowed)
        })
      }
    }

    it('K-04 each of them is explained in a sentence', () => {
      for (const sentence of Object.values(ROUND_STATES)) assert.match(sentence, /^[A-Z].*\.$/)
    })
  })

  it('P-44 from opening to settling: commitment, root, result and reveal are logged in this order, the root under a checkpoint before the draw', async () => {
    await aStage()
    const { round_id, commit_hash, joined } = await aRound(5)
    assert.ok(openCheckpoint(stage.checkpoints.latest(tenantId())!, verifier().logs).size > 0)
    stage.clock.advance(JOIN_S * 1000)
    await goOn()
    const drawn = await roundRow()
    assert.equal(drawn.round_status, 'drawn')
    const [root] = await stage.rows(`select seq from fair_log where type = 'root'`)
    const [result] = await stage.rows(`select seq from fair_log where type = 'result'`)
    const between = await stage.rows(
      'select 1 from fair_checkpoints where log_size > $1 and log_size <= $2',
      [root.seq, result.seq],
    )
    assert.equal(between.length, 1)
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'pending')

    stage.clock.advance(60_000)
    await goOn()
    assert.deepEqual(await logTypes(), ['commit', 'root', 'result', 'reveal'])
    const text = await transcriptOf(round_id)
    const verdict = verifyText(text, verifier())
    assert.deepEqual([verdict.status, verdict.trust], ['verified', 'operator'])
    const transcript = JSON.parse(text)
    assert.equal(transcript.commit.hash, commit_hash)
    assert.deepEqual(
      transcript.entries.list.map((leaf: any) => leaf.e),
      joined.map((each) => each.entrant),
    )
    const snapshot = await stage.wheel.snapshot(stage.actor('alice'), 'summer')
    assert.deepEqual([snapshot.round!.status, snapshot.round!.segment], ['settled', transcript.outcome.index])
    await stage.assertClean()
  })

  it('P-44 an entrant checks the own entry from the receipt alone, and learns nobody else', async () => {
    await aStage()
    const { joined, commit_hash, round_id } = await aRound(3)
    const [wheel] = await stage.rows('select id from wheel_games')
    joined.forEach((answer, i) => {
      const payload = JSON.parse(Buffer.from(answer.receipt.split('.')[1]!, 'base64url').toString())
      assert.ok(checkReceiptJws(answer.receipt, payload, verifier().keys))
      assert.deepEqual([payload.commitHash, payload.i, payload.type], [commit_hash, i, 'entry'])
      const leaf = { c: `entropy-of-player-${i}`, e: answer.entrant, i }
      assert.equal(toHex(leafHashOf(leaf)), payload.leafHash)
      assert.equal(entrantHash(wheel.id, `player-${i}`, answer.salt), answer.entrant)
    })
    stage.clock.advance(60_000)
    await goOn()
    const text = await transcriptOf(round_id)
    for (const i of times(3, (n) => n))
      assert.ok(!text.includes(`"player-${i}"`) && !text.includes(joined[i]!.salt))
    assert.equal(JSON.parse(text).entries.n, 3)
  })

  it('P-44 a player is in once, at whatever process and however often; indexes are dense from 0', async () => {
    await aStage()
    const other = stage.aProcess()
    await stage.wheel.openRound(stage.boss(), 'summer')
    const answers = await Promise.all(
      times(40, (i) =>
        (i % 2 ? stage : other).wheel.joinRound(
          stage.actor(`player-${i % 20}`),
          'summer',
          'entropy-of-somebody',
        ),
      ),
    )
    assert.equal(new Set(answers.map((each) => each.entrant)).size, 20)
    const rows = await stage.rows('select entry_index from wheel_round_entries order by 1')
    assert.deepEqual(
      rows.map((row) => row.entry_index),
      times(20, (i) => i),
    )
    assert.equal((await roundRow()).entry_count, 20)
  })

  it('P-44 abuse 33: nobody is let in at or after the close, also while it is being closed, and what was let in is under the root', async () => {
    await aStage()
    assert.equal(
      (await refusalOf(stage.wheel.joinRound(stage.actor('early'), 'summer', 'entropy-of-somebody'))).code,
      'round_not_open',
    )
    const { round_id } = await aRound(1)
    stage.clock.advance(JOIN_S * 1000 - 60)
    let closing: Promise<unknown> | undefined
    const settled = await Promise.allSettled(
      times(60, async (i) => {
        await new Promise((resolve) => setTimeout(resolve, i * 2))
        if (i === 30) closing = goOn()
        return stage.wheel.joinRound(stage.actor(`late-${i}`), 'summer', 'entropy-of-somebody')
      }),
    )
    await closing
    stage.clock.advance(1_000)
    await goOn()
    const codes = tally(codesOf(settled))
    assert.deepEqual(
      Object.keys(codes).filter((code) => code !== 'ok' && code !== 'round_not_open'),
      [],
    )
    const round = await roundRow()
    assert.equal(round.entry_count, 1 + (codes['ok'] ?? 0))
    stage.clock.advance(60_000)
    await goOn()
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'verified')
    assert.equal(JSON.parse(await transcriptOf(round_id)).entries.n, round.entry_count)
    await stage.assertClean()
  })

  it('P-44 a round that nobody joins is drawn over the empty root', async () => {
    await aStage()
    const { round_id } = await aRound(0)
    stage.clock.advance(60_000)
    await goOn()
    stage.clock.advance(60_000)
    await goOn()
    const transcript = JSON.parse(await transcriptOf(round_id))
    assert.equal(transcript.entries.root, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'verified')
  })

  it('F2 a crash between any two steps: every process that takes over comes to the same outcome', async () => {
    await aStage()
    const outcomes: string[] = []
    const { round_id } = await aRound(3)
    stage.clock.advance(JOIN_S * 1000)
    // Each move is made by a process that knows nothing but the database, and is asked for twice.
    const moves = []
    for (const expected of ['closed', 'drawn', null]) {
      const fresh = stage.aProcess()
      moves.push(await step(round_id, {}, fresh.app))
      const row = await roundRow()
      if (row.outcome) outcomes.push(JSON.stringify([row.outcome, row.ctx, row.landing]))
      assert.equal(moves.at(-1), expected)
      await fresh.stop()
    }
    stage.clock.advance(60_000)
    assert.equal(await step(round_id, {}, stage.aProcess().app), 'settled')
    assert.equal(await step(round_id), null)
    const row = await roundRow()
    outcomes.push(JSON.stringify([row.outcome, row.ctx, row.landing]))
    assert.equal(new Set(outcomes).size, 1)
    assert.deepEqual(await logTypes(), ['commit', 'root', 'result', 'reveal'])
    await stage.assertClean()
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'verified')
  })

  it('F17 P-45 four processes that advance a round at once make each move once', async () => {
    await aStage()
    const others = times(3, () => stage.aProcess())
    const { round_id } = await aRound(3)
    for (const wait_ms of [JOIN_S * 1000, 60_000]) {
      stage.clock.advance(wait_ms)
      await Promise.all(
        [stage, ...others].flatMap(({ wheel }) => [
          wheel.advanceRounds(tenantId()),
          wheel.advanceRounds(tenantId()),
        ]),
      )
    }
    assert.deepEqual(await logTypes(), ['commit', 'root', 'result', 'reveal'])
    const said = await stage.rows(
      `select event_type from game_events where event_type like 'wheel.round_%' and event_type not like '%joined' order by game_seq`,
    )
    assert.equal(new Set(said.map((row) => row.event_type)).size, said.length)
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'verified')
    assert.deepEqual(stage.reports, [])
    await stage.assertClean()
  })

  it('P-45 of two rounds opened at once on one wheel one is refused, and numbers have no gap', async () => {
    await aStage()
    const other = stage.aProcess()
    for (const n of [1, 2, 3]) {
      const settled = await Promise.allSettled(
        [stage, other, stage, other].map(({ wheel }) => wheel.openRound(stage.boss(), 'summer')),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, round_running: 3 })
      assert.equal((await roundRow()).round_no, n)
      for (let moves = 0; moves < 2; moves++) {
        stage.clock.advance(60_000)
        await goOn()
      }
    }
    await stage.assertClean()
  })

  it('S1-07 a paused wheel opens no round, and one that runs is played to its end', async () => {
    await aStage()
    const { round_id } = await aRound(1)
    await stage.app.run(stage.boss(), changeStatus, { game: 'summer', status: 'paused' })
    for (let moves = 0; moves < 2; moves++) {
      stage.clock.advance(60_000)
      await goOn()
    }
    assert.equal((await roundRow()).round_status, 'settled')
    assert.equal((await refusalOf(stage.wheel.openRound(stage.boss(), 'summer'))).code, 'wheel_paused')
    assert.equal(verifyText(await transcriptOf(round_id), verifier()).status, 'verified')
  })

  it('S2-13 outside its hours a wheel opens no shared spin, not by its rhythm either, and says when it opens', async () => {
    stage = await startStage()
    const hours = { valid_from_time: '11:00', valid_until_time: '12:00' }
    await stage.aWheel({ spin: { round_join_s: 2, round_every_s: 30, ...hours } })
    const { code, detail } = await refusalOf(stage.wheel.openRound(stage.boss(), 'summer'))
    assert.deepEqual([code, detail.facts?.['valid_from']], ['wheel_not_open', '2026-06-15T11:00:00.000Z'])
    await goOn()
    assert.equal((await stage.rows('select 1 from wheel_rounds')).length, 0)
    assert.deepEqual(stage.reports, [], 'closed hours are no fault')
    stage.clock.advance(3_600_000)
    await goOn()
    assert.equal((await stage.rows('select 1 from wheel_rounds')).length, 1)
  })

  it('K-03 a wheel with a rhythm opens its rounds by itself, by the rhythm that was published', async () => {
    stage = await startStage()
    await stage.aWheel({ spin: { round_join_s: 2, round_every_s: 30 } })
    const other = stage.aProcess()
    const both = () => Promise.all([goOn(), other.wheel.advanceRounds(tenantId())])
    for (let n = 0; n < 4; n++) {
      await both()
      stage.clock.advance(10_000)
    }
    await both()
    assert.equal(
      (await stage.rows('select 1 from wheel_rounds')).length,
      2,
      '40 seconds hold the rounds of 0 and 30',
    )
    await stage.edit('summer', { spin_config: { round_join_s: 2, round_every_s: null } })
    stage.clock.advance(60_000)
    await both()
    assert.equal((await stage.rows('select 1 from wheel_rounds')).length, 3, 'a draft changes nothing')
    await stage.wheel.publish(stage.boss(), 'summer')
    for (let n = 0; n < 4; n++) {
      stage.clock.advance(60_000)
      await both()
    }
    assert.equal((await stage.rows('select 1 from wheel_rounds')).length, 3)
    assert.deepEqual(stage.reports, [])
  })

  it('F2 a round that cannot go on is reported and does not hold up the others', async () => {
    await aStage()
    await stage.aWheel({ slug: 'other', spin: { round_join_s: JOIN_S } })
    await aRound(1)
    await stage.wheel.openRound(stage.boss(), 'other')
    // Its secret is sealed with a key that nobody has any more.
    await stage.rows(
      `update fair_seeds set sealed_seed = 'v1.k9.AA.AA.AA' where kind = 'round' and game_id = (select id::text from wheel_games where wheel_slug = 'summer')`,
    )
    stage.clock.advance(60_000)
    await goOn()
    const rows = await stage.rows(
      `select w.wheel_slug, r.round_status from wheel_rounds r join wheel_games w on w.id = r.wheel_game_id order by 1`,
    )
    assert.deepEqual(rows, [
      { wheel_slug: 'other', round_status: 'drawn' },
      { wheel_slug: 'summer', round_status: 'closed' },
    ])
    assert.equal(stage.reports.length, 1)
  })

  describe('with a public beacon', () => {
    it('P-43 a recorded round of the real beacon decides; nothing is secret, so the transcript is complete at once, and honest about its source', async () => {
      await aStage(beaconEntropy(recordedSource({ first: 1 })))
      const { round_id, trust } = await aRound(2)
      assert.equal(trust, 'operator')
      assert.equal((await stage.rows(`select 1 from fair_seeds where kind = 'round'`)).length, 0)
      stage.clock.advance(JOIN_S * 1000)
      await goOn()
      await stage.checkpoints.make(tenantId())
      const verdict = verifyText(await transcriptOf(round_id), verifier())
      assert.deepEqual([verdict.status, verdict.trust], ['verified', 'operator'])
      assert.equal(verdict.steps.find((each) => each.id === 'beacon')!.status, 'ok')
      stage.clock.advance(60_000)
      await goOn()
      assert.deepEqual(await logTypes(), ['commit', 'root', 'beacon', 'result'])
      await stage.assertClean()
    })

    it('P-43 a beacon value that is not the promised one is never drawn with: other round, other signature, other chain', async () => {
      await aStage(beaconEntropy(recordedSource({ first: 1 })))
      const { round_id } = await aRound(1)
      stage.clock.advance(JOIN_S * 1000)
      assert.equal(await step(round_id), 'closed')
      assert.equal(await step(round_id), null, 'without the value nothing moves')
      const good = RECORDED_ROUNDS.find(({ round }) => round === 1000)!
      const next = RECORDED_ROUNDS.find(({ round }) => round === 1001)!
      const bad = [
        next,
        { ...good, chain: '0'.repeat(64) },
        { ...good, randomness: next.randomness },
        { ...next, round: 1000 },
      ]
      for (const beacon of bad) await assert.rejects(step(round_id, { beacon }), /not the beacon round/)
      assert.equal((await roundRow()).round_status, 'closed')
      assert.equal(await step(round_id, { beacon: good }), 'drawn')
    })

    describe('through a relay', () => {
      let relay: Server
      let asked: number[]
      let is_up: boolean
      let lies: boolean
      beforeEach(async () => {
        asked = []
        is_up = true
        lies = false
        relay = createServer((request, response) => {
          const round = Number(request.url!.split('/').at(-1))
          const value =
            publicVectors.groups.beacon?.cases?.find((each: any) => each.round === round) ??
            RECORDED_ROUNDS.find((each) => each.round === round)
          if (!is_up || value === undefined) return void response.writeHead(404).end()
          asked.push(round)
          const { signature, randomness } = lies ? RECORDED_ROUNDS[0]! : value
          return void response.end(JSON.stringify({ round, signature, randomness }))
        }).listen(0, '127.0.0.1')
        await once(relay, 'listening')
      })
      afterEach(() => {
        relay.closeAllConnections()
        relay.close()
      })

      /** In front of beacon round 1001, so that 1000 is out and a round of one second commits to 1003. */
      async function aBeaconStage() {
        const entropy = beaconEntropy(
          drandSource({
            relays: [`http://127.0.0.1:${(relay.address() as AddressInfo).port}/`],
            fetch,
            clock: {
              now: () => stage.clock.now().getTime(),
              timeout: (duration_ms) => AbortSignal.timeout(duration_ms),
            },
          }),
        )
        stage = await startStage({ entropy, starts_at: new Date(timeOfRound(1001) - 600_000) })
        await stage.aWheel({ spin: { round_join_s: 1 } })
        at(timeOfRound(1001) + 100)
      }
      const at = (time: number) => stage.clock.advance(time - stage.clock.now().getTime())

      it('P-43 the round that was committed to is fetched after the root is under a checkpoint, and verifies with the label beacon', async () => {
        await aBeaconStage()
        const { round_id, trust } = await aRound(2)
        assert.equal(trust, 'beacon')
        asked = []
        stage.clock.advance(1_000)
        await goOn()
        assert.equal((await roundRow()).round_status, 'closed')
        assert.deepEqual(asked, [], 'nobody is asked for what is not out')
        at(timeOfRound(1003))
        is_up = false
        await goOn()
        assert.equal((await roundRow()).round_status, 'closed', 'an outage is waited for')
        is_up = true
        lies = true
        await goOn()
        assert.equal((await roundRow()).round_status, 'closed', 'what does not verify is not used')
        lies = false
        await goOn()
        assert.equal((await roundRow()).round_status, 'drawn')
        await stage.checkpoints.make(tenantId())
        const verdict = verifyText(await transcriptOf(round_id), verifier())
        assert.deepEqual([verdict.status, verdict.trust], ['verified', 'beacon'])
      })

      it('P-43 a relay that cannot be reached refuses the creation, and leaves nothing', async () => {
        await aBeaconStage()
        is_up = false
        assert.equal(
          (await refusalOf(stage.wheel.openRound(stage.boss(), 'summer'))).code,
          'entropy_unavailable',
        )
        assert.equal((await stage.rows('select 1 from wheel_rounds')).length, 0)
      })

      it('P-43 a root that comes when the beacon round is already out makes the round void, in public and for ever', async () => {
        await aBeaconStage()
        const { round_id } = await aRound(2)
        at(timeOfRound(1003))
        await goOn()
        const row = await roundRow()
        assert.deepEqual(
          [row.round_status, row.void_reason, row.outcome, row.entries_root],
          ['void', 'root_late', null, null],
        )
        assert.deepEqual(await logTypes(), ['commit', 'void'])
        const beacon = RECORDED_ROUNDS.find(({ round }) => round === 1003)!
        assert.equal(await step(round_id, { beacon }), null)
        assert.equal((await refusalOf(transcriptOf(round_id))).code, 'not_yet_revealed')
        at(timeOfRound(1003) + 10_000)
        await stage.assertClean()
      })
    })
  })
})
