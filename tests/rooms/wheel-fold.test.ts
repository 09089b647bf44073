import assert from 'node:assert/strict'
import { type Decoder, Encoder, Metadata, Reflection } from '@colyseus/schema'
import fc from 'fast-check'
import { type GameSource, makeLiveGame } from '../../rooms/live-game.ts'
import { makeCrowds } from '../../rooms/spectators.ts'
import {
  applyToWheel,
  keepWheelTime,
  loadWheel,
  makeWheelView,
  RECENT_MAX,
  WheelSegment,
  WheelSpin,
  WheelState,
} from '../../rooms/wheel/state.ts'
import type { GameEvent } from '../../src/db/tx.ts'
import type { WheelSnapshot } from '../../src/games/wheel/read.ts'
import type { Hours } from '../../src/schedule.ts'
import { until } from './harness.ts'

const SEED = Number(process.env['TEST_SEED'] ?? 20261120)
const AT = '2026-11-20T12:00:00.000Z'

function aSnapshot(
  wish: Partial<WheelSnapshot> & {
    status?: string
    hours?: Partial<Hours>
  } = {},
): WheelSnapshot {
  const { status = 'live', hours = {}, ...rest } = wish
  return {
    version: 0,
    wheel: {
      id: 'w',
      slug: 'summer',
      name: 'Summer',
      description: null,
      status,
      config_version: 1,
      config_hash: 'c'.repeat(64),
      trust: 'commit',
      duration_ms: 4_000,
      hours: { time_zone: 'UTC', ...hours },
    },
    segments: [
      { slug: 'ten', label: '10% off', color: '#fff', weight: 1, share: '25%', exhausted: false },
      { slug: 'none', label: 'Try again', color: null, weight: 3, share: '75%', exhausted: false },
    ],
    total_weight: 4,
    recent: [],
    round: null,
    ...rest,
  }
}

const anEvent = (seq: number, type: string, data: Record<string, unknown>): GameEvent => ({
  tenantId: 't',
  gameId: 'w',
  seq,
  type,
  at: AT,
  data,
})

const aSpin = (seq: number, segment = seq % 2): GameEvent =>
  anEvent(seq, 'wheel.spun', {
    spin_id: `spin-${seq}`,
    player: `player-${seq % 7}`,
    segment,
    reward_slug: segment === 0 ? 'ten' : 'none',
    reward_label: segment === 0 ? '10% off' : 'Try again',
    won: segment === 0,
    landing: { starts_at: AT, duration_ms: 4_000, angle: 2_200.5 },
  })

const LANDING = { starts_at: '2026-11-20T12:00:05.000Z', duration_ms: 4_000, angle: 2_345.678 }
const openedRound = (seq: number, round_no: number) =>
  anEvent(seq, 'wheel.round_opened', {
    round_id: `r${round_no}`,
    round_no,
    commit_hash: `${round_no}`.repeat(64).slice(0, 64),
    trust: 'operator',
    opens_at: AT,
    closes_at: AT,
  })
const drawnRound = (seq: number, round_no: number) =>
  anEvent(seq, 'wheel.round_drawn', {
    round_id: `r${round_no}`,
    round_no,
    segment: 1,
    reward_slug: 'none',
    landing: LANDING,
    entry_count: 3,
  })
const settledRound = (seq: number, round_no: number) =>
  anEvent(seq, 'wheel.round_settled', { round_id: `r${round_no}`, round_no })

/** Seq numbers from 1 for a list of makers. */
const story = (makers: readonly ((seq: number) => GameEvent)[]): GameEvent[] =>
  makers.map((make, i) => make(i + 1))

