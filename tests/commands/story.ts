/** A small consistent history, made by the product's own use cases, for auditors to look at and tests to spoil. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { type App, makeApp } from '../../src/app.ts'
import {
  appealAgainst,
  changeSettings,
  decideAppeal,
  failSilent,
  readOwnRecords,
} from '../../src/claims/accountability.ts'
import { claimReward } from '../../src/claims/claims.ts'
import { answerTo, complain, decideComplaint } from '../../src/claims/complaints.ts'
import { forfeitDue } from '../../src/claims/offers.ts'
import type { Outcome } from '../../src/claims/rules.ts'
import { makeTestClock } from '../../src/clock.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openPool } from '../../src/db/pool.ts'
import type { Actor, Role, Tx } from '../../src/db/tx.ts'
import { askRedraw, decideOnRedraw, forfeitPlace } from '../../src/draws/draws.ts'
import { drawGames } from '../../src/draws/game.ts'
import { makeDraws } from '../../src/draws/service.ts'
import { makeGuess } from '../../src/games/guess/guess.ts'
import { gameCreate, gameResource } from '../../src/games/guess/resource.ts'
import { DRAW_GAMES } from '../../src/games/index.ts'
import { refundPurchase } from '../../src/games/raffle/campaigns.ts'
import { makeRaffle } from '../../src/games/raffle/raffle.ts'
import { raffleResource } from '../../src/games/raffle/resource.ts'
import { grantChances } from '../../src/games/wheel/chances.ts'
import { makeWheel } from '../../src/games/wheel/wheel.ts'
import { newId } from '../../src/ids.ts'
import { postTransfer } from '../../src/ledger/post.ts'
import { move, TENANT_OWNER } from '../../src/ledger/rules.ts'
import { prizeCreate, prizeResource } from '../../src/prizes/definitions.ts'
import { itemStockResource } from '../../src/prizes/fulfilment-resources.ts'
import { grantPrizes } from '../../src/prizes/grant.ts'
import { holdPrize } from '../../src/prizes/hold.ts'
import { makeMysteries } from '../../src/prizes/mysteries.ts'
import { uploadCodes } from '../../src/prizes/partner-codes.ts'
import { changePolicy, POLICY_DEFAULT } from '../../src/prizes/policy.ts'
import { applyPrize } from '../../src/prizes/redemption.ts'
import { rollbackPrize } from '../../src/prizes/rollback.ts'
import { acceptDeal, offerDeal } from '../../src/prizes/social/deals.ts'
import { awardReferrals, grantForEvent, referUser } from '../../src/prizes/social/grants.ts'
import { sharePrize } from '../../src/prizes/social/share.ts'
import { readMyPrizes, unlockPrize } from '../../src/prizes/wallet.ts'
import { type Checkpoints, makeCheckpoints } from '../../src/proofs/checkpoints.ts'
import { makeFairKeys } from '../../src/proofs/keys.ts'
import { localEntropy } from '../../src/proofs/round-entropy.ts'
import { systemActor } from '../../src/system.ts'

const signing = generateKeyPairSync('ed25519').privateKey
const seedKey = randomBytes(32)
const keys = makeFairKeys([{ kid: 'k1', key: seedKey }], signing)

/** What sealed the story's seeds, as SEED_KEYS takes it. */
export const storySeedKeys = `k1:${seedKey.toString('base64')}`

/** The key that signed the story, as an auditor is given it. */
export const storyKeys = new Map([[keys.kid, new Uint8Array(keys.publicKey)]])

/** The same key as FAIRNESS_KEY takes it. */
export const storyFairnessKey = JSON.stringify(signing.export({ format: 'jwk' }))

/** More than the 256 events after which the log stores its first subtree. */
const SPIN_COUNT = 300

/**
 * Two tenants with a wheel each. Alice spins, rotates and uses a prize; Bob spins a lot; Carol plays elsewhere; a
 * shared spin is joined, drawn and settled; one request is answered under its key. Migrates the database first.
 */
