/** Complaints: who may complain and when, who answers and decides, and what is written and told of it. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { confirmClaim, readClaim } from '../../src/claims/claims.ts'
import { complain, listComplaints, readComplaint } from '../../src/claims/complaints.ts'
import { readMessages } from '../../src/claims/messages.ts'
import { keepProof } from '../../src/claims/proofs.ts'
import { COMPLAINTS_PER_CLAIM, whyNotComplain } from '../../src/claims/rules.ts'
import { codesOf, refusalOf, tally } from '../games/kit.ts'
import { type Product, startProduct } from '../http/product.ts'
import { aClaim } from '../http/things.ts'
import { type ClaimStage, HOUR_MS, startClaims } from './kit.ts'

describe('complaints: when one is taken', () => {
  const later = new Date('2026-01-02T00:00:00Z')
  const window_ends_at = new Date('2026-01-01T00:00:00Z')
  for (const [code, claim_status, count, is_open, now] of [
    ['complaint_open', 'disputed', COMPLAINTS_PER_CLAIM, true, new Date(0)],
    ['claim_not_open', 'completed', COMPLAINTS_PER_CLAIM, false, new Date(0)],
    ['claim_not_open', 'forfeited', COMPLAINTS_PER_CLAIM, false, new Date(0)],
    // Decided against the creator: nothing is left to decide.
    ['claim_not_open', 'disputed', COMPLAINTS_PER_CLAIM, false, new Date(0)],
    ['claim_window_open', 'offered', COMPLAINTS_PER_CLAIM, false, new Date(window_ends_at.getTime() - 1)],
    ['claim_window_open', 'pending', COMPLAINTS_PER_CLAIM, false, new Date(window_ends_at.getTime() - 1)],
    ['claim_window_over', 'offered', COMPLAINTS_PER_CLAIM, false, later],
    ['complaints_full', 'pending', COMPLAINTS_PER_CLAIM, false, later],
    [undefined, 'pending', COMPLAINTS_PER_CLAIM - 1, false, window_ends_at],
  ] as const) {
    it(`S0-16 a claim that is ${claim_status}${is_open ? ' with a complaint' : ''}: ${code ?? 'the complaint is taken'}`, () =>
      assert.equal(whyNotComplain({ claim_status, window_ends_at }, { count, is_open }, now)?.code, code))
  }
})

describe('complaints', function () {
  this.timeout(60_000)
  let stage: ClaimStage
  beforeEach(async () => {
    stage = await startClaims()
  })
  afterEach(() => stage.close())

  const auditOf = (entity_id: string) =>
    stage.rows<{ action: string; user_id: string; text: string }>(
      'select action, user_id, new_values::text as text from audit_logs where entity_id = $1 order by seq',
      [entity_id],
    )
  const told = async (user: string, complaint_id: string) =>
    (await stage.notesOf(user))
      .filter(({ data }) => data.complaint_id === complaint_id)
      .map(({ kind, data }) => [kind, data.status])

  describe('the form', () => {
    it('S0-23 before the window is over it is refused with the time, and after it taken', async () => {
      const { claim_id } = await stage.aClaim({ claim_window_hours: 2 })
      const { complaint_opens_at } = await stage.app.run(stage.actor('wanda'), readClaim, { claim_id })
      const opens_ms = Date.parse(complaint_opens_at) - stage.clock.now().getTime()
      stage.clock.advance(opens_ms - 60_000)
      const refusal = await refusalOf(stage.complainOf(claim_id))
      assert.deepEqual(
        [refusal.code, refusal.detail.facts],
        ['claim_window_open', { opens_at: complaint_opens_at }],
      )
      stage.clock.advance(60_000)
      assert.equal((await stage.complainOf(claim_id)).status, 'pending')
    })

    it('S0-16 of 30 complaints at once one is taken, by two processes, and the rows are one', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const other = stage.aProcess()
      const settled = await Promise.allSettled(
        Array.from({ length: 30 }, (_, i) =>
          (i % 2 ? other : stage).app.run(stage.actor('wanda'), complain, {
            claim_id: claim_id!,
            message: `Nothing came (${i}).`,
          }),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, complaint_open: 29 })
      const rows = await stage.rows('select id from complaints where claim_id = $1', [claim_id])
      assert.equal(rows.length, 1)
      const opened = (await auditOf(rows[0].id)).map(({ action }) => action)
      assert.deepEqual(opened, ['complaint.opened'])
    })

    it('S0-16 the receipt is signed and says what was complained of; the winner alone gets it, the same each time', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const made = await stage.complainOf(claim_id!)
      assert.deepEqual(stage.keys.openDocument('complaint-receipt', made.receipt!), {
        tenant: stage.tenantId,
        complaint: made.complaint_id,
        claim: claim_id,
        game: made.game_id,
        message_sha256: createHash('sha256').update('Nothing came.').digest('hex'),
        created_at: made.created_at,
        answer_due_at: made.answer_due_at,
      })
      const { complaint_id } = made
      const read = (as: Parameters<typeof stage.app.run>[0]) =>
        stage.app.run(as, readComplaint, { complaint_id })
      assert.equal((await read(stage.actor('wanda'))).receipt, made.receipt)
      assert.equal((await read(stage.creator())).receipt, null)
      assert.equal((await read(stage.boss())).receipt, null)
      for (const who of [stage.actor('eve'), stage.creator('eve')])
        assert.equal((await refusalOf(read(who))).code, 'not_found')
    })

    it('S0-16 while it is open both sides still show pictures, and staff sees them and the thread; before and after not', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const picture = {
        width: 1,
        height: 1,
        byte_count: 1,
        picture: Buffer.from('x'),
        picture_hash: createHash('sha256').update('x').digest('hex'),
      }
      const show = (as: Parameters<typeof stage.app.run>[0]) =>
        stage.app.run(as, keepProof, { claim_id: claim_id!, picture })
      const seen = async () =>
        (await stage.app.run(stage.boss(), readClaim, { claim_id: claim_id! })).proofs.length
      const thread = () =>
        stage.app.run(stage.boss(), readMessages, { claim_id: claim_id!, before: null, limit: 20 })
      await show(stage.actor('wanda'))
      assert.equal(await seen(), 0)
      assert.equal((await refusalOf(thread())).code, 'not_claim_party')
      const { complaint_id } = await stage.complainOf(claim_id!)
      await show(stage.actor('wanda'))
      await show(stage.creator())
      assert.equal(await seen(), 3)
      await thread()
      await stage.decideAgainst(complaint_id)
      assert.equal(await seen(), 0)
      assert.equal((await refusalOf(thread())).code, 'not_claim_party')
    })

    it('S0-16 only the winner complains: the creator and staff are told so, a stranger sees no claim', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const codes = []
      for (const as of [stage.creator(), stage.boss(), stage.actor('eve')])
        codes.push((await refusalOf(stage.app.run(as, complain, { claim_id: claim_id!, message: 'x' }))).code)
      assert.deepEqual(codes, ['not_claim_party', 'not_claim_party', 'not_found'])
    })

    it('S0-16 what was dismissed may be complained of again, three times in all', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      for (let n = 0; n < COMPLAINTS_PER_CLAIM; n++) {
        const { complaint_id } = await stage.complainOf(claim_id!)
        await stage.decide(complaint_id, { status: 'reviewed' })
        await stage.decide(complaint_id, { status: 'resolved', outcome: 'dismissed' })
      }
      const refusal = await refusalOf(stage.complainOf(claim_id!))
      assert.deepEqual(
        [refusal.code, refusal.detail.facts],
        ['complaints_full', { most: COMPLAINTS_PER_CLAIM }],
      )
    })

    it('S0-16 what the database is told by SQL is refused where the use case would refuse it', async () => {
      const { claim_id } = await stage.aClaim({ claim_window_hours: 48 })
      const insert = (by: string) =>
        stage.inTenant((tx) =>
          tx.rows(
            `insert into complaints (id, claim_id, complained_by, message, answer_due_at, created_at, updated_at)
             values (gen_random_uuid(), $1, $2, 'x', $3, $3, $3)`,
            [claim_id, by, tx.now],
          ),
        )
      await assert.rejects(insert('wanda'), /after the claim window/)
      stage.clock.advance(48 * HOUR_MS)
      await stage.complainOf(claim_id)
      await assert.rejects(insert('eve'), /the winner's/)
      await assert.rejects(insert('wanda'), /complaints_one_is_open/)
      await assert.rejects(stage.rows('delete from complaints'), /cannot be changed like that/)
      await assert.rejects(
        stage.rows(`update complaints set complaint_status = 'resolved', outcome = 'dismissed', resolved_by = 'x',
          resolved_at = now()`),
        /cannot be changed like that/,
      )
    })
  })

  describe('its life', () => {
    it('S0-09 each change of state notifies both sides and has its audit row', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const { complaint_id } = await stage.complainOf(claim_id!)
      await stage.answer(complaint_id)
      await stage.decideAgainst(complaint_id)
      assert.deepEqual(await told('carla', complaint_id), [
        ['complaint_opened', 'pending'],
        ['complaint_reviewed', 'reviewed'],
        ['complaint_resolved', 'resolved'],
      ])
      assert.deepEqual(await told('wanda', complaint_id), [
        ['complaint_answered', 'pending'],
        ['complaint_reviewed', 'reviewed'],
        ['complaint_resolved', 'resolved'],
      ])
      assert.deepEqual(
        (await auditOf(complaint_id)).map(({ action, user_id }) => [action, user_id]),
        [
          ['complaint.opened', 'wanda'],
          ['complaint.answered', 'carla'],
          ['complaint.reviewed', 'boss'],
          ['complaint.resolved', 'boss'],
        ],
      )
      const row = await stage.app.run(stage.actor('wanda'), readComplaint, { complaint_id })
      assert.deepEqual([row.status, row.outcome, row.answer], ['resolved', 'unfulfilled', 'It was sent.'])
    })

    it('S0-09 what the sides write is in no audit row', async () => {
      const [claim_id] = await stage.dueClaims(['wanda'])
      const { complaint_id } = await stage.complainOf(claim_id!, 'wanda', 'Secret Street 7')
      await stage.answer(complaint_id, stage.creator(), 'Secret Street 8')
      const rows = await stage.rows(`select 1 from audit_logs where new_values::text like '%Secret Street%'`)
      assert.deepEqual(rows, [])
    })

    it('S0-09 the creator answers once, by whoever is a member of the company; 10 answers at once are one', async () => {
      const company_id = await stage.aCompany('carla', 'carl')
      const [claim_id] = await stage.dueClaims(['wanda'], { company_id })
      const { complaint_id } = await stage.complainOf(claim_id!)
      for (const as of [stage.actor('wanda'), stage.boss()])
        assert.equal((await refusalOf(stage.answer(complaint_id, as))).code, 'not_claim_party')
      assert.equal((await refusalOf(stage.answer(complaint_id, stage.creator('eve')))).code, 'not_found')
      const settled = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) =>
          stage.answer(complaint_id, stage.creator(i % 2 ? 'carl' : 'carla'), `${i}`),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, complaint_not_open: 9 })
    })

    it('S0-09 the creator has so many hours for an answer as the tenant says', async () => {
      await stage.settle({ answer_hours: 5 })
      const [claim_id] = await stage.dueClaims(['wanda'])
      const { created_at, answer_due_at } = await stage.complainOf(claim_id!)
      assert.equal(Date.parse(answer_due_at) - Date.parse(created_at), 5 * HOUR_MS)
    })

    for (const [outcome, status, reason, failed_count] of [
      ['fulfilled', 'completed', 'decided', 0],
      ['unfulfilled', 'disputed', 'complained', 1],
      ['dismissed', 'pending', 'dismissed', 0],
    ] as const) {
      it(`S0-38 decided ${outcome}: the claim is ${status}, and the creator has ${failed_count} failures`, async () => {
        const prize_id = await stage.aPrize({ type: 'product' })
        const [claim_id] = await stage.dueClaims(['wanda'], { prize_id })
        const { complaint_id } = await stage.complainOf(claim_id!)
        await stage.decide(complaint_id, { status: 'reviewed' })
        const decided = await stage.decide(complaint_id, { status: 'resolved', outcome, note: 'Looked at.' })
        assert.deepEqual(
          [decided.status, decided.outcome, decided.decision_note, decided.effect],
          ['resolved', outcome, 'Looked at.', { failed_count, blocked_until: null }],
        )
        const claim = await stage.app.run(stage.actor('wanda'), readClaim, { claim_id: claim_id! })
        assert.deepEqual([claim.status, claim.history.at(-1)!.reason], [status, reason])
        const plays = await stage.rows('select id from gamification_game_plays where event_id = $1', [
          claim_id,
        ])
        assert.equal(plays.length, outcome === 'fulfilled' ? 1 : 0)
        await stage.assertClean()
      })
    }

    it('S0-38 the queue is oldest first, pages without gap or repeat, and shows age and the record of the creator', async () => {
      const made = []
      for (const player of ['p1', 'p2', 'p3']) {
        const [claim_id] = await stage.dueClaims([player])
        made.push((await stage.complainOf(claim_id!, player)).complaint_id)
      }
      await stage.decideAgainst(made[1]!)
      stage.clock.advance(60_000)
      const list = (cursor: string | null, status: 'pending' | 'resolved' | null = null) =>
        stage.app.run(stage.boss(), listComplaints, { status, limit: 1, cursor })
      const first = await list(null)
      const second = await list(first.next_cursor)
      assert.deepEqual(
        [first, second].map(({ data }) => data[0]!.complaint_id),
        [made[0], made[2]],
      )
      assert.equal(second.next_cursor, null)
      assert.deepEqual(second.data[0]!.creator_record, {
        completed_count: 0,
        failed_count: 1,
        fulfilment_bps: 0,
      })
      const { age_s } = second.data[0]!
      assert.ok(age_s >= 60 && age_s < 120, `${age_s} s`)
      const decided = (await list(null, 'resolved')).data[0]!
      assert.deepEqual([decided.complaint_id, decided.outcome], [made[1], 'unfulfilled'])
      const waited_ms = Date.parse(decided.resolved_at!) - Date.parse(decided.created_at)
      assert.equal(decided.age_s, Math.floor(waited_ms / 1000))
    })

    it('S0-38 looked at first and decided then: every other order is refused, and what is decided stays', async () => {
      const { complaint_id } = await stage.aComplaint()
      const resolve = () => stage.decide(complaint_id, { status: 'resolved', outcome: 'dismissed' })
      const review = () => stage.decide(complaint_id, { status: 'reviewed' })
      const status = async (work: Promise<unknown>) => {
        const { code, detail } = await refusalOf(work)
        return [code, detail.facts.status]
      }
      assert.deepEqual(await status(resolve()), ['complaint_not_open', 'pending'])
      await review()
      assert.deepEqual(await status(review()), ['complaint_not_open', 'reviewed'])
      await resolve()
      for (const again of [review, resolve])
        assert.deepEqual(await status(again()), ['complaint_not_open', 'resolved'])
      assert.equal((await refusalOf(stage.answer(complaint_id))).code, 'complaint_not_open')
    })

    it('S0-38 nobody decides about a claim of his own, whatever his roles', async () => {
      const { complaint_id, winner } = await stage.aComplaint()
      for (const user of ['carla', winner]) {
        const as = stage.actor(user, 'demo', ['creator', 'operator'])
        const { code } = await refusalOf(stage.decide(complaint_id, { status: 'reviewed' }, { as }))
        assert.equal(code, 'second_person_needed', user)
      }
    })

    it('S0-38 of two who decide at once, each for something else, in two processes, one does', async () => {
      const other = stage.aProcess()
      for (const { complaint_id, claim_id } of await stage.complaintsOf(5)) {
        await stage.decide(complaint_id, { status: 'reviewed' })
        const settled = await Promise.allSettled([
          stage.decide(complaint_id, { status: 'resolved', outcome: 'fulfilled' }),
          stage.decide(
            complaint_id,
            { status: 'resolved', outcome: 'dismissed' },
            { app: other.app, as: stage.actor('second-boss', 'demo', ['operator']) },
          ),
        ])
        assert.deepEqual(tally(codesOf(settled)), { ok: 1, complaint_not_open: 1 })
        const [row] = await stage.rows(
          'select k.outcome, c.claim_status from complaints k join reward_claims c on c.id = k.claim_id where c.id = $1',
          [claim_id],
        )
        assert.equal(row.claim_status, row.outcome === 'fulfilled' ? 'completed' : 'pending')
        const resolved = (await auditOf(complaint_id)).filter(({ action }) => action === 'complaint.resolved')
        assert.equal(resolved.length, 1)
      }
    })

    it('S0-09 what is handed over while staff looks closes the complaint, and both sides are told', async () => {
      const { complaint_id, claim_id, winner } = await stage.aComplaint()
      await stage.app.run(stage.actor(winner), confirmClaim, { claim_id })
      const row = await stage.app.run(stage.boss(), readComplaint, { complaint_id })
      assert.deepEqual([row.status, row.outcome], ['resolved', 'fulfilled'])
      assert.equal((await told('carla', complaint_id)).at(-1)![0], 'complaint_resolved')
      assert.equal(
        (await refusalOf(stage.decide(complaint_id, { status: 'reviewed' }))).code,
        'complaint_not_open',
      )
    })

    it('S0-09 confirming and deciding against the creator at once leave one end: completed, or decided', async () => {
      for (const { complaint_id, claim_id, winner } of await stage.complaintsOf(5)) {
        await stage.decide(complaint_id, { status: 'reviewed' })
        await Promise.allSettled([
          stage.app.run(stage.actor(winner), confirmClaim, { claim_id }),
          stage.decide(complaint_id, { status: 'resolved', outcome: 'unfulfilled' }),
        ])
        const [row] = await stage.rows(
          'select k.complaint_status, c.claim_status from complaints k join reward_claims c on c.id = k.claim_id where c.id = $1',
          [claim_id],
        )
        assert.deepEqual(row, { complaint_status: 'resolved', claim_status: 'completed' })
        const moves = await stage.rows(
          `select 1 from claim_moves where claim_id = $1 and to_status = 'completed'`,
          [claim_id],
        )
        assert.equal(moves.length, 1)
      }
    })
  })
})

describe('complaints over HTTP', function () {
  this.timeout(60_000)
  let http: Product
  let winner: string
  let creator: string
  let operator: string
  before(async () => {
    http = await startProduct({ fresh_ms_max: 0 })
    winner = await http.token('player', { sub: 'winner' })
    creator = await http.token('creator', { sub: 'carla' })
    operator = await http.token('operator')
  })
  after(() => http.close())

  const ask = (token: string, method: string, path: string, json?: unknown, headers = {}) =>
    http.ask(method, `/api/v1/${path}`, { token, headers, ...(json !== undefined && { json }) })

  async function aComplaint(): Promise<any> {
    const { claim_id } = await aClaim(http, { claim_window_hours: 1 })
    http.clock.advance(HOUR_MS)
    return (await ask(winner, 'POST', `claims/${claim_id}/complaints`, { message: 'Nothing came.' })).body
  }

  it('S0-23 the API answers 409 with the time before the window ends, and 201 after it', async () => {
    const { claim_id } = await aClaim(http, { claim_window_hours: 1 })
    const path = `claims/${claim_id}/complaints`
    const early = await ask(winner, 'POST', path, { message: 'Nothing came.' })
    const { body: claim } = await ask(winner, 'GET', `claims/${claim_id}`)
    assert.deepEqual(
      [early.status, early.body.code, early.body.facts],
      [409, 'claim_window_open', { opens_at: claim.complaint_opens_at }],
    )
    http.clock.advance(HOUR_MS)
    const made = await ask(winner, 'POST', path, { message: 'Nothing came.' }, { 'idempotency-key': 'c-1' })
    assert.deepEqual([made.status, made.body.claim_id, made.body.status], [201, claim_id, 'pending'])
    const again = await ask(winner, 'POST', path, { message: 'Nothing came.' }, { 'idempotency-key': 'c-1' })
    assert.deepEqual([again.status, again.text], [201, made.text])
    const second = await ask(winner, 'POST', path, { message: 'Nothing came.' })
    assert.deepEqual([second.status, second.body.code], [409, 'complaint_open'])
  })

  it('S0-09 S0-38 from the form to the decision: the queue, the answer, ETags, and the effect on the record', async () => {
    const { complaint_id, claim_id, creator: name } = await aComplaint()
    const path = `complaints/${complaint_id}`
    const { data } = (await ask(operator, 'GET', 'complaints?status=pending&limit=100')).body
    const queued = data.find((each: any) => each.complaint_id === complaint_id)
    assert.deepEqual([queued.claim_id, queued.creator, queued.title], [claim_id, name, 'A pumpkin'])

    const answered = await ask(creator, 'POST', `${path}/answer`, { answer: 'It was sent.' })
    assert.equal(answered.status, 200, answered.text)
    const read = await ask(operator, 'GET', path)
    const etag = read.headers.get('etag')!
    assert.equal(etag, answered.headers.get('etag'))
    const unchanged = await ask(operator, 'GET', path, undefined, { 'if-none-match': etag })
    assert.equal(unchanged.status, 304)

    const review = { status: 'reviewed' }
    assert.equal((await ask(operator, 'PATCH', path, review)).status, 428)
    const reviewed = await ask(operator, 'PATCH', path, review, { 'if-match': etag })
    assert.equal(reviewed.status, 200, reviewed.text)
    const decision = { status: 'resolved', outcome: 'unfulfilled', note: 'No proof.' }
    const stale = await ask(operator, 'PATCH', path, decision, { 'if-match': etag })
    assert.deepEqual([stale.status, stale.body.code], [412, 'precondition_failed'])
    const before = (await ask(operator, 'GET', `creators/${name}`)).body
    const done = await ask(operator, 'PATCH', path, decision, { 'if-match': reviewed.headers.get('etag')! })
    assert.deepEqual(
      [done.status, done.body.outcome, done.body.effect.failed_count],
      [200, 'unfulfilled', before.failed_count + 1],
    )
    const inbox = (await ask(winner, 'GET', 'me/notifications?limit=1')).body.data[0]
    assert.deepEqual(
      [inbox.kind, inbox.data.complaint_id, inbox.data.outcome],
      ['complaint_resolved', complaint_id, 'unfulfilled'],
    )
  })

  for (const [what, json] of [
    ['another state', { status: 'pending' }],
    ['an end without an outcome', { status: 'resolved' }],
    ['an unknown outcome', { status: 'resolved', outcome: 'lost' }],
    ['a review with an outcome', { status: 'reviewed', outcome: 'dismissed' }],
  ] as const) {
    it(`S0-38 a decision for ${what} is refused as input`, async () => {
      const { status, body } = await ask(
        operator,
        'PATCH',
        'complaints/0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10',
        json,
        { 'if-match': '*' },
      )
      assert.deepEqual([status, body.code], [400, 'invalid_input'])
    })
  }

  it('S0-16 a stranger gets 404 from every door of a complaint, a creator of another game too', async () => {
    const { complaint_id, claim_id } = await aComplaint()
    const eve = await http.token(['player', 'creator'], { sub: 'eve' })
    const statuses = [
      await ask(eve, 'POST', `claims/${claim_id}/complaints`, { message: 'x' }),
      await ask(eve, 'GET', `complaints/${complaint_id}`),
      await ask(eve, 'POST', `complaints/${complaint_id}/answer`, { answer: 'x' }),
    ].map(({ status }) => status)
    assert.deepEqual(statuses, [404, 404, 404])
    assert.equal((await ask(eve, 'GET', 'complaints')).status, 403)
  })
})