const events = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant((seq: number) => aSpin(seq)) },
    fc
      .constantFrom('live', 'paused', 'ended')
      .map((status) => (seq: number) => anEvent(seq, 'wheel.status', { status })),
    fc.constant((seq: number) => anEvent(seq, 'wheel.exhausted', { reward_slug: 'ten' })),
    fc.integer({ min: 1, max: 3 }).map((no) => (seq: number) => openedRound(seq, no)),
    fc.integer({ min: 1, max: 3 }).map((no) => (seq: number) => drawnRound(seq, no)),
    fc.integer({ min: 1, max: 3 }).map((no) => (seq: number) => settledRound(seq, no)),
    fc.constant((seq: number) => anEvent(seq, 'wheel.something_new', { any: 1 })),
  ),
  { maxLength: 80 },
)

describe('the fold of a wheel', () => {
  it('the fields of the state keep their names and their places (H45)', () => {
    const fieldsOf = (of: object) => Object.entries(Metadata.getFields(of)).map(([name], i) => `${i} ${name}`)
    assert.deepEqual(fieldsOf(WheelState), [
      '0 phase', '1 serverTime', '2 version', '3 commitHash', '4 trust', '5 opensAt', '6 closesAt', '7 players',
      '8 spectators', '9 segments', '10 recent', '11 roundNo', '12 roundId', '13 roundStatus', '14 roundCommitHash',
      '15 roundClosesAt', '16 roundEntries', '17 landingStartsAt', '18 landingDurationMs', '19 landingAngle',
      '20 landingSegment', '21 checkpoint', '22 durationMs',
    ]) // biome-ignore format: one line of the protocol per row of numbers
    assert.deepEqual(fieldsOf(WheelSegment), ['0 slug', '1 label', '2 color', '3 weight', '4 exhausted'])
    assert.deepEqual(fieldsOf(WheelSpin), [
      '0 spinId',
      '1 player',
      '2 segment',
      '3 rewardSlug',
      '4 rewardLabel',
      '5 won',
      '6 at',
    ])
  })

  it('a shared spin is open, drawn and settled; its commitment stands in front while it runs and its landing stays', () => {
    const view = makeWheelView()
    loadWheel(view, aSnapshot())
    applyToWheel(view, [openedRound(1, 1)])
    assert.deepEqual(
      [view.state.commitHash, view.state.trust, view.state.roundStatus, view.state.landingSegment],
      ['1'.repeat(64), 'operator', 'open', -1],
    )
    applyToWheel(view, [drawnRound(2, 1)])
    assert.deepEqual(
      [
        view.state.roundStatus,
        view.state.landingStartsAt,
        view.state.landingDurationMs,
        view.state.landingAngle,
        view.state.landingSegment,
        view.state.roundEntries,
      ],
      ['drawn', Date.parse(LANDING.starts_at), 4_000, 2_345.678, 1, 3],
    )
    applyToWheel(view, [settledRound(3, 1)])
    assert.deepEqual(
      [view.state.roundStatus, view.state.commitHash, view.state.trust, view.state.landingAngle],
      ['settled', 'c'.repeat(64), 'commit', 2_345.678],
    )
    applyToWheel(view, [openedRound(4, 2)])
    assert.deepEqual(
      [view.state.landingStartsAt, view.state.landingAngle, view.state.roundEntries],
      [0, 0, 0],
    )
  })

  it('folding one by one, in pieces, or all at once gives the same state, and the newest twenty results are in it', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 30 }), (makers, size) => {
        const all = story(makers)
        const [single, pieces, whole] = [makeWheelView(), makeWheelView(), makeWheelView()]
        for (const view of [single, pieces, whole]) loadWheel(view, aSnapshot())
        for (const event of all) applyToWheel(single, [event])
        for (let at = 0; at < all.length; at += size) applyToWheel(pieces, all.slice(at, at + size))
        if (all.length > 0) applyToWheel(whole, all)
        assert.deepEqual(pieces.state.toJSON(), single.state.toJSON())
        assert.deepEqual(whole.state.toJSON(), single.state.toJSON())
        const spun = all.filter((event) => event.type === 'wheel.spun').map((event) => event.data['spin_id'])
        assert.deepEqual(
          whole.state.recent.map((spin) => spin.spinId),
          spun.reverse().slice(0, RECENT_MAX),
        )
        assert.equal(whole.state.version, all.length)
      }),
      { seed: SEED, numRuns: 100 },
    )
  })

  it('a client that decodes the patches holds what the server holds, after any story and any snapshot in it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(events, fc.boolean()), { maxLength: 8 }), (parts) => {
        const view = makeWheelView()
        loadWheel(view, aSnapshot())
        const encoder = new Encoder(view.state as never)
        const decoder = Reflection.decode(Reflection.encode(encoder)) as unknown as Decoder<any>
        decoder.decode(encoder.encodeAll())
        encoder.discardChanges()
        let version = 0
        for (const [makers, is_reloaded] of parts) {
          const next = makers.map((make, i) => make(version + i + 1))
          if (next.length > 0) applyToWheel(view, next)
          version += next.length
          if (is_reloaded) {
            const recent = view.state.recent.slice(0, 5).map((s) => ({
              spin_id: s.spinId,
              player: s.player,
              segment: s.segment,
              reward_slug: s.rewardSlug,
              reward_label: s.rewardLabel,
              won: s.won,
              at: s.at,
            }))
            loadWheel(view, aSnapshot({ version, recent }))
          }
          decoder.decode(encoder.encode())
          encoder.discardChanges()
          assert.deepEqual(decoder.state.toJSON(), view.state.toJSON())
        }
      }),
      { seed: SEED, numRuns: 60 },
    )
  })

  it('hostile names are values and never keys: the state survives them and stays JSON (H40, H42)', () => {
    for (const name of ['__proto__', 'constructor', 'toString', '\u0000', '<script>', '💥'.repeat(20), '']) {
      const view = makeWheelView()
      loadWheel(
        view,
        aSnapshot({
          segments: [
            { slug: name, label: name, color: name, weight: 2 ** 40, share: '100%', exhausted: false },
          ],
        }),
      )
      applyToWheel(view, [anEvent(1, 'wheel.spun', { ...aSpin(1).data, player: name, reward_label: name })])
      const json = JSON.parse(JSON.stringify(view.state))
      assert.deepEqual(
        [json.segments[0].label, json.segments[0].weight, json.recent[0].player],
        [name, 2 ** 40, name],
      )
    }
  })

  it('the phase follows the status first and the schedule then', () => {
    const at = Date.parse(AT)
    const phase = (wish: Parameters<typeof aSnapshot>[0], now_ms = at) => {
      const view = makeWheelView()
      loadWheel(view, aSnapshot(wish))
      keepWheelTime(view, new Date(now_ms))
      return view.state.phase
    }
    assert.equal(phase({}), 'open')
    assert.equal(phase({ hours: { opens_at: AT } }, at - 1), 'scheduled')
    assert.equal(phase({ hours: { opens_at: AT } }, at), 'open')
    assert.equal(phase({ hours: { closes_at: AT } }, at - 1), 'open')
    assert.equal(phase({ hours: { closes_at: AT } }, at), 'ended')
    assert.equal(phase({ status: 'paused', hours: { opens_at: AT } }, at - 1), 'paused')
    assert.equal(phase({ status: 'ended' }), 'ended')
  })

  it('S2-13 outside its hours of the day a wheel is scheduled, and shows when it opens next, by its newest version', () => {
    const view = makeWheelView()
    // Noon in UTC is 13:00 in Berlin, an hour after the window.
    const hours = { time_zone: 'Europe/Berlin', valid_from_time: '09:00', valid_until_time: '12:00' }
    loadWheel(view, aSnapshot({ hours }))
    const at = (now: string) => {
      keepWheelTime(view, new Date(now))
      return [view.state.phase, view.state.opensAt]
    }
    assert.deepEqual(at(AT), ['scheduled', '2026-11-21T08:00:00.000Z'])
    assert.deepEqual(at('2026-11-21T08:00:00Z'), ['open', ''])
    assert.deepEqual(at('2026-11-21T11:00:00Z'), ['scheduled', '2026-11-22T08:00:00.000Z'])
    const later = { ...hours, valid_from_time: '10:00' }
    applyToWheel(view, [
      anEvent(1, 'wheel.published', { ...aSnapshot().wheel, segments: [], hours: later, status: 'live' }),
    ])
    assert.deepEqual(at('2026-11-21T11:00:01Z'), ['scheduled', '2026-11-22T09:00:00.000Z'])
  })
})