export async function tellStory(url: string): Promise<void> {
  await migrate(url)
  const report = (where: string, error: unknown) => {
    throw new Error(`the story failed in ${where}`, { cause: error })
  }
  const database = openPool(url, () => {})
  // Behind the machine's clock: what the story leaves must not lie in the future of the auditor.
  const clock = makeTestClock(new Date('2026-11-01T10:00:00Z'))
  const app = makeApp({ database, clock, keys, report })
  const checkpoints = makeCheckpoints(app, report)
  const wheel = makeWheel({ app, checkpoints, entropy: localEntropy, report })

  async function aTenant(code: string): Promise<(userId: string, roles?: Role[]) => Actor> {
    const id = newId()
    const now = clock.now()
    await database.query(
      'insert into tenants (id, tenant_code, tenant_name, created_at, updated_at) values ($1, $2, $2, $3, $3)',
      [id, code, now],
    )
    await database.query('insert into tenant_heads (tenant_id) values ($1)', [id])
    return (userId, roles = ['player']) => ({
      tenantId: id,
      userId,
      roles,
      ip: '192.0.2.1',
      userAgent: 'story',
    })
  }

  async function aWheel(boss: Actor): Promise<string> {
    const id = newId()
    await app.run(
      boss,
      async (tx: Tx) => {
        const prize = await tx.one<{ id: number }>(
          `insert into gamification_prizes (name, type, value, stock, created_at, updated_at)
         values ('Ten', 'discount_percentage', '10.00', 1000, $1, $1) returning id`,
          [tx.now],
        )
        await tx.rows(
          `insert into wheel_games (id, wheel_name, wheel_slug, spin_config, created_at, updated_at)
         values ($1, 'Summer', 'summer', '{"on_exhausted": "none"}', $2, $2)`,
          [id, tx.now],
        )
        await tx.rows(
          `insert into wheel_rewards (id, wheel_game_id, reward_label, reward_slug, reward_type, probability, prize_id,
                                    reward_position, created_at, updated_at)
         values ($1, $3, '10% off', 'ten', 'prize', 0.25, $4, 0, $5, $5), ($2, $3, 'Try again', 'none', 'none', 0.75, null, 1, $5, $5)`,
          [newId(), newId(), id, prize!.id, tx.now],
        )
      },
      undefined,
    )
    await wheel.publish(boss, 'summer')
    return id
  }

  async function play(actor: Actor, count: number): Promise<void> {
    const boss = { ...actor, userId: 'boss' }
    await app.run(boss, grantChances, { user_id: actor.userId, count: count + 5, reason: 'story' })
    await wheel.seedPair(actor, 'summer')
    clock.advance(1_000)
    const game = (await wheel.find(actor, 'summer'))!.id
    const spins = Array.from({ length: count }, (_, i) =>
      wheel.spin(actor, {
        wheel_id: game,
        request_id: `${actor.userId}-${i}-${randomBytes(4).toString('hex')}`,
        client_entropy: 'story-entropy-01',
      }),
    )
    await Promise.all(spins)
    clock.advance(1_000)
  }

  const demo = await aTenant('demo')
  const other = await aTenant('other')
  await aWheel(demo('boss', ['operator']))
  await aWheel(other('boss', ['operator']))

  await play(demo('alice'), 40)
  await wheel.rotate(demo('alice'), 'summer', { client_seed: 'alices-own-seed' })
  clock.advance(1_000)
  await play(demo('alice'), 40)
  await play(demo('bob'), SPIN_COUNT)
  await play(other('carol'), 12)

  await useOnePrize(app, demo('alice'), demo('service', ['service']))
  await passPrizesOn(app, demo)
  await giveAway(app, demo)
  await play(demo('frank'), 1)
  await app.run(demo('service', ['service']), awardReferrals, undefined)
  await giveAwards(
    app,
    checkpoints,
    demo('alice'),
    demo('boss', ['operator']),
    demo('service', ['service']),
    () => clock.advance(1_000),
  )
  await takePrizesBack(app, demo('bob'), demo('service', ['service']), demo('boss', ['operator']))
  await app.once(
    demo('alice'),
    async () => ({ done: true }),
    { some: 'input' },
    { endpoint: 'POST /story', key: 'one', status: 201 },
  )

  await wheel.openRound(demo('boss', ['operator']), 'summer')
  await wheel.joinRound(demo('alice'), 'summer', 'entropy-of-alice-1')
  await wheel.joinRound(demo('bob'), 'summer', 'entropy-of-bob-123')
  for (let moves = 0; moves < 4; moves++) {
    clock.advance(60_000)
    await wheel.advanceRounds(demo('boss').tenantId)
  }

  await winAndComplain(app, checkpoints, clock, demo)
  await raffleOff(app, checkpoints, clock, demo)

  await checkpoints.make(demo('boss').tenantId)
  await checkpoints.make(other('boss').tenantId)
  await checkpoints.stop()
  await database.end()
}

