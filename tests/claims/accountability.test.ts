/** Creators who fail: what counts, when they are stopped, who lifts it, and what everybody sees of their record. */
import assert from 'node:assert/strict'
import { listBlocks, readPublicRecord } from '../../src/claims/accountability.ts'
import { confirmClaim } from '../../src/claims/claims.ts'
import { claimTasks } from '../../src/claims/jobs.ts'
import {
  blockedUntil,
  failuresCountFrom,
  fulfilmentRate,
  isHolding,
  SETTINGS_DEFAULT,
} from '../../src/claims/rules.ts'
import { loadClaimForUpdate } from '../../src/claims/store.ts'
import { systemActor } from '../../src/system.ts'
import { codesOf, eventually, refusalOf, tally } from '../games/kit.ts'
import { type Product, startProduct } from '../http/product.ts'
import { aClaim } from '../http/things.ts'
import { type ClaimStage, DAY_MS, HOUR_MS, startClaims } from './kit.ts'

describe('accountability: its rules', () => {
  const now = new Date('2026-06-15T10:00:00Z')
  const at = (offset_ms: number) => new Date(now.getTime() + offset_ms)
  const settings = { ...SETTINGS_DEFAULT, failures_max: 3, failure_days: 30, block_days: 7 }

  for (const [failures, until] of [
    [2, null],
    [3, at(7 * DAY_MS)],
    [4, at(7 * DAY_MS)],
  ] as const) {
    it(`S0-19 ${failures} failures of 3 ${until === null ? 'do not stop a creator' : 'stop a creator for the days that are set'}`, () =>
      assert.deepEqual(blockedUntil(settings, failures, now), until))
  }

  it('S0-19 failures count for so many days, and none from before the last block', () => {
    assert.deepEqual(failuresCountFrom(settings, null, now), at(-30 * DAY_MS))
    assert.deepEqual(failuresCountFrom(settings, at(-31 * DAY_MS), now), at(-30 * DAY_MS))
    assert.deepEqual(failuresCountFrom(settings, at(-1), now), at(-1))
  })

  it('S0-19 a block holds until its date and not at it, and no longer once it ended', () => {
    assert.equal(isHolding({ blocked_until: at(1), ended_at: null }, now), true)
    assert.equal(isHolding({ blocked_until: now, ended_at: null }, now), false)
    assert.equal(isHolding({ blocked_until: at(1), ended_at: at(-1) }, now), false)
  })

  for (const [completed, failed, bps] of [
    [0, 0, null],
    [0, 1, 0],
    [2, 1, 6_666],
    [1, 0, 10_000],
  ] as const) {
    it(`S0-19 of ${completed} handed over and ${failed} failed the rate is ${bps}`, () =>
      assert.equal(fulfilmentRate(completed, failed), bps))
  }
})