/** A game in memory: a log that announces what and when the test says. */
function aGame() {
  const log: GameEvent[] = []
  let follower: (events: readonly GameEvent[]) => void = () => {}
  const reads: number[] = []
  const source: GameSource<WheelSnapshot> & { fails: boolean } = {
    fails: false,
    follow(given) {
      follower = given
      return () => {
        follower = () => {}
      }
    },
    snapshot: async () => snapshotOf(log.length),
    async since(version) {
      reads.push(version)
      if (source.fails) throw new Error('the database is away')
      return { version: log.length, events: log.slice(version) }
    },
  }
  const snapshotOf = (version: number) => {
    const view = makeWheelView()
    loadWheel(view, aSnapshot())
    if (version > 0) applyToWheel(view, log.slice(0, version))
    const recent = view.state.recent.map((s) => ({
      spin_id: s.spinId,
      player: s.player,
      segment: s.segment,
      reward_slug: s.rewardSlug,
      reward_label: s.rewardLabel,
      won: s.won,
      at: s.at,
    }))
    return aSnapshot({ version, recent })
  }
  const view = makeWheelView()
  const reports: unknown[] = []
  const game = makeLiveGame<WheelSnapshot>({
    source,
    fold: { load: (snapshot) => loadWheel(view, snapshot), apply: (given) => applyToWheel(view, given) },
    report: (_where, error) => reports.push(error),
  })
  return { log, reads, reports, source, view, game, announce: (...given: GameEvent[]) => follower(given) }
}