/** A prize of alice goes the whole way: unlocked by her, applied to an order by the service. */
async function useOnePrize(app: App, alice: Actor, service: Actor): Promise<void> {
  const { data } = await app.run(alice, readMyPrizes, { status: 'locked', page: 1, per_page: 1 })
  const play_id = data[0]!.id
  await app.run(alice, unlockPrize, { play_id })
  await app.run(service, applyPrize, { play_id, order_id: 'order-1', order: { order_amount: '75.50' } })
}

/** A prize of alice is given to bob, one is sold to him, one is on its way to carol, and one is shown to everybody. */
async function passPrizesOn(app: App, who: (userId: string, roles?: Role[]) => Actor): Promise<void> {
  const alice = who('alice')
  const bob = who('bob')
  const { data } = await app.run(alice, readMyPrizes, { status: 'locked', page: 1, per_page: 4 })
  const [given, sold, offered, shown] = data.map(({ id }) => id)
  const gift = await app.run(alice, offerDeal, { kind: 'gift', to: 'bob', give: [given!] })
  await app.run(bob, acceptDeal, { kind: 'gift', id: gift.id })
  await app.run(alice, unlockPrize, { play_id: sold! })
  const listing = await app.run(alice, offerDeal, { kind: 'listing', give: [sold!], price_minor: 500 })
  const house = { account_kind: 'house', owner_id: TENANT_OWNER } as const
  const purse = { account_kind: 'wallet_credit', owner_id: 'bob' } as const
  const credit = { obligation: 'story:bob', transfer_type: 'story', postings: move(800, 'EUR', house, purse) }
  await app.run(who('service', ['service']), postTransfer, credit)
  await app.run(bob, acceptDeal, { kind: 'listing', id: listing.id })
  await app.run(alice, offerDeal, { kind: 'gift', to: 'carol', give: [offered!] })
  await app.run(alice, sharePrize, { play_id: shown!, tenant_code: 'demo' })
}

/** A campaign gives dora a prize, and erin brings frank, who plays. */
async function giveAway(app: App, who: (userId: string, roles?: Role[]) => Actor): Promise<void> {
  const service = who('service', ['service'])
  await app.run(
    service,
    async (tx: Tx) => {
      await tx.rows(
        `insert into prize_campaigns (id, campaign_code, campaign_name, prize_id, audience, created_at, updated_at)
         select $1, 'FRIENDS', 'Friends', id, 'service', $2, $2 from gamification_prizes`,
        [newId(), tx.now],
      )
    },
    undefined,
  )
  const campaign_code = 'FRIENDS'
  await app.run(service, grantForEvent, {
    user_ids: ['dora'],
    source: 'support',
    source_id: 'ticket-1',
    campaign_code,
  })
  await app.run(service, referUser, { user_id: 'frank', referrer_id: 'erin', campaign_code })
  await app.run(service, referUser, { user_id: 'erin', referrer_id: 'gina', campaign_code })
}