describe('accountability', function () {
  this.timeout(60_000)
  let stage: ClaimStage
  beforeEach(async () => {
    stage = await startClaims()
  })
  afterEach(() => stage.close())

  const actionsOf = async (entity_id: string) =>
    (
      await stage.rows<{ action: string; user_id: string }>(
        'select action, user_id from audit_logs where entity_id = $1 order by seq',
        [entity_id],
      )
    ).map(({ action, user_id }) => [action, user_id])

  /** Carla, blocked for two failures. */
  async function aBlock(wish: Parameters<typeof stage.complaintsOf>[1] = {}): Promise<string> {
    await stage.settle({ failures_max: 2, block_days: 7 })
    for (const { complaint_id } of await stage.complaintsOf(2, wish)) await stage.decideAgainst(complaint_id)
    const [block, ...more] = await stage.blocks()
    assert.deepEqual(more, [])
    return block!.id
  }

  describe('the block', () => {
    it('S0-19 the failure that is one too many refuses creation and publishing until a date, and both sides of it are on record', async () => {
      const draft = await stage.aDraft({ mode: 'draw' })
      await stage.settle({ failures_max: 2, block_days: 7 })
      const [first, second] = await stage.complaintsOf(2)
      assert.equal((await stage.decideAgainst(first!.complaint_id)).effect.blocked_until, null)
      await stage.aDraft({ mode: 'draw' })
      const { effect } = await stage.decideAgainst(second!.complaint_id)
      assert.equal(effect.failed_count, 2)
      const facts = { blocked_until: effect.blocked_until }

      const later = { closes_at: new Date(stage.clock.now().getTime() + 30 * DAY_MS).toISOString() }
      for (const work of [
        () => stage.aDraft({ mode: 'draw', ...later }),
        () => stage.guess.publish(stage.creator(), draft),
        // What staff publishes for somebody is still that creator's promise.
        () => stage.guess.publish(stage.boss(), draft),
      ]) {
        const refusal = await refusalOf(work())
        assert.deepEqual([refusal.code, refusal.detail.facts], ['creator_blocked', facts])
      }
      await stage.aDraft({ mode: 'draw', ...later }, stage.creator('eve'))

      const [block] = await stage.blocks()
      assert.deepEqual([block!.party_id, block!.failure_count], ['carla', 2])
      assert.deepEqual(await actionsOf(block!.id), [['creator.blocked', 'boss']])
      const note = (await stage.notesOf('carla')).find(({ kind }) => kind === 'creator_blocked')
      assert.deepEqual([note!.data.block_id, note!.data.blocked_until], [block!.id, effect.blocked_until])
      await stage.assertClean()
    })

    it('S0-19 at its date it is over, also before any job has run, and its failures are not counted again', async () => {
      const block_id = await aBlock()
      stage.clock.advance(7 * DAY_MS)
      await stage.aDraft({ mode: 'draw' })
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.block, own!.recent_failures, own!.failed_count], [null, 0, 2])
      assert.deepEqual(
        await Promise.all([stage.endBlocks(), stage.endBlocks()]).then((n) => n[0]! + n[1]!),
        1,
      )
      const [block] = await stage.blocks()
      assert.deepEqual(block!.ended_at, block!.blocked_until)
      assert.deepEqual((await actionsOf(block_id)).at(-1), ['creator.block_ended', 'system'])

      const [third] = await stage.complaintsOf(1)
      assert.equal((await stage.decideAgainst(third!.complaint_id)).effect.blocked_until, null)
      await stage.assertClean()
    })

    it('S0-19 a new failure after its date makes a new block, whether a job ended the first one or not', async () => {
      await aBlock()
      stage.clock.advance(7 * DAY_MS)
      await stage.settle({ failures_max: 1, block_days: 7 })
      const [third] = await stage.complaintsOf(1)
      const { effect } = await stage.decideAgainst(third!.complaint_id)
      const [first, second] = await stage.blocks()
      assert.deepEqual(first!.ended_at, first!.blocked_until)
      assert.deepEqual(
        [second!.failure_count, second!.ended_at, second!.blocked_until.toISOString()],
        [1, null, effect.blocked_until],
      )
      await stage.assertClean()
    })

    it('S0-19 failures that are too old are not counted', async () => {
      await stage.settle({ failures_max: 2, failure_days: 3 })
      const [first, second] = await stage.complaintsOf(2)
      await stage.decideAgainst(first!.complaint_id)
      stage.clock.advance(3 * DAY_MS)
      await stage.decideAgainst(second!.complaint_id)
      assert.deepEqual(await stage.blocks(), [])
    })

    it('S0-19 silence past the time of an answer is a failure, a minute before it is not; an answer in time never', async () => {
      await stage.settle({ answer_hours: 2, failures_max: 1 })
      const [silent, answered] = await stage.complaintsOf(2)
      await stage.answer(answered!.complaint_id)
      stage.clock.advance(2 * HOUR_MS - 60_000)
      assert.equal(await stage.failSilent(), 0)
      stage.clock.advance(60_000)
      assert.equal(await stage.failSilent(), 1)
      assert.deepEqual((await actionsOf(silent!.complaint_id)).at(-1), ['complaint.unanswered', 'system'])
      const [block] = await stage.blocks()
      assert.equal(block!.failure_count, 1)
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.failed_count, own!.recent_failures, own!.fulfilment_bps], [1, 0, 0])
    })

    it('S0-19 the minute that every tenant has does both, through the tasks of the product', async () => {
      await stage.settle({ answer_hours: 1, failures_max: 1, block_days: 1 })
      await stage.complaintsOf(1)
      stage.clock.advance(HOUR_MS)
      const job = claimTasks(stage.app).find(({ kind }) => kind.name === 'claims.hold_to_account')!
      const context = { attempt: 1, attempts_max: 1, signal: new AbortController().signal }
      const minute = () => job.run(systemActor(stage.tenantId), {}, context)
      await minute()
      assert.equal((await stage.blocks())[0]!.ended_at, null)
      stage.clock.advance(DAY_MS)
      await minute()
      const [block, ...more] = await stage.blocks()
      assert.notEqual(block!.ended_at, null)
      assert.deepEqual(more, [])
    })

    it('S0-19 silence that staff dismisses, or that ended in a hand-over, is no failure any more', async () => {
      await stage.settle({ answer_hours: 1 })
      const [dismissed, handed] = await stage.complaintsOf(2)
      stage.clock.advance(HOUR_MS)
      assert.equal(await stage.failSilent(), 2)
      assert.equal((await stage.recordOf())[0]!.recent_failures, 2)
      await stage.decide(dismissed!.complaint_id, { status: 'reviewed' })
      const { effect } = await stage.decide(dismissed!.complaint_id, {
        status: 'resolved',
        outcome: 'dismissed',
      })
      assert.equal(effect.failed_count, 1)
      await stage.app.run(stage.actor(handed!.winner), confirmClaim, { claim_id: handed!.claim_id })
      const [own] = await stage.recordOf()
      assert.deepEqual(
        [own!.failed_count, own!.recent_failures, own!.completed_count, own!.fulfilment_bps],
        [0, 0, 1, 10_000],
      )
      await stage.assertClean()
    })

    it('S0-19 the job and a decision at once, in two processes, count one failure', async () => {
      await stage.settle({ answer_hours: 1, failures_max: 100 })
      const other = stage.aProcess()
      const made = await stage.complaintsOf(5)
      for (const { complaint_id } of made) await stage.decide(complaint_id, { status: 'reviewed' })
      stage.clock.advance(HOUR_MS)
      await Promise.all([
        stage.failSilent(),
        stage.failSilent(other.app),
        ...made.map(({ complaint_id }, i) =>
          stage.decide(
            complaint_id,
            { status: 'resolved', outcome: 'unfulfilled' },
            { app: i % 2 ? other.app : stage.app },
          ),
        ),
      ])
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.failed_count, own!.recent_failures], [5, 5])
      for (const { complaint_id } of made) {
        const actions = (await actionsOf(complaint_id)).map(([action]) => action)
        assert.equal(actions.filter((action) => action === 'complaint.resolved').length, 1)
        assert.ok(actions.filter((action) => action === 'complaint.unanswered').length <= 1)
      }
      await stage.assertClean()
    })

    it('S0-19 of ten last straws at once, in two processes, one blocks, with all that was counted by then', async () => {
      await stage.settle({ failures_max: 10 })
      const other = stage.aProcess()
      const made = await stage.complaintsOf(10)
      for (const { complaint_id } of made) await stage.decide(complaint_id, { status: 'reviewed' })
      await Promise.all(
        made.map(({ complaint_id }, i) =>
          stage.decide(
            complaint_id,
            { status: 'resolved', outcome: 'unfulfilled' },
            { app: i % 2 ? other.app : stage.app },
          ),
        ),
      )
      const [block, ...more] = await stage.blocks()
      assert.deepEqual([block!.failure_count, more], [10, []])
    })

    it('S0-19 a failure that was counted by a decision that had begun before it is not counted again', async () => {
      await stage.settle({ failures_max: 2, block_days: 1 })
      const [early, late] = await stage.complaintsOf(2)
      for (const { complaint_id } of [early!, late!]) await stage.decide(complaint_id, { status: 'reviewed' })
      const against = (complaint_id: string) =>
        stage.decide(complaint_id, { status: 'resolved', outcome: 'unfulfilled' })
      let first: Promise<unknown> | undefined
      await stage.inTenant(async (tx) => {
        await loadClaimForUpdate(tx, early!.claim_id)
        first = against(early!.complaint_id)
        await eventually('the first one waits', async () => {
          const [{ count }] = await stage.rows(
            `select count(*)::int from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'`,
          )
          return count === 1
        })
        stage.clock.advance(5_000)
        await against(late!.complaint_id)
      })
      await first
      const [block] = await stage.blocks()
      assert.equal(block!.failure_count, 2)
      stage.clock.advance(DAY_MS)
      assert.equal((await stage.recordOf())[0]!.recent_failures, 0)
      await stage.assertClean()
    })

    it('S0-19 S0-36 for what a company promised the company is blocked, not the person, and every member is told', async () => {
      const company_id = await stage.aCompany('carla', 'carl')
      await aBlock({ company_id })
      await stage.aDraft({ mode: 'draw' })
      for (const who of ['carla', 'carl']) {
        const refusal = await refusalOf(stage.aDraft({ mode: 'draw', company_id }, stage.creator(who)))
        assert.equal(refusal.code, 'creator_blocked')
        assert.ok((await stage.notesOf(who)).some(({ kind }) => kind === 'creator_blocked'))
        const [person, company] = await stage.recordOf(stage.creator(who))
        assert.deepEqual([person!.party_kind, person!.block, person!.failed_count], ['person', null, 0])
        assert.deepEqual([company!.party_id, company!.failed_count], [company_id, 2])
        assert.equal(company!.block!.failure_count, 2)
      }
      const read = (name: string) => stage.app.run(stage.actor(''), readPublicRecord, { name })
      const [game] = await stage.rows('select id from games where company_id = $1', [company_id])
      const { creator_name } = await stage.guess.read(stage.actor('somebody'), game.id)
      assert.deepEqual([creator_name, (await read(creator_name)).is_blocked], [company_id, true])
    })
  })

  describe('the appeal', () => {
    it('S0-19 lifted by somebody else it lets the creator create at once; both are audited, and the creator is told', async () => {
      const block_id = await aBlock()
      await stage.appeal(block_id)
      const lifted = await stage.decideAppeal(block_id, 'lifted')
      assert.deepEqual([lifted.decision, lifted.is_holding], ['lifted', false])
      await stage.aGame({ mode: 'draw' })
      assert.deepEqual(await actionsOf(block_id), [
        ['creator.blocked', 'boss'],
        ['creator.block_appealed', 'carla'],
        ['creator.block_lifted', 'boss'],
      ])
      assert.equal((await stage.notesOf('carla')).at(-1)!.kind, 'block_lifted')
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.block, own!.recent_failures], [null, 0])
      await stage.assertClean()
    })

    it('S0-19 upheld it leaves the block as it was, and there is no second appeal', async () => {
      const block_id = await aBlock()
      await stage.appeal(block_id)
      await stage.decideAppeal(block_id, 'upheld')
      assert.equal((await stage.notesOf('carla')).at(-1)!.kind, 'appeal_decided')
      assert.equal((await refusalOf(stage.aDraft({ mode: 'draw' }))).code, 'creator_blocked')
      assert.equal((await refusalOf(stage.appeal(block_id))).code, 'appeal_refused')
      assert.equal((await refusalOf(stage.decideAppeal(block_id, 'lifted'))).code, 'appeal_refused')
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.block!.appeal, own!.block!.decision], ['The post was on strike.', 'upheld'])
    })

    it('S0-19 who appealed does not decide, nor anybody of the blocked side, whatever his roles; SQL neither', async () => {
      const company_id = await stage.aCompany('carla', 'carl')
      const block_id = await aBlock({ company_id })
      await stage.appeal(block_id)
      for (const who of ['carla', 'carl']) {
        const as = stage.actor(who, 'demo', ['creator', 'operator'])
        assert.equal(
          (await refusalOf(stage.decideAppeal(block_id, 'lifted', as))).code,
          'second_person_needed',
        )
      }
      await assert.rejects(
        stage.rows(
          `update creator_blocks set decision = 'lifted', decided_by = 'carla', decided_at = now(), ended_at = now() where id = $1`,
          [block_id],
        ),
        /check constraint/,
      )
    })

    it('S0-19 is refused to strangers as if there was no block, and to everybody once the block is over', async () => {
      const block_id = await aBlock()
      assert.equal((await refusalOf(stage.appeal(block_id, stage.creator('eve')))).code, 'not_found')
      assert.equal((await refusalOf(stage.decideAppeal(block_id, 'lifted'))).code, 'appeal_refused')
      stage.clock.advance(7 * DAY_MS)
      assert.equal((await refusalOf(stage.appeal(block_id))).code, 'appeal_refused')
    })

    it('S0-19 of ten appeals and ten decisions at once one each is taken', async () => {
      const block_id = await aBlock()
      const appeals = await Promise.allSettled(Array.from({ length: 10 }, () => stage.appeal(block_id)))
      assert.deepEqual(tally(codesOf(appeals)), { ok: 1, appeal_refused: 9 })
      const decisions = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          stage.decideAppeal(
            block_id,
            i % 2 ? 'lifted' : 'upheld',
            stage.actor(`boss${i}`, 'demo', ['operator']),
          ),
        ),
      )
      assert.deepEqual(tally(codesOf(decisions)), { ok: 1, appeal_refused: 9 })
    })

    it('S0-19 staff lists blocks, newest first and page by page', async () => {
      const first = await aBlock()
      stage.clock.advance(7 * DAY_MS)
      for (const { complaint_id } of await stage.complaintsOf(2)) await stage.decideAgainst(complaint_id)
      const list = (cursor: string | null) => stage.app.run(stage.boss(), listBlocks, { limit: 1, cursor })
      const newest = await list(null)
      const oldest = await list(newest.next_cursor)
      assert.deepEqual(
        [newest.data[0]!.is_holding, oldest.data[0]!.block_id, oldest.next_cursor],
        [true, first, null],
      )
    })
  })

  describe('the record', () => {
    it('S0-19 is public under the name that games show, before anything ended and after', async () => {
      const game_id = await stage.aGame({ mode: 'draw', closes_at: '2030-01-01T00:00:00Z' })
      const { creator_name: name } = await stage.guess.read(stage.actor('somebody'), game_id)
      const read = () => stage.app.run(stage.actor(''), readPublicRecord, { name })
      assert.deepEqual(await read(), {
        creator: name,
        completed_count: 0,
        failed_count: 0,
        open_complaints: 0,
        fulfilment_bps: null,
        is_blocked: false,
      })
      await stage.settle({ failures_max: 1 })
      const [lost, open, won] = await stage.complaintsOf(3)
      await stage.decideAgainst(lost!.complaint_id)
      await stage.app.run(stage.actor(won!.winner), confirmClaim, { claim_id: won!.claim_id })
      assert.deepEqual(await read(), {
        creator: name,
        completed_count: 1,
        failed_count: 1,
        open_complaints: 1,
        fulfilment_bps: 5_000,
        is_blocked: true,
      })
      assert.equal(open!.winner, 'wanda1')
      const unknown = stage.app.run(stage.actor(''), readPublicRecord, { name: 'player-nobody' })
      assert.equal((await refusalOf(unknown)).code, 'not_found')
    })

    it('S0-19 what was decided against a creator and handed over later counts as handed over, once', async () => {
      const [lost] = await stage.complaintsOf(1)
      await stage.decideAgainst(lost!.complaint_id)
      await stage.app.run(stage.actor(lost!.winner), confirmClaim, { claim_id: lost!.claim_id })
      const [own] = await stage.recordOf()
      assert.deepEqual([own!.completed_count, own!.failed_count, own!.fulfilment_bps], [1, 0, 10_000])
      await stage.assertClean()
    })
  })
})