describe('following a game', () => {
  it('P-30 events in any order, some twice and some never announced, end in the state of the log', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.infiniteStream(fc.nat()),
        async (length, numbers) => {
          const next = () => numbers.next().value as number
          const { log, view, game, announce, source } = aGame()
          const before = next() % 5
          for (let seq = 1; seq <= before; seq++) log.push(aSpin(seq))
          await game.start()
          const later = Array.from({ length }, (_, i) => aSpin(before + 1 + i))
          log.push(...later)
          const announced = [...later, ...later.slice(0, next() % 4)].filter(() => next() % 5 !== 0)
          for (let i = announced.length - 1; i > 0; i--) {
            const j = next() % (i + 1)
            ;[announced[i], announced[j]] = [announced[j]!, announced[i]!]
          }
          let now_ms = 0
          const told: number[] = []
          const tick = () => {
            now_ms += 50
            told.push(...game.tick(now_ms).map((event) => event.seq))
            return game.version === log.length
          }
          source.fails = next() % 3 === 0
          for (const event of announced) {
            announce(event)
            if (next() % 3 === 0) tick()
          }
          source.fails = false
          // Nobody says that the last one happened when it was lost: then the look now and then finds it.
          now_ms += 40_000
          await until('the follower to have caught up', tick)
          assert.deepEqual(
            told,
            later.map((event) => event.seq),
          )
          assert.equal(view.state.recent[0]!.spinId, `spin-${log.length}`)
        },
      ),
      { seed: SEED, numRuns: 25 },
    )
  })

  it('waits a moment for an event that comes early before it reads the table', async () => {
    const { log, reads, game, announce } = aGame()
    await game.start()
    log.push(aSpin(1), aSpin(2), aSpin(3))
    announce(log[2]!, log[1]!)
    assert.deepEqual(game.tick(50), [])
    assert.deepEqual(game.tick(100), [])
    announce(log[0]!)
    assert.deepEqual(
      game.tick(200).map((event) => event.seq),
      [1, 2, 3],
    )
    assert.deepEqual(reads, [])
  })

  it('reads a gap once, and after a failure again but not at every tick', async () => {
    const { log, reads, reports, game, announce, source } = aGame()
    await game.start()
    log.push(aSpin(1), aSpin(2))
    announce(log[1]!)
    source.fails = true
    let now_ms = 0
    const tick = (later_ms: number) => {
      now_ms += later_ms
      game.tick(now_ms)
    }
    await until('the first read to have failed', () => {
      tick(10)
      return reports.length === 1
    })
    for (let i = 0; i < 50; i++) tick(10)
    assert.deepEqual(reads, [0])
    source.fails = false
    await until('the gap to be closed', () => {
      tick(50)
      return game.version === 2
    })
    assert.deepEqual(reads, [0, 0])
  })

  it('an event that is announced while the snapshot is read is folded once', async () => {
    const { log, view, game, announce, source } = aGame()
    log.push(aSpin(1))
    const read = source.snapshot
    source.snapshot = async () => {
      const snapshot = await read()
      log.push(aSpin(2))
      announce(log[0]!, log[1]!)
      return snapshot
    }
    await game.start()
    game.tick(50)
    assert.deepEqual(
      view.state.recent.map((spin) => spin.spinId),
      ['spin-2', 'spin-1'],
    )
    game.stop()
    announce(aSpin(3))
    assert.deepEqual(game.tick(100), [])
  })

  it('an event that cannot be folded is reported once, and a snapshot leads past it', async () => {
    const { log, view, game, announce, reports } = aGame()
    await game.start()
    log.push(aSpin(1))
    announce(anEvent(1, 'wheel.round_drawn', { landing: null }))
    let now_ms = 0
    const tick = () => {
      now_ms += 50
      game.tick(now_ms)
      return game.version === log.length
    }
    await until('the snapshot to be loaded', tick)
    assert.equal(reports.length, 1)
    log.push(aSpin(2))
    announce(log[1]!)
    await until('the next event to be folded', tick)
    assert.deepEqual(
      view.state.recent.map((spin) => spin.spinId),
      ['spin-2', 'spin-1'],
    )
    assert.equal(reports.length, 1)
  })

  it('S1-53 answers what came after a version from memory, and asks the table for what is older', async () => {
    const { log, reads, game, announce } = aGame()
    log.push(aSpin(1), aSpin(2))
    await game.start()
    log.push(aSpin(3), aSpin(4))
    announce(log[2]!, log[3]!)
    game.tick(50)
    const seqs = async (version: number) => {
      const missed = await game.since(version)
      assert.ok('events' in missed)
      return missed.events.map((event) => event.seq)
    }
    assert.deepEqual([await seqs(4), await seqs(3), await seqs(2)], [[], [4], [3, 4]])
    assert.deepEqual(reads, [])
    assert.deepEqual(await seqs(1), [2, 3, 4])
    assert.deepEqual(reads, [1])
  })
})

describe('counting a crowd', () => {
  it('P-31 10,000 viewers cost a look at each room and at nobody in it', () => {
    const crowds = makeCrowds()
    let looks = 0
    const rooms = Array.from({ length: 10 }, () => ({
      clients: {
        get length() {
          looks += 1
          return 1_000
        },
      },
    }))
    const leave = rooms.map((room) => crowds.enter('t', 'g', 'spectators', room))
    assert.deepEqual([crowds.of('t', 'g'), looks], [{ players: 0, spectators: 10_000 }, 10])
    assert.deepEqual([crowds.of('u', 'g'), crowds.of('t', 'h')], Array(2).fill({ players: 0, spectators: 0 }))
    for (const end of leave) end()
    assert.deepEqual([crowds.of('t', 'g'), looks], [{ players: 0, spectators: 0 }, 10])
  })
})