/** Alice gets money, a thing, a free item, points and two mysteries: one that can be verified by now, one that waits. */
async function giveAwards(
  app: App,
  checkpoints: Checkpoints,
  alice: Actor,
  boss: Actor,
  service: Actor,
  later: () => void,
): Promise<void> {
  const prizes = prizeResource()
  const define = (type: string, more: object = {}) =>
    app.run(boss, prizes.create, {
      input: prizeCreate.parse({ name: `A ${type}`, type, ...more }),
    }) as Promise<{ id: number }>
  const give = (prize_id: number) =>
    app.run(
      boss,
      async (tx: Tx) => {
        const game = await tx.one<{ id: number }>('select id from gamification_games limit 1')
        const [verdict] = await grantPrizes(tx, [
          { user_id: alice.userId, prize_id, game_id: game!.id, event_id: newId() },
        ])
        if ('refusal' in verdict!) throw verdict.refusal
        return verdict!.answer.play_id
      },
      undefined,
    )
  const open = async (prize_id: number) => {
    const play_id = await give(prize_id)
    later()
    await mysteries.unlock(alice, { play_id })
    return play_id
  }
  const mysteries = makeMysteries(app, checkpoints)
  await give((await define('cash', { value: '5.00' })).id)
  await give((await define('product')).id)
  await app.run(boss, itemStockResource().create, {
    input: { item_id: '7', item_name: 'Soup', stock: 10 },
  })
  const soup = await open((await define('free_item', { valid_food_ids: [7] })).id)
  await app.run(service, applyPrize, { play_id: soup, order_id: 'order-soup', order: {} })
  const points = await open((await define('loyalty_points', { value: '100' })).id)
  await app.run(service, applyPrize, { play_id: points, order_id: 'order-points', order: {} })
  const ticket = await define('voucher')
  await app.run(boss, uploadCodes, { prize_id: ticket.id, codes: ['CINEMA-1', 'CINEMA-2'] })
  await give(ticket.id)
  const [one, two] = [
    await define('discount_fixed', { value: '1.00' }),
    await define('discount_fixed', { value: '2.00' }),
  ]
  const pool = [one, two].map(({ id }) => ({ prize_id: id, weight: 1 }))
  const mystery = await define('mystery', { pool })
  await open(mystery.id)
  later()
  await mysteries.rotate(
    alice,
    { prize_id: mystery.id, pool_version: null },
    { client_seed: 'alices-mystery-seed' },
  )
  later()
  await open(mystery.id)
}

/** Of two prizes of a player a part and the whole come back; credit that was granted is paid and taken back. */
async function takePrizesBack(app: App, player: Actor, service: Actor, boss: Actor): Promise<void> {
  await app.run(boss, changePolicy, { policy: POLICY_DEFAULT, versions: '*' as const })
  const { data } = await app.run(player, readMyPrizes, { status: 'locked', page: 1, per_page: 2 })
  const credit = await app.run(boss, grantCredit, { user_id: player.userId })
  const [part, whole] = data.map(({ id }) => id) as [number, number]
  for (const [i, play_id] of [part, whole, credit].entries()) {
    const order_id = `order-${i + 2}`
    await app.run(player, unlockPrize, { play_id })
    await app.run(service, holdPrize, { play_id, order_id, minutes: null })
    await app.run(service, applyPrize, { play_id, order_id, order: { order_amount: '75.50' } })
  }
  const reason = 'story'
  const returned = { return_id: 'r-1', returned_amount: '20.00' }
  await app.run(service, rollbackPrize, { play_id: part, order_id: 'order-2', reason, returned })
  await app.run(service, rollbackPrize, { play_id: whole, order_id: 'order-3', reason, returned: null })
  await app.run(service, rollbackPrize, { play_id: credit, order_id: 'order-4', reason, returned: null })
}

async function grantCredit(tx: Tx, { user_id }: { user_id: string }): Promise<number> {
  const prize = await tx.one<{ id: number }>(
    `insert into gamification_prizes (name, type, value, created_at, updated_at)
     values ('Twenty', 'wallet_credit', '20.00', $1, $1) returning id`,
    [tx.now],
  )
  const game = await tx.one<{ id: number }>('select id from gamification_games limit 1')
  const grant = { user_id, prize_id: prize!.id, game_id: game!.id, event_id: newId() }
  const [verdict] = await grantPrizes(tx, [grant])
  if ('refusal' in verdict!) throw verdict.refusal
  return verdict!.answer.play_id
}

/**
 * Three people guess and win things of carla's; she hands one over, says nothing to a second winner and loses against the
 * third, is blocked, heard, and blocked again. Of a draw of hers a winner does not claim, and the alternate is asked.
 */
