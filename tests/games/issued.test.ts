/** What a spin leaves behind, and what everybody may see of it. */
import assert from 'node:assert/strict'
import { readMyPlays, readMySpins } from '../../src/games/wheel/history.ts'
import { readMonitor } from '../../src/games/wheel/read.ts'
import { wheelCreate } from '../../src/games/wheel/resource.ts'
import { fitOf } from '../../src/insight/statistics.ts'
import { type Stage, startStage } from './kit.ts'

describe('the record of a wheel', () => {
  let stage: Stage
  before(async () => {
    stage = await startStage()
  })
  after(() => stage.close())

  async function spin(user: string, wheel_id: string, count: number) {
    await stage.grant(user, count)
    const spins = Array.from({ length: count }, (_, i) =>
      stage.wheel.spin(stage.actor(user), { wheel_id, request_id: `${wheel_id}-${i}` }),
    )
    return (await Promise.all(spins)).map((each) => each.answer)
  }

  it('S1-10 the wheel is drawn from published data only: a reward that leaves it disappears, and the odds are new', async () => {
    await stage.aWheel({
      slug: 'leaves',
      rewards: [
        { slug: 'ten', probability: '0.25', prize: {} },
        { slug: 'free', probability: '0.25', prize: {} },
        { slug: 'none', probability: '0.5' },
      ],
    })
    const player = stage.actor('alice')
    const before = await stage.wheel.odds(player, 'leaves')
    assert.deepEqual(
      before.segments.map((each) => [each.reward_slug, each.share]),
      [
        ['ten', '25%'],
        ['free', '25%'],
        ['none', '50%'],
      ],
    )

    const ten = (await stage.rows(`select prize_id from wheel_rewards where reward_slug = 'ten'`))[0].prize_id
    const { rewards } = wheelCreate.parse({
      wheel_name: 'Leaves',
      wheel_slug: 'leaves',
      rewards: [
        { reward_slug: 'ten', reward_label: 'Ten', probability: '0.3', prize_id: ten },
        { reward_slug: 'none', reward_label: 'None', probability: '0.7' },
      ],
    })
    await stage.edit('leaves', { rewards })
    assert.deepEqual(await stage.wheel.odds(player, 'leaves'), before, 'a draft changes nothing')

    await stage.wheel.publish(stage.boss(), 'leaves')
    const after = await stage.wheel.odds(player, 'leaves')
    assert.equal(after.config_version, before.config_version + 1)
    assert.notEqual(after.config_hash, before.config_hash)
    assert.deepEqual(
      after.segments.map((each) => [each.reward_slug, each.share]),
      [
        ['ten', '30%'],
        ['none', '70%'],
      ],
    )
    const shown = await stage.wheel.snapshot(player, 'leaves')
    assert.deepEqual(
      shown.segments.map((each) => each.slug),
      ['ten', 'none'],
    )
  })

  it('S1-14 each completed spin has exactly one final result, and the history lists it once, newest first', async () => {
    const wheel_id = await stage.aWheel({ slug: 'history' })
    const answers = await spin('bob', wheel_id, 30)
    const results = await stage.rows(
      `select s.id, count(r.id)::int as results, min(r.result_status) as status, min(r.claim_status) as claim, bool_and((r.win_status = 'won') = (r.claim_status = 'unclaimed')) as agrees
       from spin_sessions s left join spin_results r on r.spin_session_id = s.id
       where s.wheel_game_id = $1 group by s.id`,
      [wheel_id],
    )
    assert.equal(results.length, 30)
    for (const row of results) assert.deepEqual([row.results, row.status, row.agrees], [1, 'final', true])

    const listed: string[] = []
    let cursor: string | undefined
    do {
      const input = { game: 'history', limit: 7, ...(cursor !== undefined && { cursor }) }
      const page = await stage.app.run(stage.actor('bob'), readMySpins, input)
      listed.push(...page.data.map((each) => each.spin_id))
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined)
    assert.equal(listed.length, 30, 'no page skips or repeats')
    assert.deepEqual(new Set(listed), new Set(answers.map((each) => each.spin_id)))
  })

  it('S2-14 a win is a locked prize with a code that expires seven days on, committed with its result; a loss has none', async () => {
    const wheel_id = await stage.aWheel({
      slug: 'issues',
      rewards: [
        { slug: 'ten', probability: '0.5', prize: {} },
        { slug: 'none', probability: '0.5' },
      ],
    })
    const answers = await spin('carol', wheel_id, 40)
    const plays = await stage.rows(
      `select p.*, r.win_status, p.xmin::text = r.xmin::text as together from gamification_game_plays p
       join spin_results r on r.spin_session_id = p.event_id where p.user_id = 'carol'`,
    )
    assert.equal(plays.length, 40, 'S2-01 a losing play is a play')
    const won = plays.filter((play) => play.win_status === 'won')
    assert.equal(won.length, answers.filter((each) => each.won).length)
    assert.ok(won.length > 0 && won.length < 40)
    for (const play of plays) {
      assert.ok(play.together, 'one transaction wrote result and play')
      assert.equal(play.is_winner, play.win_status === 'won')
      assert.equal(play.prize_id !== null, play.is_winner)
    }
    for (const play of won) {
      assert.equal(play.prize_status, 'locked')
      assert.match(play.prize_code, /^[0-9A-HJKMNP-TV-Z]{8}$/)
      assert.equal(play.expires_at - play.created_at, 7 * 86_400_000)
    }
    assert.equal(new Set(won.map((play) => play.prize_code)).size, won.length)
  })

  it('S2-04 a locked prize shows neither name nor value nor type in the list of plays', async () => {
    const wheel_id = await stage.aWheel({
      slug: 'hides',
      rewards: [{ slug: 'ten', probability: '1', prize: { type: 'in_kind' } }],
    })
    await spin('dora', wheel_id, 2)
    const { data } = await stage.app.run(stage.actor('dora'), readMyPlays, { limit: 10, won_only: true })
    assert.equal(data.length, 2)
    assert.doesNotMatch(JSON.stringify(data), /in_kind|A in_kind/)
    for (const play of data)
      assert.deepEqual([play.prize_status, play.prize_name, play.display_value], ['locked', null, null])
  })

  it('P-48 the monitor counts what was rolled under the version in force beside what was promised', async () => {
    const wheel_id = await stage.aWheel({ slug: 'watched' })
    const answers = await spin('erin', wheel_id, 60)
    const seen = await stage.app.run(stage.actor('erin'), readMonitor, {
      game: 'watched',
      versions: stage.wheel.versions,
    })
    assert.equal(seen.spins, 60)
    assert.deepEqual(
      seen.observed,
      seen.version.config.segments.map(
        (segment) => answers.filter((each) => each.reward_slug === segment.id).length,
      ),
    )
    const fit = fitOf(seen.observed, seen.version.odds.weights)
    assert.equal(fit.degrees_of_freedom, 1)
    assert.ok(Number(fit.p_value) > 0 && Number(fit.p_value) <= 1)
  })
})
