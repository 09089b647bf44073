/** Guess games without doors: what may be guessed, who wins, and what is written of it. */
import assert from 'node:assert/strict'
import { readList } from '../../src/draws/read.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import {
  cancelGame,
  endReel,
  readActiveGames,
  readLeaders,
  readMyGuesses,
  readMyStats,
  readReelGame,
} from '../../src/games/guess/games.ts'
import { loadGameHistory, loadLeaders } from '../../src/games/guess/store.ts'
import { originOf } from '../../src/proofs/checkpoints.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { type GuessStage, startGuessing } from './guess-kit.ts'
import { codesOf, refusalOf, tally } from './kit.ts'

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

describe('guess games', function () {
  this.timeout(60_000)
  let stage: GuessStage
  before(async () => {
    stage = await startGuessing()
  })
  after(async () => {
    await stage.close()
  })

  const games = () => stage.draws.games
  const verified = async (game_id: string) => {
    const [{ draw_id }] = (await stage.rows('select draw_id from games where id = $1', [game_id])) as [
      { draw_id: string },
    ]
    const text = await stage.inTenant((tx) => readTranscript(tx, { event_id: draw_id }))
    return verifyText(text, {
      keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') },
      logs: [stage.keys.verifierKey(originOf(stage.tenantId))],
    })
  }
  const historyOf = async (game_id: string) =>
    (await stage.inTenant((tx) => loadGameHistory(tx, game_id))) as {
      winning_numbers: number[]
      winners: { guess: number; place: number; is_alternate: boolean }[]
      not_awarded: number
    }

  describe('what a creator publishes', () => {
    it('S0-01 S0-10 is a draft until it is promised, and nothing of the promise changes afterwards', async () => {
      const id = await stage.aDraft({
        image_url: 'https://shop.example/pumpkin.jpg',
        reward_text: 'A pumpkin',
      })
      assert.equal((await refusalOf(stage.read(id))).code, 'game_not_found', "a draft is its maker's")
      const view = await stage.guess.publish(stage.creator(), id)
      assert.deepEqual([view.status, view.reward.text, view.draw!.trust], ['open', 'A pumpkin', 'operator'])
      assert.equal((await refusalOf(stage.guess.publish(stage.creator(), id))).code, 'game_published')
      const change = stage.app.run(stage.creator(), stage.games.update, {
        ref: id,
        input: { number_of_winners: 9 },
        versions: '*',
      })
      assert.equal((await refusalOf(change)).code, 'game_published')
    })

    for (const [what, wish, pointer] of [
      ['a range that is upside down', { guess_min: 10, guess_max: 10 }, '/guess_max'],
      [
        'a range too small for places of their own',
        { rule: 'unique', guess_min: 1, guess_max: 3, number_of_winners: 3, number_of_alternates: 1 },
        '/guess_max',
      ],
      ['no rule', { rule: null }, '/rule'],
      ['coins without a prize', { reward_type: 'coins' }, '/prize_id'],
      ['a close before the opening', { opens_at: '2030-01-01T00:00:00Z' }, '/closes_at'],
      ['several guesses under a policy of one', { guesses_per_user: 3 }, '/guesses_per_user'],
      ['a number in a draw', { mode: 'draw', guess_min: 1, guess_max: 9 }, '/guess_min'],
    ] as const) {
      it(`S0-06 ${what} is refused with its place`, async () => {
        const { code, detail } = await refusalOf(stage.aDraft(wish))
        assert.equal(code, 'invalid_input')
        assert.ok(detail.errors!.some((error: { pointer: string }) => error.pointer === pointer))
      })
    }

    it('S0-01 a link that is not http or https is no link', async () => {
      for (const link_url of ['javascript:alert(1)', 'file:///etc/passwd', 'ftp://a.example', 'https://'])
        await assert.rejects(stage.aDraft({ link_url }))
    })

    it('S0-10 S0-36 members of a company act for it, others do not, and the audit log names the person', async () => {
      const company_id = '01a1f938-87bf-72bd-8203-e461f26d8a24'
      await stage.inTenant(async (tx) => {
        await tx.rows(
          `insert into companies (id, company_name, created_at, updated_at) values ($1, 'Pumpkins Ltd', $2, $2)`,
          [company_id, tx.now],
        )
        await tx.rows(
          `insert into company_members (company_id, user_id, created_at) values ($1, 'carla', $2), ($1, 'carl', $2)`,
          [company_id, tx.now],
        )
      })
      assert.equal((await refusalOf(stage.aDraft({ company_id }, stage.creator('eve')))).code, 'forbidden')
      const id = await stage.aDraft({ company_id })
      assert.equal((await refusalOf(stage.guess.publish(stage.creator('eve'), id))).code, 'game_not_found')
      await stage.guess.publish(stage.creator('carl'), id)
      const [row] = await stage.rows(
        `select user_id from audit_logs where action = 'draw.scheduled' order by seq desc limit 1`,
      )
      assert.equal(row.user_id, 'carl')
    })

    it('S0-04 a second active game on a reel is refused, and of two at once one is', async () => {
      const [one, other] = [await stage.aDraft({ reel_id: 'r-1' }), await stage.aDraft({ reel_id: 'r-1' })]
      const settled = await Promise.allSettled(
        [one, other].map((id) => stage.guess.publish(stage.creator(), id)),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, reel_in_use: 1 })
      assert.deepEqual(
        await stage.rows(
          `select count(*)::int as n from draws d join games g on g.draw_id = d.id where g.reel_id = 'r-1'`,
        ),
        [{ n: 1 }],
        'the other one promised nothing',
      )
      const winner = settled[0]!.status === 'fulfilled' ? one : other
      await stage.app.run(stage.boss(), cancelGame, { game_id: winner, why: 'a mistake', games: games() })
      await stage.guess.publish(stage.creator(), winner === one ? other : one)
    })

    it('S0-28 a deleted game vanishes from lists, and its history and proof stay', async () => {
      const id = await stage.aGame()
      await stage.enter(id, 'alice', 7)
      const remove = () =>
        stage.app.run(stage.creator(), stage.games.remove, { ref: id, versions: '*' as const })
      assert.equal((await refusalOf(remove())).code, 'in_use')
      await stage.toTheEnd()
      await remove()
      assert.equal((await refusalOf(stage.read(id))).code, 'game_not_found')
      assert.equal((await verified(id)).status, 'verified')
      assert.equal((await historyOf(id)).winners.length, 1)
    })
  })

  describe('a guess', () => {
    it('S0-12 S0-07 is answered with a signed receipt, shown to its maker, and hidden from everybody else until the draw', async () => {
      const id = await stage.aGame()
      const answer = await stage.enter(id, 'alice', 512)
      assert.deepEqual([answer.seq, answer.entry_index, answer.guesses_left], [0, 0, 0])
      const [mine] = await stage.app.run(stage.actor('alice'), readMyGuesses, { game_id: id })
      assert.deepEqual([mine!.value, mine!.salt], [512, answer.salt])
      assert.deepEqual(await stage.app.run(stage.actor('bob'), readMyGuesses, { game_id: id }), [])
      const { draw, ...rest } = await stage.read(id)
      assert.ok(!JSON.stringify(rest).includes('512'))
      const list = () => stage.inTenant((tx) => readList(tx, { draw_id: draw!.draw_id, from: 0, limit: 9 }))
      assert.equal((await refusalOf(list())).code, 'not_yet_revealed')
      const told = await stage.rows(`select event_data::text as data from game_events where game_id = $1`, [
        id,
      ])
      for (const { data } of told) assert.ok(!data.includes('512'), data)
      await stage.pass(61)
      assert.deepEqual(
        (await list()).data.map(({ g }) => g),
        [512],
      )
    })

    it('S0-12 the same request again gets the same bytes, and with another number is refused', async () => {
      const id = await stage.aGame()
      const settled = await Promise.all(times(20, () => stage.enter(id, 'alice', 7, 'once')))
      for (const answer of settled) assert.deepEqual(answer, settled[0])
      assert.equal((await refusalOf(stage.enter(id, 'alice', 8, 'once'))).code, 'idempotency_key_reused')
      assert.equal((await stage.read(id)).entry_count, 1)
    })

    it('S0-35 F13 fifty at once by one user under one_per_user: one is accepted, at whatever process', async () => {
      const id = await stage.aGame()
      const other = stage.serve(stage.aProcess()).guess
      const settled = await Promise.allSettled(
        times(50, (i) =>
          (i % 2 ? stage.guess : other).guess(stage.actor('alice'), {
            game_id: id,
            request_id: `r${i}`,
            value: i + 1,
          }),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, no_guesses_left: 49 })
      const { entry_count, participant_count } = await stage.read(id)
      assert.deepEqual([entry_count, participant_count], [1, 1])
    })

    it('S0-35 a number that may be chosen once goes to the first, and to one only in a race', async () => {
      const id = await stage.aGame({ guess_policy: 'number_unique_globally' })
      const other = stage.serve(stage.aProcess()).guess
      const settled = await Promise.allSettled(
        times(30, (i) =>
          (i % 2 ? stage.guess : other).guess(stage.actor(`user-${i}`), {
            game_id: id,
            request_id: 'r',
            value: 7,
          }),
        ),
      )
      assert.deepEqual(tally(codesOf(settled)), { ok: 1, guess_taken: 29 })
      await stage.enter(id, 'late', 8)
    })

    it('S0-35 n_per_user takes that many, and outside the range none', async () => {
      const id = await stage.aGame({ guess_policy: 'n_per_user', guesses_per_user: 3 })
      const settled = await Promise.allSettled(times(5, (i) => stage.enter(id, 'alice', i + 1)))
      assert.deepEqual(tally(codesOf(settled)), { ok: 3, no_guesses_left: 2 })
      for (const value of [0, 1001, null])
        assert.equal((await refusalOf(stage.enter(id, 'bob', value))).code, 'guess_invalid')
    })

    it('P-05 a guess may be replaced until the close where the policy says so, the last one counts, and the history stays', async () => {
      const id = await stage.aGame({ guess_policy: 'replace_until_close' })
      const first = await stage.enter(id, 'alice', 1)
      await stage.enter(id, 'bob', 500)
      const second = await stage.enter(id, 'alice', 900)
      assert.deepEqual([second.replaces, second.entry_index], [first.submission_id, null])
      await stage.toTheEnd()
      const mine = await stage.app.run(stage.actor('alice'), readMyGuesses, { game_id: id })
      assert.deepEqual(
        mine.map(({ value, is_in_force, entry_index }) => [value, is_in_force, entry_index]),
        [
          [1, false, null],
          [900, true, 1],
        ],
      )
      const { draw } = await stage.read(id)
      assert.equal(draw!.entry_count, 2)
      assert.equal((await verified(id)).status, 'verified')
      await stage.assertClean()
    })

    it('abuse 33 S0-29 S0-12 late by the server clock is late, whatever the row still says, also while it is being closed', async () => {
      const id = await stage.aGame()
      stage.clock.advance(60_000)
      const { code, detail } = await refusalOf(stage.enter(id, 'alice', 7))
      assert.deepEqual([code, detail.facts!['status']], ['game_not_open', 'closed'])
      const early = await stage.aGame({
        opens_at: new Date(stage.clock.now().getTime() + 10_000).toISOString(),
      })
      assert.equal((await refusalOf(stage.enter(early, 'alice', 7))).code, 'game_not_open')
      await stage.pass(10)
      await stage.enter(early, 'alice', 7)
    })

    it('S0-35 replacements that race with the close are on the sealed list with their last number, or refused', async () => {
      const id = await stage.aGame({ guess_policy: 'replace_until_close' })
      const other = stage.serve(stage.aProcess())
      await Promise.all(times(10, (i) => stage.enter(id, `user-${i}`, i + 1)))
      stage.clock.advance(59_999)
      const replacing = Promise.allSettled(times(10, (i) => stage.enter(id, `user-${i}`, 100 + i)))
      stage.clock.advance(1)
      await Promise.all([
        replacing,
        stage.draws.advanceDue(stage.tenantId),
        other.draws.advanceDue(stage.tenantId),
      ])
      const settled = await replacing
      const counts = tally(codesOf(settled))
      assert.equal((counts['ok'] ?? 0) + (counts['game_not_open'] ?? 0), 10)
      await stage.toTheEnd()
      const listed = await stage.rows(
        `select e.leaf::json->>'g' as g from draw_entries e join game_submissions s on s.id = e.ref_id where s.replaced_by is null and s.game_id = $1`,
        [id],
      )
      assert.equal(listed.length, 10)
      const [{ n }] = (await stage.rows(
        'select count(*)::int as n from draw_entries e join games g on g.draw_id = e.draw_id where g.id = $1',
        [id],
      )) as [{ n: number }]
      assert.equal(n, 10)
      await stage.assertClean()
    })
  })

  describe('the end of a game', () => {
    /** Independent of the module that decided it. */
    const byDistance = (guesses: readonly number[], from: (g: number) => number | null) =>
      guesses
        .map((g, i) => ({ g, i, d: from(g) }))
        .filter((each) => each.d !== null)
        .sort((a, b) => a.d! - b.d! || a.i - b.i)
        .map(({ g }) => g)
    const alone = (guesses: readonly number[]) => (g: number) =>
      guesses.filter((other) => other === g).length === 1

    for (const [rule, expected] of [
      ['exact', (gs: number[], t: number) => gs.filter((g) => g === t)],
      ['nearest', (gs: number[], t: number) => byDistance(gs, (g) => Math.abs(g - t))],
      ['nearest_under', (gs: number[], t: number) => byDistance(gs, (g) => (g <= t ? t - g : null))],
      ['unique', (gs: number[], t: number) => byDistance(gs, (g) => (alone(gs)(g) ? Math.abs(g - t) : null))],
      ['lowest_unique', (gs: number[]) => byDistance(gs, (g) => (alone(gs)(g) ? g : null))],
    ] as const) {
      it(`S0-30 S0-13 ${rule}: winners are those of a plain recount, in order, and the transcript verifies`, async () => {
        const id = await stage.aGame({ rule, guess_min: 1, guess_max: 12, number_of_winners: 3 })
        const guesses = [3, 3, 5, 7, 1, 9, 12, 9, 2, 8, 11, 6, 10, 4]
        for (const [i, g] of guesses.entries()) await stage.enter(id, `user-${i}`, g)
        await stage.toTheEnd()
        const { winning_numbers, winners } = await historyOf(id)
        assert.equal(winning_numbers.length, rule === 'lowest_unique' ? 0 : 1)
        assert.deepEqual(
          winners.map(({ guess }) => guess),
          expected([...guesses], winning_numbers[0] ?? 0).slice(0, 3),
        )
        assert.equal((await verified(id)).status, 'verified')
        await stage.assertClean()
      })
    }

    it('S0-03 three places and two entrants: two winners, the third place is shown as not awarded', async () => {
      const id = await stage.aGame({ mode: 'draw', number_of_winners: 3 })
      await stage.enter(id, 'alice', null)
      await stage.enter(id, 'bob', null)
      await stage.toTheEnd()
      const view = await stage.read(id)
      assert.deepEqual([view.draw!.winners.length, view.not_awarded], [2, 1])
      assert.equal((await verified(id)).status, 'verified')
      await stage.assertClean()
    })

    it('S0-03 whoever entered forty times wins one place, and the list is read until somebody else is found', async () => {
      const id = await stage.aGame({
        mode: 'draw',
        guess_policy: 'n_per_user',
        guesses_per_user: 40,
        number_of_winners: 2,
      })
      for (let i = 0; i < 40; i++) await stage.enter(id, 'alice', null)
      await stage.enter(id, 'bob', null)
      await stage.toTheEnd()
      const view = await stage.read(id)
      assert.equal(new Set(view.draw!.winners.map(({ player }) => player)).size, 2)
      assert.equal(view.not_awarded, 0)
      assert.equal((await verified(id)).status, 'verified')
      await stage.assertClean()
    })

    it('S0-18 S0-30 numbers, winners and history are written with the result and shown only when their time has come', async () => {
      const id = await stage.aGame({ number_of_winners: 2 })
      for (const i of [0, 1, 2]) await stage.enter(id, `user-${i}`, 100 * (i + 1))
      await stage.pass(61)
      const early = await stage.read(id)
      assert.deepEqual([early.status, early.draw!.winners, early.winning_numbers], ['drawn', [], null])
      assert.equal((await stage.rows('select 1 from winner_history where game_id = $1', [id])).length, 2)
      assert.equal(early.draw!.reveals.length, 2)
      await stage.pass(600)
      await stage.pass(600)
      const late = await stage.read(id)
      assert.deepEqual([late.status, late.draw!.winners.length], ['settled', 2])
      assert.ok(late.winning_numbers![0]! >= 1)
    })

    it('S0-02 vouchers and coins arrive by themselves, once, with a play for every guess; products wait for their claim', async () => {
      const prize_id = await stage.aPrize({ type: 'voucher' })
      const id = await stage.aGame({ reward_type: 'voucher', prize_id })
      for (const i of [0, 1, 2]) await stage.enter(id, `user-${i}`, 100 * (i + 1))
      await stage.toTheEnd()
      await stage.draws.advanceDue(stage.tenantId)
      const plays = await stage.rows(
        `select p.is_winner, p.prize_code is not null as has_code
         from gamification_game_plays p join games g on g.wallet_game_id = p.game_id where g.id = $1 order by 1`,
        [id],
      )
      assert.deepEqual(plays, [
        { is_winner: false, has_code: false },
        { is_winner: false, has_code: false },
        { is_winner: true, has_code: true },
      ])
      const product = await stage.aGame()
      await stage.enter(product, 'alice', 7)
      await stage.toTheEnd()
      const won = await stage.rows(
        'select 1 from gamification_game_plays p join games g on g.wallet_game_id = p.game_id where g.id = $1 and p.is_winner',
        [product],
      )
      assert.equal(won.length, 0)
      await stage.assertClean()
    })

    it('S0-29 a game that ended while no server ran is closed and drawn by the next one', async () => {
      const id = await stage.aGame()
      await stage.enter(id, 'alice', 7)
      stage.clock.advance(86_400_000)
      const next = stage.serve(stage.aProcess())
      for (const _ of [1, 2]) {
        await next.draws.advanceDue(stage.tenantId)
        stage.clock.advance(600_000)
      }
      await next.draws.advanceDue(stage.tenantId)
      assert.equal((await stage.read(id)).status, 'settled')
    })

    it('S0-07 S0-30 S0-31 no SQL of the application decides who won again, or changes what was filed', async () => {
      const id = await stage.aGame()
      await stage.enter(id, 'alice', 7)
      await stage.toTheEnd()
      for (const [sql, code] of [
        [`update game_participants set is_winner = not is_winner`, '55000'],
        [`update winner_history set place = 9`, '42501'],
        [`delete from winning_numbers`, '42501'],
        [`update game_history set record = '{}'`, '42501'],
        [`update games set hash_value = repeat('0', 64) where id = '${id}'`, '55000'],
        [`update games set status = 'open' where id = '${id}'`, '55000'],
        [`update game_submissions set guess = 1`, '42501'],
      ] as const)
        await assert.rejects(
          stage.inTenant((tx) => tx.rows(sql)),
          { code },
        )
    })

    it('S0-33 wins, entries and streak equal a recount, and the table ranks who got there first', async () => {
      const from = stage.clock.now()
      for (const winner of ['ann', 'ben', 'ann']) {
        const id = await stage.aGame({ rule: 'nearest', guess_min: 1, guess_max: 2 })
        await stage.enter(id, winner, 1)
        await stage.toTheEnd()
      }
      const span = { from, to: new Date('2100-01-01') }
      const stats = await stage.app.run(stage.actor('ann'), readMyStats, span)
      assert.deepEqual([stats.entries, stats.games, stats.wins, stats.streak], [2, 2, 2, 2])
      const leaders = await stage.app.run(stage.actor('ann'), readLeaders, { ...span, limit: 10 })
      assert.deepEqual(
        leaders.map(({ rank, is_me, wins }) => [rank, is_me, wins]),
        [
          [1, true, 2],
          [2, false, 1],
        ],
      )
      const none = await stage.app.run(stage.actor('ann'), readMyStats, {
        from: new Date(0),
        to: new Date('2000-01-01'),
      })
      assert.deepEqual([none.entries, none.wins, none.streak], [0, 0, 0])
    })
  })

  describe('the leaderboard', () => {
    /** A game that only its winners enter: who comes earlier has the better place, as all guess the same. */
    const won = async (...winners: string[]) => {
      const id = await stage.aGame({ guess_min: 1, guess_max: 2, number_of_winners: winners.length })
      for (const winner of winners) await stage.enter(id, winner, 1)
      await stage.toTheEnd()
    }
    const ranked = async (from: Date) =>
      (await stage.inTenant((tx) => loadLeaders(tx, from, new Date('2100-01-01'), 10))).map(
        ({ user_id, wins }) => `${user_id} ${wins}`,
      )

    it('S0-33b of equal scores the first to reach it ranks higher, whatever the names, and a later equal one does not push it down', async () => {
      const from = stage.clock.now()
      await won('zoe')
      await won('zoe')
      await won('adam')
      assert.deepEqual(await ranked(from), ['zoe 2', 'adam 1'])
      await won('adam')
      assert.deepEqual(await ranked(from), ['zoe 2', 'adam 2'], 'zoe had two first')
      await won('bea')
      await won('bea')
      await won('bea')
      await won('zoe')
      await won('adam')
      assert.deepEqual(await ranked(from), ['bea 3', 'zoe 3', 'adam 3'])
    })

    it('S0-33b of those who reached it in one game, the better place in it ranks higher', async () => {
      const from = stage.clock.now()
      await won('yuri', 'mona', 'axel')
      assert.deepEqual(await ranked(from), ['yuri 1', 'mona 1', 'axel 1'])
    })
  })

  describe('a reel', () => {
    it('S0-11 S0-17 that ended shows its game, and tells whoever watched', async () => {
      const id = await stage.aGame({ reel_id: 'r-7' })
      const told: unknown[] = []
      stage.app.follow(stage.tenantId, 'lobby', (events) => told.push(...events))
      const view = await stage.app.run(stage.creator(), endReel, { reel_id: 'r-7', games: games() })
      assert.equal(view.game_id, id)
      assert.deepEqual(
        told.map((event) => (event as { type: string }).type),
        ['lobby.reel_ended'],
      )
      const shown = await stage.app.run(stage.actor('alice'), readReelGame, {
        reel_id: 'r-7',
        games: games(),
      })
      assert.equal(shown.game_id, id)
      const active = await stage.app.run(stage.actor('alice'), readActiveGames, { games: games() })
      assert.ok(active.some((each) => each.game_id === id))
      const unknown = stage.app.run(stage.creator(), endReel, { reel_id: 'r-2', games: games() })
      assert.equal((await refusalOf(unknown)).code, 'game_not_found')
    })
  })
})