async function winAndComplain(
  app: App,
  checkpoints: Checkpoints,
  clock: { now(): Date; advance(duration_ms: number): Date },
  who: (userId: string, roles?: Role[]) => Actor,
): Promise<void> {
  const [boss, carla] = [who('boss', ['operator']), who('carla', ['creator'])]
  const games = drawGames(DRAW_GAMES)
  const report = (where: string, error: unknown) => {
    throw new Error(`the story failed in ${where}`, { cause: error })
  }
  const draws = makeDraws({ app, checkpoints, entropy: localEntropy, games, report })
  const guess = makeGuess({ app, draws })
  async function aGame(wish: object): Promise<string> {
    const input = gameCreate.parse({
      title: 'Guess the weight',
      reward_type: 'product',
      claim_window_hours: 1,
      closes_at: new Date(clock.now().getTime() + 60_000).toISOString(),
      ...wish,
    })
    const { id } = (await app.run(carla, gameResource().create, { input })) as { id: string }
    await guess.publish(carla, id)
    return id
  }
  const later = async (...durations_s: number[]) => {
    for (const duration_s of durations_s) {
      clock.advance(duration_s * 1_000)
      await draws.advanceDue(boss.tenantId)
    }
  }
  const settings = { answer_hours: 1, failures_max: 1, failure_days: 30, block_days: 30 }
  await app.run(boss, changeSettings, { settings, versions: '*' as const })

  const numbers = { mode: 'guess', rule: 'nearest', guess_min: 1, guess_max: 100, number_of_winners: 3 }
  const guessed = await aGame({ ...numbers, guess_policy: 'replace_until_close' })
  const drawn = await aGame({ mode: 'draw', title: 'A pumpkin', number_of_alternates: 1 })
  for (const [i, user] of ['alice', 'bob', 'dora'].entries()) {
    await guess.guess(who(user), { game_id: guessed, request_id: 'story-1', value: 10 * i + 1 })
    await guess.guess(who(user), { game_id: drawn, request_id: 'story-1', value: null })
  }
  await guess.guess(who('alice'), { game_id: guessed, request_id: 'story-2', value: 77 })
  await later(61, 600, 600)

  const claims: { user: string; claim_id: string }[] = []
  for (const user of ['alice', 'bob', 'dora']) {
    const { claim_id } = await app.run(who(user), claimReward, { game_id: guessed, place: null, info: null })
    claims.push({ user, claim_id })
  }
  await later(3_600)
  await app.run(systemActor(boss.tenantId), forfeitDue, undefined)
  // Of the three one is the alternate, whose turn it is now.
  for (const user of ['alice', 'bob', 'dora'])
    await app.run(who(user), claimReward, { game_id: drawn, place: null, info: null }).catch(() => undefined)
  const complaints: string[] = []
  for (const { user, claim_id } of claims)
    complaints.push((await app.run(who(user), complain, { claim_id, message: 'Nothing came.' })).complaint_id)
  const [lost, , handed] = complaints as [string, string, string]
  const decide = async (complaint_id: string, outcome: Outcome) => {
    const of = { complaint_id, versions: '*' as const }
    await app.run(boss, decideComplaint, { ...of, decision: { status: 'reviewed' } })
    await app.run(boss, decideComplaint, { ...of, decision: { status: 'resolved', outcome } })
  }
  await decide(lost, 'unfulfilled')
  await app.run(carla, answerTo, { complaint_id: handed, answer: 'It was sent.' })
  await decide(handed, 'fulfilled')
  const [{ block }] = (await app.run(carla, readOwnRecords, undefined)).data as [any]
  await app.run(carla, appealAgainst, { block_id: block.block_id, appeal: 'The post was on strike.' })
  await app.run(boss, decideAppeal, { block_id: block.block_id, decision: 'lifted', note: null })
  await later(3_600)
  await app.run(systemActor(boss.tenantId), failSilent, undefined)
}

/**
 * A raffle of seven tickets is drawn; a winner declines, and in the end a place is drawn again by two people. Of another
 * one a purchase is given back, and a number is held.
 */
