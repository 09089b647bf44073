/** Raffles: sold exactly, drawn once, given back whole. */
import assert from 'node:assert/strict'
import { askRedraw, decideOnRedraw, forfeitPlace } from '../../src/draws/draws.ts'
import { readProof } from '../../src/draws/read.ts'
import { fromHex } from '../../src/fairness/bytes.ts'
import { checkReceiptJws, seedHash } from '../../src/fairness/commit.ts'
import { leafHashOf, verifyInclusion } from '../../src/fairness/merkle.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import { giveUpReservation, instantNumbers, refundPurchase } from '../../src/games/raffle/campaigns.ts'
import { readInstantWins, readOwnTickets } from '../../src/games/raffle/read.ts'
import { type EnterInput, enterBatch } from '../../src/games/raffle/sale.ts'
import { stepWinner } from '../../src/games/raffle/winners.ts'
import { originOf } from '../../src/proofs/checkpoints.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { codesOf, refusalOf, tally } from '../games/kit.ts'
import { type RaffleStage, startRaffles } from './kit.ts'

const users = (count: number) => Array.from({ length: count }, (_, i) => `player-${i}`)

describe('raffles', function () {
  this.timeout(120_000)
  let stage: RaffleStage
  before(async () => {
    stage = await startRaffles()
  })
  after(async () => {
    assert.deepEqual(stage.reports, [])
    await stage.close()
  })

  const verifier = () => ({
    keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') },
    logs: [stage.keys.verifierKey(originOf(stage.tenantId))],
  })
  const transcript = (event_id: string) => stage.inTenant((tx) => readTranscript(tx, { event_id }))
  const tickets = (id: string) =>
    stage.rows('select * from raffle_tickets where raffle_campaign_id = $1 order by ticket_number::int', [id])
  const own = (user: string, ref: string) =>
    stage.app.run(stage.actor(user), readOwnTickets, { ref, limit: 100 })

  it('S1-30 P-08 a thousand buy a hundred tickets at once, on two processes: a hundred sold, numbers unique, money exact', async () => {
    const { id, draw_id } = await stage.aRaffle({ total: 100, price: 200 })
    const crowd = users(1_000)
    await stage.give(crowd, 300)
    const before = await stage.balance('-', 'house')
    const other = stage.service(stage.aProcess()).raffle
    const settled = await Promise.allSettled(
      crowd.map((user, i) => stage.buy(user, id, {}, i % 2 ? stage.raffle : other)),
    )
    assert.deepEqual(tally(codesOf(settled)), { ok: 100, sold_out: 900 })
    const rows = await tickets(id)
    assert.deepEqual(
      rows.map((row) => Number(row.ticket_number)),
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
    assert.equal(new Set(rows.map((row) => row.user_id)).size, 100)
    const campaign = await stage.campaign(id)
    assert.deepEqual([campaign.sold_tickets, campaign.issued_tickets], [100, 100])
    assert.equal(await stage.balance(`raffle:${id}`, 'pool'), 100 * 200)
    const held = await Promise.all(crowd.map((user) => stage.balance(user)))
    assert.deepEqual(tally(held.map(String)), { 100: 100, 300: 900 })
    await stage.toTheEnd(draw_id)
    assert.equal(verifyText(await transcript(draw_id), verifier()).status, 'verified')
    assert.equal(await stage.balance(`raffle:${id}`, 'pool'), 0)
    assert.equal(await stage.balance('-', 'house'), before + 100 * 200)
    await stage.assertClean()
  })

  it('P-08 of two who pick a number at once the first gets it and the second is told which is gone', async () => {
    const { id } = await stage.aRaffle()
    await stage.give(['ann', 'ben'], 1_000)
    const settled = await Promise.allSettled(
      ['ann', 'ben'].map((user) => stage.buy(user, id, { numbers: [7, 70] })),
    )
    assert.deepEqual(tally(codesOf(settled)), { ok: 1, number_taken: 1 })
    const refused = settled.find((each) => each.status === 'rejected') as PromiseRejectedResult
    assert.deepEqual(refused.reason.detail.facts.numbers, [7, 70])
    assert.equal((await refusalOf(stage.buy('ann', id, { numbers: [101] }))).code, 'invalid_input')
    assert.equal((await refusalOf(stage.buy('ann', id, { numbers: [3, 3] }))).code, 'invalid_input')
    const { answer } = await stage.buy('ann', id, { quantity: 3 })
    assert.deepEqual(answer.numbers, ['1', '2', '3'])
  })

  it('P-08 whoever cannot pay gets nothing and leaves the tickets to those who came after, in the same batch', async () => {
    const { id } = await stage.aRaffle({ total: 5 })
    await stage.give(['rich-1', 'rich-2'], 10_000)
    const { first_draw_id } = await stage.campaign(id)
    const input = (user_id: string, quantity: number): EnterInput => ({
      user_id,
      by: stage.actor(user_id),
      campaign_id: id,
      first_draw_id: first_draw_id!,
      request_id: 'one',
      does: 'enter',
      quantity,
      via: 'paid',
    })
    const verdicts = await stage.inTenant((tx) =>
      enterBatch(tx, [input('poor', 5), input('rich-1', 3), input('rich-2', 2)]),
    )
    assert.deepEqual(
      verdicts.map((each) => ('answer' in each ? 'ok' : each.refusal.code)),
      ['insufficient_funds', 'ok', 'ok'],
    )
    assert.equal((await stage.campaign(id)).sold_tickets, 5)
  })

  it('S1-33 the same request has the same tickets and costs once; the key with another request is refused', async () => {
    const { id } = await stage.aRaffle()
    await stage.give(['cat'], 1_000)
    const ask = (quantity: number) => stage.buy('cat', id, { request_id: 'same', quantity })
    const [a, b] = await Promise.all([ask(2), ask(2)])
    const c = await ask(2)
    assert.deepEqual([a.text === b.text, b.text === c.text, c.replayed], [true, true, true])
    assert.equal(await stage.balance('cat'), 600)
    assert.equal((await refusalOf(ask(3))).code, 'idempotency_key_reused')
  })

  it('S1-33 P-44 a holder sees number and state, and proves from the receipt that the ticket is on the sealed list', async () => {
    const { id, draw_id } = await stage.aRaffle()
    await stage.give(['dan', 'eve'], 5_000)
    await stage.buy('eve', id, { quantity: 5 })
    await stage.buy('dan', id, { numbers: [42], client_entropy: 'entropy-of-dan-0001' })
    const { data } = await own('dan', id)
    const [mine] = data
    assert.deepEqual([mine!.ticket_number, mine!.status, mine!.entry_index], ['42', 'active', 5])
    assert.deepEqual(
      [mine!.entry!['t'], mine!.entry!['c'], mine!.entry!['via']],
      [42, 'entropy-of-dan-0001', 'paid'],
    )
    const payload = JSON.parse(Buffer.from(mine!.receipt!.split('.')[1]!, 'base64url').toString())
    assert.ok(checkReceiptJws(mine!.receipt, payload, verifier().keys))
    await stage.pass(3_601, draw_id)
    const proof = await stage.inTenant((tx) => readProof(tx, { draw_id, entry: 5, user_id: 'dan' }))
    assert.ok(
      verifyInclusion({
        index: 5,
        size: proof.entry_count,
        leafHash: leafHashOf(mine!.entry),
        proof: proof.proof.map(fromHex),
        root: fromHex(proof.entries_root),
      }),
    )
    assert.equal(payload.leafHash, proof.leaf_hash)
    // Who has won is not to be read off a ticket before it is shown.
    assert.ok(!(await own('dan', id)).data.some((ticket) => ticket.status === 'won'))
    await stage.pass(200, draw_id)
    for (let turn = 0; turn < 3; turn++) await stage.raffle.tidy(stage.tenantId)
    const states = (await tickets(id)).map((row) => row.ticket_status)
    assert.deepEqual(tally(states), { won: 3, lost: 3 })
  })

  it('S1-32 S1-34 draw_results re-derives the draw: root, seed, algorithm, winners in order, alternates', async () => {
    const prize_id = await stage.aPrize({ type: 'loyalty_points', value: '5' })
    const { id, draw_id } = await stage.aRaffle({ draws: [{ winners: 2, alternates: 1, prize_id }] })
    await stage.give(['fay'], 100_000)
    await stage.buy('fay', id, { quantity: 10 })
    await stage.toTheEnd(draw_id)
    const [row] = await stage.rows('select * from raffle_draws where id = $1', [draw_id])
    const results = row.draw_results
    const told = JSON.parse(await transcript(draw_id))
    assert.equal(results.algorithm, 'fair/1')
    assert.equal(results.entries_root, told.entries.root)
    assert.equal(seedHash(fromHex(results.server_seed)), told.commit.doc.seedHash)
    assert.deepEqual(results.order, told.outcome.order)
    assert.deepEqual(
      [...results.winners, ...results.alternates].map((each: any) => each.entry_index),
      told.outcome.order,
    )
    const winners = await stage.winners(draw_id)
    assert.deepEqual(
      winners.map((each) => each.winner_status),
      ['announced', 'announced', 'alternate'],
    )
    assert.ok(
      winners.slice(0, 2).every((each) => each.play_id !== null && each.prize_type === 'loyalty_points'),
    )
    const plays = await stage.rows('select * from gamification_game_plays where event_id = $1', [draw_id])
    assert.equal(plays.length, 2)
  })

  it('P-09 what is held is nobody else’s until its time is over, is paid for once, and comes back if it is not', async () => {
    const { id } = await stage.aRaffle({ total: 3, config: { reservation_s: 60 } })
    await stage.give(['gus', 'hal'], 10_000)
    const gus = stage.actor('gus')
    const hold = (request_id: string, numbers: number[]) =>
      stage.raffle.reserve(gus, id, { request_id, numbers })
    const { answer } = await hold('h-1', [2])
    assert.deepEqual(
      [answer.status, answer.tickets.length, await stage.balance('gus')],
      ['reserved', 0, 10_000],
    )
    assert.equal((await refusalOf(stage.buy('hal', id, { numbers: [2] }))).code, 'number_taken')
    assert.equal((await refusalOf(stage.buy('hal', id, { quantity: 3 }))).code, 'sold_out')
    const paid = await stage.raffle.payReserved(gus, answer.purchase_id)
    const again = await stage.raffle.payReserved(gus, answer.purchase_id)
    assert.deepEqual(
      [paid.answer.tickets[0]!.ticket_number, again.text === paid.text, again.replayed],
      ['2', true, true],
    )
    assert.equal(await stage.balance('gus'), 9_800)
    assert.equal((await hold('h-1', [2])).text, JSON.stringify(answer))

    const late = await hold('h-2', [3])
    stage.clock.advance(60_000)
    assert.equal(
      (await refusalOf(stage.raffle.payReserved(gus, late.answer.purchase_id))).code,
      'reservation_over',
    )
    await stage.buy('hal', id, { numbers: [3] })
    const given_up = await hold('h-3', [1])
    await stage.app.run(gus, giveUpReservation, { purchase_id: given_up.answer.purchase_id })
    await stage.buy('hal', id, { quantity: 1 })
    assert.equal((await stage.campaign(id)).sold_tickets, 3)
    const released = await stage.rows(
      `select event_data->'numbers' as numbers from game_events where game_id = $1 and event_type = 'raffle.released' order by game_seq`,
      [id],
    )
    assert.deepEqual(
      released.map((row) => row.numbers),
      [[3], [1]],
    )
  })

  it('P-14 three for the price of two, and a refund takes the whole bundle back; a refunded ticket that is drawn is passed over', async () => {
    const { id, draw_id } = await stage.aRaffle({
      total: 10,
      config: { bundles: [{ tickets: 3, pay_for: 2 }] },
      draws: [{ winners: 1, alternates: 3 }],
    })
    await stage.give(['ian', 'jan'], 10_000)
    const bought = await stage.buy('ian', id, { quantity: 3 })
    assert.deepEqual([bought.answer.amount_minor, await stage.balance('ian')], [400, 9_600])
    await stage.buy('jan', id, { quantity: 1 })
    const back = (reason: string) =>
      stage.app.run(stage.boss(), refundPurchase, { purchase_id: bought.answer.purchase_id, reason })
    await back('changed my mind')
    assert.equal(await stage.balance('ian'), 10_000)
    assert.equal((await refusalOf(back('again'))).code, 'purchase_not_refundable')
    assert.equal((await stage.campaign(id)).sold_tickets, 1)
    // Its numbers are not given out again.
    const { answer } = await stage.buy('jan', id, { quantity: 2 })
    assert.deepEqual(answer.numbers, ['5', '6'])
    await stage.toTheEnd(draw_id)
    const winners = await stage.winners(draw_id)
    const standing = winners.filter((each) => each.winner_status === 'announced')
    assert.deepEqual([standing.length, standing[0]!.user_id, standing[0]!.prize_place], [1, 'jan', 1])
    assert.ok(
      winners.filter((each) => each.user_id === 'ian').every((each) => each.winner_status !== 'announced'),
    )
    assert.equal(verifyText(await transcript(draw_id), verifier()).status, 'verified')
  })

  it('S1-29 a cancelled raffle gives every ticket back, also what another process has to finish', async () => {
    const { id, draw_id } = await stage.aRaffle()
    const crowd = users(60).map((user) => `back-${user}`)
    await stage.give(crowd, 500)
    for (const user of crowd) await stage.buy(user, id)
    await stage.raffle.cancel(stage.boss(), id, 'The car is broken.')
    assert.deepEqual(tally((await Promise.all(crowd.map((user) => stage.balance(user)))).map(String)), {
      500: 60,
    })
    const campaign = await stage.campaign(id)
    assert.deepEqual([campaign.campaign_status, campaign.sold_tickets], ['cancelled', 0])
    assert.deepEqual(tally((await tickets(id)).map((row) => row.ticket_status)), { refunded: 60 })
    assert.equal((await stage.view(draw_id)).cancelled!.reason, 'by_person')
    assert.equal((await refusalOf(stage.buy(crowd[0]!, id))).code, 'raffle_not_open')
    assert.equal((await refusalOf(stage.raffle.cancel(stage.boss(), id, 'again'))).code, 'draw_closed')
  })

  it('S1-29 a raffle that nobody bought, and one whose sales are over, take no tickets', async () => {
    const { id, draw_id } = await stage.aRaffle()
    stage.clock.advance(3_600_000)
    await stage.give(['kim'], 1_000)
    assert.equal((await refusalOf(stage.buy('kim', id))).code, 'raffle_not_open')
    await stage.pass(0, draw_id)
    assert.equal((await stage.campaign(id)).campaign_status, 'cancelled')
    assert.equal((await refusalOf(stage.buy('kim', 'no-such-raffle'))).code, 'game_not_found')
  })

  it('S1-31 later draws follow the carry-over rule: winners out, their tickets out, or everybody in', async () => {
    for (const [carry_over, expected] of [
      ['exclude_winners', 2],
      ['exclude_tickets', 5],
      ['all', 6],
    ] as const) {
      const { id, draw_ids } = await stage.aRaffle({
        config: { carry_over },
        draws: [
          { winners: 1, alternates: 0 },
          { winners: 1, alternates: 0, at_s: 3_700 },
        ],
      })
      const crowd = ['la', 'lb'].map((user) => `${user}-${carry_over}`)
      await stage.give(crowd, 10_000)
      // Whoever wins the first has four tickets of six.
      await stage.buy(crowd[0]!, id, { quantity: 4 })
      await stage.buy(crowd[1]!, id, { quantity: 2 })
      await stage.pass(3_601, draw_ids[0]!)
      await stage.pass(60, draw_ids[0]!)
      const [first] = await stage.winners(draw_ids[0]!)
      await stage.pass(60, draw_ids[1]!)
      await stage.pass(60, draw_ids[1]!)
      const count = (await stage.view(draw_ids[1]!)).entry_count
      const won_by_first = first!.user_id === crowd[0]
      const without_winner = won_by_first ? 2 : 4
      assert.equal(count, carry_over === 'exclude_winners' ? without_winner : expected, carry_over)
      assert.equal(verifyText(await transcript(draw_ids[1]!), verifier()).status, 'verified')
      assert.equal((await stage.campaign(id)).campaign_status, 'settled')
    }
  })

  it('P-11 where people win, everybody is on the list once; where repeats are off, nobody has two places', async () => {
    const person = await stage.aRaffle({ config: { unit: 'person' }, draws: [{ winners: 2, alternates: 1 }] })
    const once = await stage.aRaffle({
      config: { repeat_winners: false },
      draws: [{ winners: 2, alternates: 1 }],
    })
    const crowd = ['ma', 'mb', 'mc', 'md']
    await stage.give(crowd, 100_000)
    for (const { id } of [person, once]) {
      await stage.buy('ma', id, { quantity: 80 })
      for (const user of crowd.slice(1)) await stage.buy(user, id, { quantity: 2 })
    }
    assert.equal((await stage.view(person.draw_id)).entry_count, 4)
    assert.equal((await stage.view(once.draw_id)).entry_count, 86)
    await stage.toTheEnd(person.draw_id, once.draw_id)
    for (const { draw_id } of [person, once]) {
      const winners = await stage.winners(draw_id)
      assert.equal(winners.length, 3)
      assert.equal(new Set(winners.map((each) => each.user_id)).size, 3)
      assert.equal(verifyText(await transcript(draw_id), verifier()).status, 'verified')
    }
  })

  it('S1-34 P-12 a winner goes from announced to delivered, or the next alternate takes the place; each step has its time and actor', async () => {
    const prize_id = await stage.aPrize({ type: 'in_kind' })
    const { id, draw_id } = await stage.aRaffle({
      config: { claim_days: 7 },
      draws: [{ winners: 2, alternates: 2, prize_id }],
    })
    const crowd = users(20).map((user) => `w-${user}`)
    await stage.give(crowd, 1_000)
    for (const user of crowd) await stage.buy(user, id)
    const step = (user: string, to: 'contacted' | 'claimed' | 'delivered', place: number | null) =>
      stage.app.run(place === null ? stage.actor(user) : stage.boss(), stepWinner, {
        draw_id,
        place,
        to,
        why: null,
      })
    const forfeit = (user: string | null, place: number | null, reason: string | null) =>
      stage.app.run(user === null ? stage.boss() : stage.actor(user), forfeitPlace, {
        draw_id,
        place,
        reason,
        games: stage.games,
      })
    assert.equal((await refusalOf(forfeit(null, 1, 'too early'))).code, 'forfeit_refused')
    await stage.toTheEnd(draw_id)
    const [first, second, third, fourth] = (await stage.winners(draw_id)).map((each) => each.user_id)
    assert.equal((await refusalOf(step(third!, 'claimed', null))).code, 'forfeit_refused')
    await step('boss', 'contacted', 1)
    assert.equal((await step('boss', 'contacted', 1)).contact_count, 2)
    await step(first!, 'claimed', null)
    await step('boss', 'delivered', 1)
    assert.equal((await refusalOf(forfeit(first!, null, null))).code, 'winner_not_movable')
    assert.equal((await refusalOf(step('boss', 'claimed', 1))).code, 'winner_not_movable')

    assert.deepEqual(await forfeit(second!, null, 'no time'), {
      place: 2,
      status: 'declined',
      promoted_place: 3,
    })
    const after = await stage.winners(draw_id)
    assert.deepEqual(
      after.map((each) => [each.winner_status, each.ended_as, each.prize_place]),
      [
        ['delivered', null, 1],
        ['forfeited', 'declined', 2],
        ['announced', null, 2],
        ['alternate', null, null],
      ],
    )
    const plays = await stage.rows(
      'select user_id, prize_status from gamification_game_plays where event_id = $1 order by id',
      [draw_id],
    )
    assert.deepEqual(
      plays.map((play) => [play.user_id, play.prize_status]),
      [
        [first, 'locked'],
        [second, 'expired'],
        [third, 'locked'],
      ],
    )
    // Nobody says anything for a week: the next one is asked, and then nobody is left.
    stage.clock.advance(7 * 86_400_000)
    await stage.raffle.tidy(stage.tenantId)
    const late = await stage.winners(draw_id)
    assert.deepEqual(
      [late[2]!.ended_as, late[3]!.winner_status, late[3]!.prize_place],
      ['forfeited', 'announced', 2],
    )
    assert.equal((await stage.view(draw_id)).winners[3]!['status' as never], 'announced')
    stage.clock.advance(8 * 86_400_000)
    await stage.raffle.tidy(stage.tenantId)
    assert.equal((await stage.winners(draw_id))[3]!.ended_as, 'forfeited')
    const history = await stage.rows(
      `select h.to_status, h.moved_by from raffle_winner_history h join raffle_winners w on w.id = h.winner_id
       where w.raffle_draw_id = $1 and w.place = 1 order by h.id`,
      [draw_id],
    )
    assert.deepEqual(
      history.map((row) => [row.to_status, row.moved_by]),
      [
        ['announced', 'system'],
        ['contacted', 'boss'],
        ['contacted', 'boss'],
        ['claimed', first],
        ['delivered', 'boss'],
      ],
    )
    assert.ok(fourth)

    // The place stays empty: it is drawn again, by two people, among those who had no place.
    await stage.app.run(stage.boss(), askRedraw, {
      draw_id,
      reason: 'All alternates are silent.',
      games: stage.games,
    })
    const { new_draw_id } = await stage.draws.promise(
      stage.actor('second-boss', 'demo', ['operator']),
      decideOnRedraw,
      { draw_id, is_approved: true, games: stage.games, entropy: stage.draws.entropy },
      (answer) => [answer.new_draw_id!],
    )
    await stage.pass(61, new_draw_id!)
    await stage.pass(200, new_draw_id!)
    const again = await stage.view(new_draw_id!)
    assert.deepEqual([again.status, again.entry_count, again.winners.length], ['settled', 16, 3])
    assert.equal(verifyText(await transcript(new_draw_id!), verifier()).status, 'verified')
    assert.equal((await stage.campaign(id)).campaign_status, 'settled')
  })

  it('P-13 the numbers that win at once are fixed before sales by a seed whose hash is committed to, and win when they are bought', async () => {
    const prize_id = await stage.aPrize({ type: 'loyalty_points', value: '7' })
    const { id, draw_id } = await stage.aRaffle({
      total: 20,
      config: { instant_wins: [{ prize_id, count: 4 }], numbering: 'random' },
      draws: [{ winners: 1, alternates: 0 }],
    })
    await stage.give(['nat'], 100_000)
    const { config } = await stage.view(draw_id)
    const before: any = await stage.inTenant((tx) => readInstantWins(tx, { ref: id }))
    assert.deepEqual([before.wins, before.seed, before.count], [[], null, 4])
    assert.deepEqual(config['instant'], { seedHash: before.seed_hash, count: 4 })
    const bought = await stage.buy('nat', id, { quantity: 20 })
    assert.deepEqual(
      bought.answer.numbers.map(Number).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
    assert.notDeepEqual(
      bought.answer.numbers.map(Number),
      Array.from({ length: 20 }, (_, i) => i + 1),
    )
    assert.equal(bought.answer.instant_wins.length, 4)
    assert.ok(bought.answer.instant_wins.every((win) => win.prize_id === prize_id && win.play_id !== null))
    assert.equal(
      (
        await refusalOf(
          stage.app.run(stage.boss(), refundPurchase, {
            purchase_id: bought.answer.purchase_id,
            reason: 'x',
          }),
        )
      ).code,
      'purchase_not_refundable',
    )
    await stage.toTheEnd(draw_id)
    const told: any = await stage.inTenant((tx) => readInstantWins(tx, { ref: id }))
    assert.equal(seedHash(fromHex(told.seed)), before.seed_hash)
    const campaign = await stage.campaign(id)
    assert.deepEqual(
      instantNumbers(campaign, fromHex(told.seed)).sort((a, b) => a - b),
      told.wins.map((win: any) => win.number),
    )
    assert.deepEqual(
      bought.answer.instant_wins.map((win) => Number(win.ticket_number)).sort((a, b) => a - b),
      told.wins.map((win: any) => win.number),
    )
  })

  it('S1-35 a configuration is applied by name, and changing it does not touch the campaign', async () => {
    const made: any = await stage.inTenant((tx) =>
      stage.resources.configurations.create(tx, {
        input: {
          config_name: 'Weekly',
          config_type: 'campaign',
          config_values: { per_user_max: 2, claim_days: 3 },
        },
      }),
    )
    const { id } = await stage.aRaffle({ config_name: 'Weekly' })
    await stage.inTenant((tx) =>
      stage.resources.configurations.update(tx, {
        ref: made.id,
        input: { config_values: { per_user_max: 50 } },
        versions: '*',
      }),
    )
    const { campaign_config } = await stage.campaign(id)
    assert.deepEqual([campaign_config.per_user_max, campaign_config.claim_days], [2, 3])
    await stage.give(['ola'], 1_000)
    await stage.buy('ola', id, { quantity: 2 })
    const refused = await refusalOf(stage.buy('ola', id))
    assert.deepEqual(
      [refused.code, refused.detail.facts],
      ['ticket_limit_reached', { per_user_max: 2, has: 2 }],
    )
    await assert.rejects(
      stage.aRaffle({ config_name: 'Nobody knows' }),
      /does not have the shape|no configuration/,
    )
  })

  it('S1-36 P-10 what a policy allocates is what its preview says, once per event; tickets typed in by staff are labelled', async () => {
    const cases: [string, object, object, number][] = [
      ['free', { per_user_and_day: 1 }, {}, 1],
      ['per_order_amount', { step_minor: 1_000, minimum_minor: 0, cap: 3 }, { amount_minor: 2_999 }, 2],
      ['per_action', { actions: { share: 2 } }, { action: 'share' }, 2],
      [
        'time_watching',
        { every_minutes: 5, tickets: 1, bonus_active: 1, cap: null },
        { minutes: 11, is_active: true },
        4,
      ],
      ['subscriber_weight', { base: 1, multipliers: { gold: 20 }, cap: 10 }, { tier: 'gold' }, 10],
      ['bonus_entries', { base: 1, bonuses: { vip: 2, mod: 1 }, mode: 'sum' }, { roles: ['vip', 'mod'] }, 4],
      ['auto_all', { tickets: 2 }, { members: ['seg-a', 'seg-b'] }, 4],
      ['user_pick', { first: 900, last: 910 }, { numbers: [901, 902] }, 2],
      ['random_number', { channel: 'online' }, { quantity: 3 }, 3],
      ['sequential', { channel: 'online' }, { quantity: 3 }, 3],
      ['range_split', { channels: ['paper'] }, { quantity: 2, channel: 'paper' }, 2],
      ['instant_win', {}, { quantity: 1 }, 1],
      ['cooldown', { rules: [{ from_cost_minor: 0, days: 30 }], tickets: 1 }, {}, 1],
      ['invite', { tickets: 2, cap: 3 }, { accepted: 1 }, 2],
      [
        'paid',
        { ticket_price: 100, bundles: [{ tickets: 3, pay_for: 2 }], per_user_max: null },
        { quantity: 3 },
        3,
      ],
    ]
    const policies: string[] = []
    for (const [allocation_policy, policy_config] of cases) {
      const made: any = await stage.inTenant((tx) =>
        stage.resources.policies.create(tx, {
          input: { policy_name: `A ${allocation_policy} policy`, allocation_policy, policy_config },
        }),
      )
      policies.push(made.id)
    }
    const { id, draw_id } = await stage.aRaffle({
      total: 1_000,
      config: {
        policies,
        number_ranges: [
          { channel: 'online', first: 1, last: 800 },
          { channel: 'paper', first: 801, last: 1_000 },
        ],
      },
    })
    await stage.give(['pat'], 1_000)
    for (const [i, [kind, , event, expected]] of cases.entries()) {
      const ask = (event_key: string) =>
        stage.raffle.allocate(stage.boss(), id, {
          policy_id: policies[i]!,
          event,
          event_key,
          user_id: 'pat',
          is_staff: kind === 'free',
        })
      const { purchases, granted } = await ask('event-1')
      const given = purchases.reduce((sum, each) => sum + each.quantity, 0)
      assert.deepEqual([granted.tickets, given], [expected, expected], kind)
      const again = await ask('event-1')
      assert.deepEqual([again.purchases, again.replayed], [purchases, true], kind)
      if (kind === 'range_split') assert.deepEqual(purchases[0]!.numbers, ['801', '802'])
      if (kind === 'free') {
        assert.equal(purchases[0]!.tickets[0]!.via, 'staff')
        assert.equal((await refusalOf(ask('event-2'))).code, 'no_tickets_due')
        stage.clock.advance(0)
      }
      if (kind === 'invite') assert.equal((await ask('event-2')).granted.tickets, 1)
    }
    assert.equal(await stage.balance('pat'), 800)
    const count = (await stage.campaign(id)).sold_tickets
    assert.equal(
      (await stage.view(draw_id)).entry_count,
      count,
      'every ticket is on the list, whatever it cost',
    )
  })

  it('S1-29 what a published raffle promised is refused to a change, by its resource and by SQL', async () => {
    const { id, draw_id } = await stage.aRaffle()
    const change = (input: object) =>
      stage.inTenant((tx) => stage.resources.raffles.update(tx, { ref: id, input, versions: '*' }))
    assert.equal((await refusalOf(change({ ticket_price: 1 }))).code, 'raffle_published')
    assert.equal((await refusalOf(change({ draws: [] }))).code, 'raffle_published')
    await change({ campaign_name: 'A better name' })
    assert.equal((await refusalOf(stage.raffle.publish(stage.boss(), id))).code, 'raffle_published')
    await stage.give(['quin'], 1_000)
    await stage.buy('quin', id)
    for (const sql of [
      `update raffle_campaigns set ticket_price = 1 where id = '${id}'`,
      `update raffle_campaigns set total_tickets = 5 where id = '${id}'`,
      `update raffle_campaigns set campaign_status = 'draft' where id = '${id}'`,
      `update raffle_draws set winning_tickets = 9 where id = '${draw_id}'`,
      `delete from raffle_draws where id = '${draw_id}'`,
      `update raffle_tickets set user_id = 'mallory'`,
      `update raffle_tickets set ticket_number = '99'`,
      `delete from raffle_tickets`,
      `update raffle_instant_wins set number = 1`,
      `delete from raffle_winner_history`,
    ]) {
      await assert.rejects(
        stage.inTenant((tx) => tx.rows(sql)),
        (error: { code: string }) => ['55000', '42501'].includes(error.code),
        sql,
      )
    }
  })

  it('S1-29 an unfinished raffle is not published, and says what is missing', async () => {
    const { id } = await stage.aRaffle({
      is_published: false,
      total: 2,
      draws: [{ winners: 3, alternates: 0, prizes: [{ prize_id: 4_711, qty: 2 }] }],
    })
    const { code, detail } = await refusalOf(stage.raffle.publish(stage.boss(), id))
    assert.equal(code, 'raffle_not_ready')
    assert.deepEqual(
      detail.errors.map((each: any) => each.pointer),
      ['/draws/0/winning_tickets', '/draws/0/winning_tickets', '/draws'],
    )
    assert.equal((await refusalOf(stage.buy('rob', id))).code, 'game_not_found')
  })

  it('I8 I9 I10 L everything that happened here is clean to the audit', async () => {
    await stage.assertClean()
  })
})
