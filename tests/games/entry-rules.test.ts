/** Who may enter a game, who enters it more than once, and what they are told about it (P-06). */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { tellFacts } from '../../src/customers/facts.ts'
import { readList } from '../../src/draws/read.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import {
  bonusOf,
  type EntryFacts,
  type EntryRules,
  entryRulesSchema,
  entrySentences,
  judgeEntry,
} from '../../src/games/guess/entry-rules.ts'
import { readEligibility, readMyGuesses } from '../../src/games/guess/games.ts'
import { readTranscript } from '../../src/proofs/transcripts.ts'
import { type GuessStage, startGuessing } from './guess-kit.ts'
import { codesOf, refusalOf, tally } from './kit.ts'

const NOBODY: EntryFacts = { order_count: null, segments: [], is_maker: false, last_won_at: null }
const NOW = new Date('2026-06-15T10:00:00Z')
const DAY_MS = 86_400_000

describe('entry rules', () => {
  const bonus = (mode: 'cumulative' | 'best'): EntryRules => ({
    bonus: {
      mode,
      entries: [
        { label: 'regular', min_orders: 3, entries: 1 },
        { label: 'vip', segment: 'vip', entries: 2 },
        { label: 'vip-regular', segment: 'vip', min_orders: 3, entries: 2 },
      ],
    },
  })

  for (const [rule, rules, met, unmet] of [
    ['min_orders', { min_orders: 3 }, { order_count: 3 }, { order_count: 2 }],
    ['min_orders', { min_orders: 1 }, { order_count: 1 }, { order_count: null }],
    ['any_segment', { any_segment: ['vip', 'gold'] }, { segments: ['gold', 'x'] }, { segments: ['x'] }],
    ['no_segment', { no_segment: ['staff'] }, { segments: ['vip'] }, { segments: ['vip', 'staff'] }],
    ['no_makers', { no_makers: true }, {}, { is_maker: true }],
    [
      'winner_cooldown_days',
      { winner_cooldown_days: 30 },
      { last_won_at: new Date(NOW.getTime() - 30 * DAY_MS) },
      { last_won_at: new Date(NOW.getTime() - 30 * DAY_MS + 1) },
    ],
  ] as const) {
    it(`P-06 ${rule} is met by ${JSON.stringify(met)} and not by ${JSON.stringify(unmet)}, and says what it asks`, () => {
      const ask = (facts: object) => judgeEntry({ eligibility: rules as never }, { ...NOBODY, ...facts }, NOW)
      const [yes] = ask(met)
      const [no] = ask(unmet)
      assert.deepEqual([yes!.rule, yes!.is_met, no!.is_met, ask(met).length], [rule, true, false, 1])
      assert.match(no!.says, /^[A-Z].*\.$/)
    })
  }

  it('P-06 a rule names what it requires, what the user has, and from when time heals it', () => {
    const won = new Date(NOW.getTime() - 10 * DAY_MS - 1)
    const eligibility = {
      min_orders: 5,
      any_segment: ['vip'],
      winner_cooldown_days: 30,
    }
    const facts = { ...NOBODY, order_count: 2, segments: ['other'], last_won_at: won }
    assert.deepEqual(
      judgeEntry({ eligibility }, facts, NOW).map(({ rule, required, actual, possible_from }) => [
        rule,
        required,
        actual,
        possible_from,
      ]),
      [
        ['min_orders', 5, 2, null],
        ['any_segment', ['vip'], [], null],
        ['winner_cooldown_days', 30, 10, new Date(won.getTime() + 30 * DAY_MS).toISOString()],
      ],
      'groups that no rule asks for are not told',
    )
  })

  it('P-06 a bonus is the sum of what applies, or the best of it, of equals the first', () => {
    const facts = { ...NOBODY, order_count: 3, segments: ['vip'] }
    assert.deepEqual(
      [bonusOf(bonus('cumulative'), facts)!.entries, bonusOf(bonus('best'), facts)!.entries],
      [5, 2],
    )
    assert.deepEqual(bonusOf(bonus('best'), facts)!.granted, [{ label: 'vip', entries: 2 }])
    assert.deepEqual(bonusOf(bonus('cumulative'), { ...facts, order_count: 2 })!.granted, [
      { label: 'vip', entries: 2 },
    ])
    for (const mode of ['cumulative', 'best'] as const)
      assert.deepEqual(bonusOf(bonus(mode), NOBODY)!.granted, [])
    assert.equal(bonusOf(null, facts), null)
  })

  it('P-06 rules that say nothing, twice the same, or without a condition are no rules', () => {
    const one = { label: 'a', entries: 1, segment: 'vip' }
    for (const wrong of [
      {},
      { eligibility: {} },
      { eligibility: { min_orders: 0 } },
      { eligibility: { no_makers: false } },
      { eligibility: { any_segment: [] } },
      { eligibility: { any_segment: ['Not A Name'] } },
      { eligibility: { script: 'return true' } },
      { bonus: { mode: 'best', entries: [] } },
      { bonus: { mode: 'best', entries: [{ label: 'a', entries: 1 }] } },
      { bonus: { mode: 'best', entries: [one, { ...one, entries: 2 }] } },
      { bonus: { mode: 'best', entries: [{ ...one, entries: 21 }] } },
    ])
      assert.equal(entryRulesSchema.safeParse(wrong).success, false, JSON.stringify(wrong))
    assert.ok(entryRulesSchema.safeParse({ ...bonus('best'), eligibility: { min_orders: 1 } }).success)
  })

  it('P-06 everybody can read the rules as sentences', () => {
    assert.deepEqual(entrySentences({ ...bonus('best'), eligibility: { min_orders: 1, no_makers: true } }), [
      'At least 1 completed order.',
      'Nobody who makes the game: neither its creator nor a member of its company.',
      '1 more entry from 3 completed orders on.',
      '2 more entries for the group vip.',
      '2 more entries from 3 completed orders on and for the group vip.',
      'Of these the best one counts.',
    ])
    assert.deepEqual(entrySentences(null), [])
  })
})