async function raffleOff(
  app: App,
  checkpoints: Checkpoints,
  clock: { now(): Date; advance(duration_ms: number): Date },
  who: (userId: string, roles?: Role[]) => Actor,
): Promise<void> {
  const boss = who('boss', ['operator'])
  const report = (where: string, error: unknown) => {
    throw new Error(`the story failed in ${where}`, { cause: error })
  }
  const games = drawGames(DRAW_GAMES)
  const draws = makeDraws({ app, checkpoints, entropy: localEntropy, games, report })
  const raffle = makeRaffle({ app, draws })
  const campaigns = raffleResource()
  await app.run(
    boss,
    (tx: Tx) =>
      postTransfer(tx, {
        obligation: 'story:credit',
        transfer_type: 'story',
        postings: [
          { account_kind: 'house', owner_id: TENANT_OWNER, currency: 'EUR', amount_minor: -2_000 },
          { account_kind: 'wallet_credit', owner_id: 'alice', currency: 'EUR', amount_minor: 1_000 },
          { account_kind: 'wallet_credit', owner_id: 'bob', currency: 'EUR', amount_minor: 1_000 },
        ],
      }),
    undefined,
  )
  const prize = await app.run(
    boss,
    (tx: Tx) =>
      tx.one<{ id: number }>(
        `insert into gamification_prizes (name, type, value, created_at, updated_at) values ('Five', 'loyalty_points', '5', $1, $1) returning id`,
        [tx.now],
      ),
    undefined,
  )
  const at = (s: number) => new Date(clock.now().getTime() + s * 1000).toISOString()
  async function aRaffle(campaign_name: string): Promise<{ id: string; draw_id: string }> {
    const input = {
      campaign_name,
      campaign_description: null,
      campaign_type: 'raffle',
      is_public: true,
      ticket_price: 100,
      currency: 'EUR',
      total_tickets: 20,
      start_time: at(0),
      end_time: at(600),
      campaign_config: { bundles: [{ tickets: 3, pay_for: 2 }] },
      draws: [
        {
          draw_name: 'Only',
          draw_time: at(600),
          winning_tickets: 2,
          alternates: 1,
          prizes: [
            { prize_id: prize!.id, qty: 1 },
            { prize_id: null, qty: 1 },
          ],
        },
      ],
    }
    const made: any = await app.run(boss, campaigns.create, { input })
    await raffle.publish(boss, made.id)
    return { id: made.id, draw_id: made.draws[0].id }
  }
  const go = async (draw_id: string, s: number) => {
    clock.advance(s * 1_000)
    return draws.advance(boss.tenantId, draw_id)
  }
  const first = await aRaffle('First raffle')
  await raffle.buy(who('alice'), first.id, { request_id: 'story-1', quantity: 3 })
  await raffle.buy(who('bob'), first.id, { request_id: 'story-2', numbers: [7, 17] })
  await raffle
    .buy(who('carol-of-demo'), first.id, { request_id: 'story-3', quantity: 1 })
    .catch(() => undefined)
  await raffle.reserve(who('bob'), first.id, { request_id: 'story-4', quantity: 2 })
  await go(first.draw_id, 601)
  await go(first.draw_id, 120)
  for (let turn = 0; turn < 2; turn++)
    await app.run(boss, forfeitPlace, {
      draw_id: first.draw_id,
      place: turn === 0 ? 1 : 3,
      reason: 'Under age.',
      games,
    })
  await app.run(boss, askRedraw, { draw_id: first.draw_id, reason: 'Nobody is left.', games })
  const decision = { draw_id: first.draw_id, is_approved: true, games, entropy: localEntropy }
  const { new_draw_id } = await draws.promise(
    who('second-boss', ['operator']),
    decideOnRedraw,
    decision,
    (answer) => [answer.new_draw_id!],
  )
  await go(new_draw_id!, 61)
  await go(new_draw_id!, 120)
  await raffle.tidy(boss.tenantId)

  const second = await aRaffle('Second raffle')
  const bought = await raffle.buy(who('alice'), second.id, { request_id: 'story-5', quantity: 1 })
  await raffle.buy(who('bob'), second.id, { request_id: 'story-6', quantity: 2 })
  await app.run(boss, refundPurchase, { purchase_id: bought.answer.purchase_id, reason: 'A mistake.' })
}
