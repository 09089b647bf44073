/** Claims: who is offered a reward, who gets it, once, and what is written of it. */
import assert from 'node:assert/strict'
import { confirmClaim, listClaims, readClaim, readCodePicture } from '../../src/claims/claims.ts'
import { CLAIM_STATUSES, type ClaimStatus, canMove } from '../../src/claims/rules.ts'
import { forfeitPlace } from '../../src/draws/draws.ts'
import { codesOf, refusalOf, tally } from '../games/kit.ts'
import { type ClaimStage, HOUR_MS, startClaims } from './kit.ts'

describe('claims', function () {
  this.timeout(60_000)
  let stage: ClaimStage
  before(async () => {
    stage = await startClaims()
  })
  after(() => stage.close())

  describe('claiming', () => {
    it('S0-14 S0-02 the winner of a product is told and claims inside the window, once; a non-winner gets 403', async () => {
      const game_id = await stage.aWonGame({ players: ['wanda', 'lena'], number_of_winners: 1 })
      const [offer] = await stage.claimsOf(game_id)
      const winner = offer!.user_id
      const other = winner === 'wanda' ? 'lena' : 'wanda'
      assert.equal(offer!.claim_status, 'offered')
      const [note] = (await stage.notesOf(winner)).filter(({ kind }) => kind === 'claim_offered')
      assert.deepEqual([note!.data.claim_id, note!.read_at], [offer!.id, null])

      assert.equal((await refusalOf(stage.claim(game_id, other))).code, 'not_a_winner')
      const first = await stage.claim(game_id, winner, 'I come on Saturday.')
      const again = await stage.claim(game_id, winner, 'Something else.')
      assert.deepEqual(
        [first.status, again.claim_id, again.claim_info],
        ['pending', first.claim_id, first.claim_info],
      )
      assert.deepEqual(
        again.history.map(({ to, by, reason }) => [to, by, reason]),
        [
          ['offered', 'system', 'won'],
          ['pending', 'winner', 'claimed'],
        ],
      )
      assert.ok(
        (await stage.notesOf('carla')).some(
          ({ kind, data }) => kind === 'claim_pending' && data.claim_id === first.claim_id,
        ),
      )
    })

    it('S0-14 what a winner writes to the creator is in no audit row', async () => {
      const game_id = await stage.aWonGame()
      await stage.claim(game_id, 'wanda', 'Secret Street 7')
      const rows = await stage.rows(
        `select new_values::text as t from audit_logs where new_values::text like '%Secret Street%'`,
      )
      assert.deepEqual(rows, [])
    })

    it('S0-14 of 30 claims at once one moves the row, and all answer the same claim', async () => {
      const game_id = await stage.aWonGame()
      const views = await Promise.all(Array.from({ length: 30 }, () => stage.claim(game_id, 'wanda')))
      assert.equal(new Set(views.map((view) => view.claim_id)).size, 1)
      const moves = await stage.rows(
        `select * from claim_moves where claim_id = $1 and to_status = 'pending'`,
        [views[0]!.claim_id],
      )
      assert.equal(moves.length, 1)
    })

    it('S0-02 coins arrive by themselves: there is nothing to claim', async () => {
      const prize_id = await stage.aPrize({ type: 'coins', value: '5' })
      const game_id = await stage.aWonGame({ reward_type: 'coins', prize_id })
      assert.equal((await refusalOf(stage.claim(game_id, 'wanda'))).code, 'nothing_to_claim')
      assert.deepEqual(await stage.claimsOf(game_id), [])
    })

    it('S0-14 before the draw nobody is a winner, and an unknown game is none', async () => {
      const game_id = await stage.aGame({ mode: 'draw' })
      await stage.enter(game_id, 'wanda', null)
      assert.equal((await refusalOf(stage.claim(game_id, 'wanda'))).code, 'not_a_winner')
      const never = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10'
      assert.equal((await refusalOf(stage.claim(never, 'wanda'))).code, 'game_not_found')
    })

    it('S0-14 abuse 121: after the window the place is forfeited to the alternate, who has a window of its own', async () => {
      const game_id = await stage.aWonGame({ players: ['a', 'b', 'c'], number_of_alternates: 1 })
      const [first] = await stage.claimsOf(game_id)
      const [alternate] = await stage.rows(
        'select user_id, place from winner_history where game_id = $1 and is_alternate',
        [game_id],
      )
      assert.equal((await refusalOf(stage.claim(game_id, alternate.user_id))).code, 'not_a_winner')
      stage.clock.advance(48 * HOUR_MS)
      // Late by the clock is late, before any job has run.
      assert.equal((await refusalOf(stage.claim(game_id, first!.user_id))).code, 'claim_window_over')
      const counts = await Promise.all([stage.forfeitDue(), stage.forfeitDue(), stage.forfeitDue()])
      assert.ok(counts.reduce((sum, count) => sum + count) >= 1)
      const [gone, promoted] = await stage.claimsOf(game_id)
      assert.deepEqual([gone!.claim_status, gone!.status_reason], ['forfeited', 'window_over'])
      assert.deepEqual(
        [promoted!.user_id, promoted!.place, promoted!.prize_place, promoted!.claim_status],
        [alternate.user_id, alternate.place, 1, 'offered'],
      )
      assert.ok(promoted!.window_ends_at.getTime() > stage.clock.now().getTime() + 47 * HOUR_MS)
      assert.equal((await refusalOf(stage.claim(game_id, first!.user_id))).code, 'claim_window_over')
      assert.equal((await stage.claim(game_id, alternate.user_id)).place, 1)
      assert.ok((await stage.notesOf(first!.user_id)).some(({ kind }) => kind === 'claim_forfeited'))
    })

    it('S0-14 two places that fall free at once go to two alternates, and none is left for a third', async () => {
      const game_id = await stage.aWonGame({
        players: ['a', 'b', 'c', 'd', 'e'],
        number_of_winners: 3,
        number_of_alternates: 2,
      })
      stage.clock.advance(48 * HOUR_MS)
      await Promise.all([stage.forfeitDue(), stage.forfeitDue()])
      await stage.forfeitDue()
      const standing = (await stage.claimsOf(game_id)).filter((row) => row.claim_status === 'offered')
      assert.deepEqual(standing.map(({ place }) => place).sort(), [4, 5])
      assert.equal(new Set(standing.map(({ prize_place }) => prize_place)).size, 2)
    })

    it('S0-14 a winner gives a place up through the draw, and what was handed over cannot be given up', async () => {
      const game_id = await stage.aWonGame({ players: ['a', 'b'], number_of_alternates: 1 })
      const [offer] = await stage.claimsOf(game_id)
      const [{ draw_id }] = (await stage.rows('select draw_id from games where id = $1', [game_id])) as any
      const give = (user: string) =>
        stage.app.run(stage.actor(user), forfeitPlace, {
          draw_id,
          place: null,
          reason: null,
          games: stage.draws.games,
        })
      assert.equal((await refusalOf(give('nobody'))).code, 'forfeit_refused')
      assert.deepEqual(await give(offer!.user_id), { place: 1, status: 'forfeited', promoted_place: 2 })
      const other = offer!.user_id === 'a' ? 'b' : 'a'
      const { claim_id } = await stage.claim(game_id, other)
      await stage.scan(await stage.codeOf(claim_id, other))
      assert.equal((await refusalOf(give(other))).code, 'forfeit_refused')
    })
  })

  describe('handing over', () => {
    it('S0-08 the creator scans the code once: completed, with the item in the wallet; a second scan says it was used', async () => {
      const prize_id = await stage.aPrize({ type: 'product' })
      const { claim_id } = await stage.aClaim({ prize_id })
      const [one, other] = [await stage.codeOf(claim_id, 'wanda'), await stage.codeOf(claim_id, 'wanda')]
      const done = await stage.scan(one)
      assert.deepEqual([done.status, done.you_are, done.play_id], ['completed', 'creator', null])
      for (const token of [one, other]) assert.equal((await refusalOf(stage.scan(token))).code, 'qr_used')
      const mine = await stage.app.run(stage.actor('wanda'), readClaim, { claim_id })
      const plays = await stage.rows(
        'select id, user_id, prize_id from gamification_game_plays where event_id = $1',
        [claim_id],
      )
      assert.deepEqual(plays, [{ id: mine.play_id, user_id: 'wanda', prize_id }])
      await stage.assertClean()
    })

    it('S0-08 abuse 121: of 30 scans at once one completes the claim and one item is given', async () => {
      const prize_id = await stage.aPrize({ type: 'product' })
      const { claim_id } = await stage.aClaim({ prize_id })
      const token = await stage.codeOf(claim_id, 'wanda')
      const settled = await Promise.allSettled(Array.from({ length: 30 }, () => stage.scan(token)))
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, qr_used: 29 })
      const plays = await stage.rows('select id from gamification_game_plays where event_id = $1', [claim_id])
      assert.equal(plays.length, 1)
    })

    it('S0-08 a foreign creator, the winner and staff cannot scan; the code stays good', async () => {
      const { claim_id } = await stage.aClaim()
      const token = await stage.codeOf(claim_id, 'wanda')
      for (const who of [stage.creator('eve'), stage.creator('wanda'), stage.boss()])
        assert.equal((await refusalOf(stage.scan(token, who))).code, 'not_claim_party')
      assert.equal((await stage.scan(token)).status, 'completed')
    })

    it('S0-36 a member of the company scans, one who left does not, and the audit log shows the person', async () => {
      const company_id = await stage.aCompany('carla', 'carl')
      const { claim_id } = await stage.aClaim({ company_id })
      const token = await stage.codeOf(claim_id, 'wanda')
      await stage.inTenant((tx) => tx.rows(`delete from company_members where user_id = 'carla'`))
      assert.equal((await refusalOf(stage.scan(token))).code, 'not_claim_party')
      await stage.scan(token, stage.creator('carl'))
      const [row] = await stage.rows(
        `select user_id from audit_logs where action = 'claim.completed' order by seq desc limit 1`,
      )
      assert.equal(row.user_id, 'carl')
    })

    it('S0-08 a code ends after a day, and what another server or tenant signed, or somebody changed, is none', async () => {
      const { claim_id } = await stage.aClaim({ claim_window_hours: 2_000 })
      const token = await stage.codeOf(claim_id, 'wanda')
      const [head, body, signature] = token.split('.') as [string, string, string]
      const receipt = stage.keys.signDocument(
        'complaint-receipt',
        JSON.parse(Buffer.from(body, 'base64url').toString()),
      )
      const other = JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), exp: 9e15 })
      for (const bad of [
        'x',
        `${head}.${body}`,
        `${head}.${body}.${signature.slice(1)}`,
        `${head}.${Buffer.from(other).toString('base64url')}.${signature}`,
        receipt,
      ])
        assert.equal((await refusalOf(stage.scan(bad))).code, 'qr_invalid', bad.slice(0, 20))
      if (!stage.tenants.has('elsewhere')) await stage.aTenant('elsewhere')
      assert.equal(
        (await refusalOf(stage.scan(token, stage.actor('carla', 'elsewhere', ['creator'])))).code,
        'qr_invalid',
      )
      stage.clock.advance(24 * HOUR_MS)
      assert.equal((await refusalOf(stage.scan(token))).code, 'qr_expired')
      assert.equal((await stage.scan(await stage.codeOf(claim_id, 'wanda'))).status, 'completed')
    })

    it('S0-08 the code is a picture for its winner alone, and only while there is something to hand over', async () => {
      const game_id = await stage.aWonGame()
      const [offer] = await stage.claimsOf(game_id)
      const picture = (user: string) =>
        stage.app.run(stage.actor(user), readCodePicture, { claim_id: offer!.id })
      assert.equal((await refusalOf(picture('wanda'))).code, 'claim_not_open')
      await stage.claim(game_id, 'wanda')
      assert.match(await picture('wanda'), /^<\?xml [^>]+\?><svg .*<path /)
      assert.equal((await refusalOf(picture('carla'))).code, 'not_found')
      await stage.app.run(stage.actor('wanda'), confirmClaim, { claim_id: offer!.id })
      assert.equal((await refusalOf(picture('wanda'))).code, 'qr_used')
    })

    it('S0-08 the picture says its text, for a creator without a camera', async () => {
      const { claim_id } = await stage.aClaim()
      const picture = await stage.app.run(stage.actor('wanda'), readCodePicture, { claim_id })
      const text = /<desc>([^<]+)<\/desc>/.exec(picture)![1]!
      assert.equal((await stage.scan(text)).status, 'completed')
    })

    it('S0-08 a prize that ran out leaves the claim completed, and the audit log says what was not given', async () => {
      const prize_id = await stage.aPrize({ type: 'product', stock: 1 })
      const game_id = await stage.aWonGame({ prize_id, players: ['a', 'b'], number_of_winners: 2 })
      for (const user of ['a', 'b']) {
        const { claim_id } = await stage.claim(game_id, user)
        assert.equal((await stage.scan(await stage.codeOf(claim_id, user))).status, 'completed')
      }
      const [row] = await stage.rows(
        `select new_values->>'code' as code from audit_logs where action = 'claim.prize_not_given' order by seq desc limit 1`,
      )
      assert.equal(row.code, 'prize_out_of_stock')
    })

    it('S0-08 a claim is seen by its sides and by staff, and is not there for anybody else', async () => {
      const { claim_id } = await stage.aClaim()
      const read = (as: Parameters<typeof stage.app.run>[0]) => stage.app.run(as, readClaim, { claim_id })
      assert.equal((await read(stage.actor('wanda'))).you_are, 'winner')
      assert.equal((await read(stage.creator())).you_are, 'creator')
      const staff = await read(stage.boss())
      assert.deepEqual([staff.you_are, staff.claim_info, staff.proofs], ['staff', null, []])
      for (const who of [stage.actor('eve'), stage.creator('eve')])
        assert.equal((await refusalOf(read(who))).code, 'not_found')
    })

    it('S0-08 the lists of both sides page without gap or repeat', async () => {
      const game_id = await stage.aWonGame({
        players: ['p1', 'p2', 'p3', 'p4', 'p5'],
        number_of_winners: 5,
      })
      const list = async (cursor: string | null): Promise<string[]> => {
        const page = await stage.app.run(stage.creator(), listClaims, {
          side: 'creator',
          game_id,
          status: null,
          limit: 2,
          cursor,
        })
        const ids = page.data.map((each) => each.claim_id)
        return page.next_cursor === null ? ids : [...ids, ...(await list(page.next_cursor))]
      }
      const ids = await list(null)
      assert.deepEqual([ids.length, new Set(ids).size], [5, 5])
      const mine = { side: 'winner', game_id, status: null, limit: 20, cursor: null } as const
      assert.equal((await stage.app.run(stage.actor('p1'), listClaims, mine)).data.length, 1)
      assert.equal((await stage.app.run(stage.actor('eve'), listClaims, mine)).data.length, 0)
    })
  })

  describe('its states', () => {
    it('S0-08 every move that the table forbids is refused by the database too, whoever writes', async () => {
      const game_id = await stage.aWonGame({ players: ['s1', 's2', 's3', 's4', 's5'], number_of_winners: 5 })
      const rows = await stage.claimsOf(game_id)
      const set = (id: string, status: ClaimStatus) =>
        stage.inTenant((tx) =>
          tx.rows(
            `update reward_claims set claim_status = $2, status_at = $3, status_by = 'sql', status_reason = 'won' where id = $1`,
            [id, status, tx.now],
          ),
        )
      const ways: Record<ClaimStatus, ClaimStatus[]> = {
        offered: [],
        pending: ['pending'],
        completed: ['pending', 'completed'],
        disputed: ['pending', 'disputed'],
        forfeited: ['forfeited'],
      }
      for (const [i, from] of CLAIM_STATUSES.entries()) {
        for (const step of ways[from]) await set(rows[i]!.id, step)
        for (const to of CLAIM_STATUSES) {
          if (to === from || canMove(from, to)) continue
          await assert.rejects(set(rows[i]!.id, to), /cannot be changed like that/, `${from} to ${to}`)
        }
      }
      for (const sql of [
        `update reward_claims set window_ends_at = window_ends_at + interval '1 day' where id = $1`,
        `update reward_claims set user_id = 'mallory' where id = $1`,
        `delete from reward_claims where id = $1`,
        `update claim_moves set reason = 'won' where claim_id = $1`,
      ])
        await assert.rejects(
          stage.inTenant((tx) => tx.rows(sql, [rows[0]!.id])),
          /permission denied/,
          sql,
        )
    })
  })
})