describe('accountability over HTTP', function () {
  this.timeout(60_000)
  let http: Product
  before(async () => {
    http = await startProduct({ fresh_ms_max: 0 })
  })
  after(() => http.close())

  it('S0-19 a creator is blocked, reads why, appeals and is heard; the public reads the rate without a token', async () => {
    const tokens = {
      winner: await http.token('player', { sub: 'winner' }),
      creator: await http.token('creator', { sub: 'carla' }),
      operator: await http.token('operator'),
    }
    const ask = (who: keyof typeof tokens, method: string, path: string, json?: unknown, headers = {}) =>
      http.ask(method, `/api/v1/${path}`, {
        token: tokens[who],
        headers,
        ...(json !== undefined && { json }),
      })
    const inForce = await ask('operator', 'GET', 'claim-settings')
    assert.deepEqual([inForce.headers.get('etag'), inForce.body.failures_max], ['"0"', 3])
    const settings = { answer_hours: 24, failures_max: 1, failure_days: 30, block_days: 30 }
    const stored = await ask('operator', 'PUT', 'claim-settings', settings, { 'if-match': '"0"' })
    assert.deepEqual([stored.status, stored.headers.get('etag')], [200, '"1"'])
    const stale = await ask('operator', 'PUT', 'claim-settings', settings, { 'if-match': '"0"' })
    assert.equal(stale.status, 412)

    const { claim_id } = await aClaim(http, { claim_window_hours: 1 })
    http.clock.advance(HOUR_MS)
    const { body: complaint } = await ask('winner', 'POST', `claims/${claim_id}/complaints`, { message: 'x' })
    const path = `complaints/${complaint.complaint_id}`
    await ask('operator', 'PATCH', path, { status: 'reviewed' }, { 'if-match': '*' })
    const decision = { status: 'resolved', outcome: 'unfulfilled' }
    const decided = await ask('operator', 'PATCH', path, decision, { 'if-match': '*' })
    const { blocked_until } = decided.body.effect

    const game = {
      title: 'Another pumpkin',
      mode: 'draw',
      reward_type: 'product',
      closes_at: new Date(http.clock.now().getTime() + DAY_MS).toISOString(),
    }
    const refused = await ask('creator', 'POST', 'games', game)
    assert.deepEqual(
      [refused.status, refused.body.code, refused.body.facts],
      [403, 'creator_blocked', { blocked_until }],
    )
    const visit = await http.ask('GET', `/api/v1/creators/${complaint.creator}?tenant=acme`)
    assert.deepEqual(
      [visit.status, visit.body.failed_count, visit.body.fulfilment_bps, visit.body.is_blocked],
      [200, 1, 0, true],
    )
    assert.equal((await http.ask('GET', `/api/v1/creators/${complaint.creator}`)).status, 401)
    const elsewhere = await http.ask('GET', `/api/v1/creators/${complaint.creator}?tenant=other`)
    assert.equal(elsewhere.status, 404)

    const [own] = (await ask('creator', 'GET', 'me/creator')).body.data
    assert.deepEqual([own.name, own.block.blocked_until], [complaint.creator, blocked_until])
    const block = `creator-blocks/${own.block.block_id}`
    const appealed = await ask('creator', 'POST', `${block}/appeal`, { appeal: 'The post.' })
    assert.deepEqual([appealed.status, appealed.body.appeal], [200, 'The post.'])
    const listed = (await ask('operator', 'GET', 'creator-blocks')).body.data[0]
    assert.deepEqual([listed.block_id, listed.appealed_by], [own.block.block_id, 'carla'])
    const lifted = await ask('operator', 'POST', `${block}/decision`, { decision: 'lifted', note: 'True.' })
    assert.deepEqual([lifted.status, lifted.body.decision_note], [200, 'True.'])
    assert.equal((await ask('creator', 'POST', 'games', game)).status, 201)
  })
})