describe('games with entry rules', function () {
  this.timeout(60_000)
  let stage: GuessStage
  before(async () => {
    stage = await startGuessing()
  })
  after(async () => {
    await stage.close()
  })

  let version = 0
  const tell = (user_id: string, order_count: number, segments: string[] | null = null) =>
    stage.app.run(stage.actor('shop', 'demo', ['service']), tellFacts, {
      user_id,
      order_count,
      segments,
      source_version: ++version,
    })
  const eligibility = (game_id: string, user: string) =>
    stage.app.run(stage.actor(user), readEligibility, { game_id })
  const leavesOf = async (game_id: string) => {
    const { draw } = await stage.read(game_id)
    const page = { draw_id: draw!.draw_id, from: 0, limit: 100 }
    return (await stage.inTenant((tx) => readList(tx, page))).data
  }
  const verified = async (game_id: string) => {
    const { draw } = await stage.read(game_id)
    const text = await stage.inTenant((tx) => readTranscript(tx, { event_id: draw!.draw_id }))
    return verifyText(text, { keys: { [stage.keys.kid]: Buffer.from(stage.keys.publicKey).toString('hex') } })
  }

  it('P-06 who is not eligible is told exactly why before entering, and the refusal says the same', async () => {
    const entry_rules = { eligibility: { min_orders: 3, any_segment: ['vip'], no_segment: ['staff'] } }
    const id = await stage.aGame({ entry_rules })
    const view = await stage.read(id)
    assert.deepEqual([view.entry_rules, view.entry_says.length], [entry_rules, 3])
    assert.deepEqual(view.draw!.config['entryRules'], entry_rules, 'the rules are part of what is promised')

    await tell('alice', 1, ['vip', 'staff'])
    const before = await eligibility(id, 'alice')
    assert.deepEqual(
      [before.is_eligible, before.rules.map(({ rule, is_met }) => [rule, is_met])],
      [
        false,
        [
          ['min_orders', false],
          ['any_segment', true],
          ['no_segment', false],
        ],
      ],
    )
    const { code, detail } = await refusalOf(stage.enter(id, 'alice', 7))
    assert.equal(code, 'not_eligible')
    assert.deepEqual(
      detail.facts.rules,
      before.rules.filter(({ is_met }) => !is_met),
    )
    assert.equal((await stage.read(id)).entry_count, 0)

    await tell('alice', 3, ['vip'])
    assert.equal((await eligibility(id, 'alice')).is_eligible, true)
    await stage.enter(id, 'alice', 7)
    assert.equal((await refusalOf(stage.enter(id, 'stranger', 7))).code, 'not_eligible')
  })

  it('P-06 makers stay out where the game says so: its creator and the members of its company', async () => {
    const company_id = randomUUID()
    await stage.inTenant(async (tx) => {
      await tx.rows(
        `insert into companies (id, company_name, created_at, updated_at) values ($1, 'Makers Ltd', $2, $2)`,
        [company_id, tx.now],
      )
      for (const member of ['carla', 'mia'])
        await tx.rows('insert into company_members (company_id, user_id, created_at) values ($1, $2, $3)', [
          company_id,
          member,
          tx.now,
        ])
    })
    const id = await stage.aGame({ company_id, entry_rules: { eligibility: { no_makers: true } } })
    for (const maker of ['carla', 'mia'])
      assert.equal((await refusalOf(stage.enter(id, maker, 7))).code, 'not_eligible')
    await stage.enter(id, 'nadia', 7)
  })

  it('P-06 I30 a winner waits, from the moment on at which the win was shown to everybody and no sooner', async () => {
    const rules = { entry_rules: { eligibility: { winner_cooldown_days: 7 } } }
    const won = await stage.aGame({ mode: 'draw' })
    await stage.enter(won, 'wanda', null)
    await stage.pass(61)
    assert.equal((await stage.read(won)).status, 'drawn')
    const first = await stage.aGame(rules)
    assert.equal((await eligibility(first, 'wanda')).is_eligible, true, 'it would tell who won')
    await stage.pass(30)
    assert.equal((await stage.read(won)).status, 'settled')
    const { rules: verdicts } = await eligibility(first, 'wanda')
    assert.deepEqual([verdicts[0]!.is_met, verdicts[0]!.actual], [false, 0])
    assert.equal((await refusalOf(stage.enter(first, 'wanda', 7))).code, 'not_eligible')
    stage.clock.advance(Date.parse(verdicts[0]!.possible_from!) - stage.clock.now().getTime())
    const later = await stage.aGame(rules)
    await stage.enter(later, 'wanda', 7)
  })

  it('P-06 bonus entries are leaves of the one list, labelled, each with a receipt, and their owner still wins once', async () => {
    const id = await stage.aGame({
      mode: 'draw',
      number_of_winners: 3,
      entry_rules: {
        bonus: {
          mode: 'cumulative',
          entries: [
            { label: 'regular', min_orders: 3, entries: 1 },
            { label: 'vip', segment: 'vip', entries: 2 },
          ],
        },
      },
    })
    await tell('zoe', 5, ['vip'])
    await stage.enter(id, 'ann', null)
    const answer = await stage.enter(id, 'zoe', null, 'once')
    await stage.enter(id, 'ben', null)
    assert.deepEqual(
      answer.bonus_entries.map(({ label, entry_index }) => [label, entry_index]),
      [
        ['regular', 2],
        ['vip', 3],
        ['vip', 4],
      ],
    )
    assert.equal(new Set(answer.bonus_entries.map(({ receipt }) => receipt)).size, 3)
    assert.deepEqual(await stage.enter(id, 'zoe', null, 'once'), answer, 'the same bytes again')
    assert.equal((await refusalOf(stage.enter(id, 'zoe', null))).code, 'no_guesses_left')
    const mine = await stage.app.run(stage.actor('zoe'), readMyGuesses, { game_id: id })
    assert.deepEqual(
      mine.map(({ bonus, entry_index }) => [bonus, entry_index]),
      [
        [null, 1],
        ['regular', 2],
        ['vip', 3],
        ['vip', 4],
      ],
    )
    await stage.toTheEnd()
    const leaves = await leavesOf(id)
    assert.deepEqual(
      leaves.map((leaf) => leaf['b'] ?? null),
      [null, null, 'regular', 'vip', 'vip', null],
    )
    assert.equal(new Set(leaves.slice(1, 5).map(({ e }) => e)).size, 1, 'one entrant')
    for (const { receipt, entry_index } of answer.bonus_entries) {
      const signed = JSON.parse(Buffer.from(receipt.split('.')[1]!, 'base64url').toString())
      assert.equal(signed.i, entry_index)
    }
    const winners = await stage.rows(
      'select user_id from draw_winners w join games g on g.draw_id = w.draw_id where g.id = $1',
      [id],
    )
    assert.deepEqual(winners.map(({ user_id }) => user_id).sort(), ['ann', 'ben', 'zoe'])
    assert.equal((await verified(id)).status, 'verified')
    await stage.assertClean()
  })

  it('P-06 F13 fifty entries at once of one user bring the bonus once, at whatever process', async () => {
    const id = await stage.aGame({
      mode: 'draw',
      entry_rules: { bonus: { mode: 'best', entries: [{ label: 'vip', segment: 'vip', entries: 3 }] } },
    })
    await tell('max', 0, ['vip'])
    const other = stage.serve(stage.aProcess()).guess
    const settled = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) =>
        (i % 2 ? stage.guess : other).guess(stage.actor('max'), {
          game_id: id,
          request_id: `r${i}`,
          value: null,
        }),
      ),
    )
    assert.deepEqual(tally(codesOf(settled)), { ok: 1, no_guesses_left: 49 })
    assert.equal((await stage.read(id)).draw!.entry_count, 4)
  })

  it('P-06 in a game that is guessed at, a bonus is more guesses, and needs a policy that counts them', async () => {
    const entry_rules = {
      bonus: { mode: 'best', entries: [{ label: 'regular', min_orders: 3, entries: 2 }] },
    }
    const refused = await refusalOf(stage.aDraft({ entry_rules }))
    assert.deepEqual(
      [refused.code, refused.detail.errors[0].pointer],
      ['invalid_input', '/entry_rules/bonus'],
    )
    const id = await stage.aGame({ entry_rules, guess_policy: 'n_per_user', guesses_per_user: 1 })
    await tell('lea', 3)
    const first = await stage.enter(id, 'lea', 1)
    assert.deepEqual([first.guesses_left, first.bonus_entries], [2, []])
    for (const value of [2, 3]) await stage.enter(id, 'lea', value)
    assert.equal((await refusalOf(stage.enter(id, 'lea', 4))).code, 'no_guesses_left')
    await stage.enter(id, 'noa', 1)
    assert.equal((await refusalOf(stage.enter(id, 'noa', 2))).code, 'no_guesses_left')
  })

  it('P-06 no SQL of the application changes the rules of a published game', async () => {
    const id = await stage.aGame({ entry_rules: { eligibility: { min_orders: 3 } } })
    await assert.rejects(
      stage.inTenant((tx) => tx.rows(`update games set entry_rules = null where id = '${id}'`)),
      { code: '55000' },
    )
  })
})
