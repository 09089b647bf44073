/**
 * What every game of the registry keeps, shown on every sample that it names, through the doors of the real server: a game
 * that gets its line in src/games/index.ts is tested here before its author writes a test.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { Client, type Room } from '@colyseus/sdk'
import type { Config, Leaf, Transcript } from '../../src/fairness/transcript.ts'
import { verifyText } from '../../src/fairness/verify.ts'
import type { ClosingGame, GameSample } from '../../src/games/game.ts'
import { DRAW_GAMES, GAMES } from '../../src/games/index.ts'
import { ask, made, makePlace, type Place, type Server } from '../chaos/server.ts'
import { startDraws, users } from '../draws/kit.ts'
import { LOTS } from '../draws/lots.ts'
import { assertEngine } from './engine-contract.ts'
import { eventually, refusalOf } from './kit.ts'

/** Who writes a game plays it alone: CONTRACT_GAME=coin. */
const ONLY = process.env['CONTRACT_GAME']
const PLAYED = GAMES.filter(({ name }) => ONLY === undefined || name === ONLY)

/** The first of them enter over HTTP, the others by the room. */
const BY_HTTP = 3
const BY_ROOM = 2
const PATIENCE_MS = 60_000
const HOUR_MS = 3_600_000
const FOLDERS = (name: string) => [
  `../../src/games/${name}/README.md`,
  `../../src/games/${name}/game.ts`,
  `../../rooms/${name}/room.ts`,
  `../../rooms/${name}/state.ts`,
]
const at = (path: string) => new URL(path, import.meta.url)

/** Somebody in a room, and everything that came over the wire to them until the game was settled. */
type Seated = { room: Room<any, any>; frames: Buffer[] }

/** One sample, as it is played. */
type Play = {
  game: ClosingGame
  sample: GameSample
  id: string
  draw_id: string
  record: string
  /** What each player was answered, by number. */
  answers: string[]
  refused: { by: string; code: string; status: number }[]
  seats: Seated[]
  watcher: Seated
  /** Public pages that were read before the end. */
  pages: string[]
  /** Every list of winners that a state held before the first was to be shown. */
  early: unknown[]
}

describe('every game of the registry', function () {
  this.timeout(180_000)
  const place: Place = makePlace({ TEST_CLOCK: '1' })
  const plays: Play[] = []
  let server: Server
  let boss: string
  const rows = (text: string, ...values: unknown[]) => place.rows(text, values)
  const userOf = (play: Play, n: number) => `contract-${plays.indexOf(play)}-${n}`
  const player = (play: Play, n: number) => place.token(userOf(play, n), ['player'])
  const forward = async (duration: string): Promise<Date> =>
    new Date((await made(server, 'test/clock', '', { advance: duration })).now)

  before(async () => {
    server = await place.start()
    await made(server, 'tenants', await place.token('root', ['platform'], null), {
      tenant_code: 'chaos',
      tenant_name: 'Contract',
    })
    boss = await place.token('boss', ['operator'])
    const now = (await forward('PT0S')).getTime()
    const times = {
      opens_at: new Date(now - 1_000).toISOString(),
      closes_at: new Date(now + HOUR_MS).toISOString(),
    }
    for (const game of PLAYED) for (const sample of game.samples) plays.push(await begin(game, sample, times))
    for (const play of plays) await enterAll(play)
    await forward('PT1H')
    for (const play of plays) await enterLate(play)
    for (const play of plays) await drawnAt(play, 'drawn', 'settled')
    for (const play of plays) play.pages.push((await ask(server, 'get', `draws/${play.draw_id}`)).text)
    await forward('PT10M')
    for (const play of plays) {
      await drawnAt(play, 'settled')
      await eventually(
        'the end on the screens',
        async () => play.watcher.room.state.phase === 'settled',
        PATIENCE_MS,
      )
    }
  })
  after(async () => {
    for (const { seats, watcher } of plays)
      for (const { room } of [...seats, watcher]) await room.leave().catch(() => {})
    await place.remove()
  })

  async function begin(
    game: ClosingGame,
    sample: GameSample,
    times: { opens_at: string; closes_at: string },
  ) {
    const { path, body } = sample.create(times)
    const { id } = await made(server, path, boss, body)
    const publish = sample.publish(id)
    await made(server, publish.path, boss, publish.body ?? {})
    const [draw] = await rows('select id, game, status from draws where game_id = $1', id)
    assert.ok(draw !== undefined, `${game.name}: publishing made no draw of the game ${id}`)
    assert.equal(draw.status, 'open', `${game.name}: ${sample.says}`)
    const play: Play = {
      game,
      sample,
      id,
      draw_id: draw.id,
      record: draw.game,
      answers: [],
      refused: [],
      seats: [],
      watcher: await seat(game.name, { tenant: 'chaos', game: id, spectate: true }),
      pages: [],
      early: [],
    }
    play.watcher.room.onStateChange((state) => {
      // Before the draw: a later list is shown at its times, which is the draw's business (tests/draws).
      if (['scheduled', 'open', 'closed', 'drawing'].includes(state.phase))
        play.early.push(...winnersIn(state.toJSON()))
    })
    return play
  }

  async function seat(name: string, options: object, token?: string): Promise<Seated> {
    const client = new Client<any>(server.url.replace('http', 'ws'))
    if (token !== undefined) client.auth.token = token
    const room = await client.joinOrCreate(name, options)
    room.reconnection.enabled = false
    room.onMessage('*', () => {})
    const frames: Buffer[] = []
    const { ws } = room.connection.transport as unknown as { ws: WebSocket }
    ws.addEventListener('message', ({ data }) => {
      if (room.state.phase !== 'settled') frames.push(Buffer.from(data as ArrayBuffer))
    })
    return { room, frames }
  }

  /** Over HTTP and by the room, each twice with one key. */
  async function enterAll(play: Play): Promise<void> {
    const { game, sample, id } = play
    const index = plays.indexOf(play)
    for (let n = 0; n < BY_HTTP; n++) {
      const { path, body } = sample.enter(id, n, `h-${n}`)
      const token = await player(play, n)
      const first = await ask(server, 'post', path, { token, body, key: `${index}-h-${n}` })
      assert.ok(first.status === 200 || first.status === 201, `${path}: ${first.status} ${first.text}`)
      const again = await ask(server, 'post', path, { token, body, key: `${index}-h-${n}` })
      assert.deepEqual(
        [again.status, again.text],
        [first.status, first.text],
        'the same key, the same answer',
      )
      play.answers.push(first.text)
    }
    for (let n = BY_HTTP; n < BY_HTTP + BY_ROOM; n++) {
      const seated = await seat(game.name, { game: id }, await player(play, n))
      const { type, payload } = sample.message(n, `m-${n}`)
      const first = await seated.room.request(type, payload)
      assert.deepEqual(await seated.room.request(type, payload), first, 'the same request, the same answer')
      play.seats.push(seated)
      play.answers.push(JSON.stringify(first))
    }
    const { path, body } = sample.enter(id, 9, 'nobody')
    const spectator = await place.token('somebody', ['spectator'])
    for (const [by, token] of [
      ['nobody', undefined],
      ['a spectator', spectator],
    ] as const) {
      const { status, body: answer } = await ask(server, 'post', path, {
        body,
        key: 'nobody',
        ...(token && { token }),
      })
      play.refused.push({ by, code: answer.code, status })
    }
    const { type, payload } = sample.message(9, 'watching')
    play.refused.push({
      by: 'who watches',
      code: await roomRefusal(play.watcher.room, type, payload),
      status: 0,
    })
  }

  async function enterLate(play: Play): Promise<void> {
    const { path, body } = play.sample.enter(play.id, 8, 'late')
    const { status, body: answer } = await ask(server, 'post', path, {
      token: await player(play, 8),
      body,
      key: 'late',
    })
    play.refused.push({ by: 'late over HTTP', code: answer.code, status })
    const { type, payload } = play.sample.message(BY_HTTP, 'late')
    play.refused.push({
      by: 'late by the room',
      code: await roomRefusal(play.seats[0]!.room, type, payload),
      status: 0,
    })
  }

  const roomRefusal = (room: Room<any, any>, type: string, payload: object): Promise<string> =>
    room.request(type, payload).then(
      (answer) => assert.fail(`not refused: ${JSON.stringify(answer)}`),
      (error) => error.reason.code as string,
    )

  async function drawnAt(play: Play, ...wanted: string[]): Promise<void> {
    await eventually(
      `${play.game.name}: ${wanted.join(' or ')}`,
      async () => wanted.includes((await ask(server, 'get', `draws/${play.draw_id}`)).body.status),
      PATIENCE_MS,
    )
  }

  const transcriptOf = async (play: Play): Promise<{ text: string; told: Transcript }> => {
    const { text } = await ask(server, 'get', `verify/${play.draw_id}`)
    return { text, told: JSON.parse(text) as Transcript }
  }

  const each = (title: string, check: (play: Play) => void | Promise<void>) =>
    it(title, async () => {
      assert.ok(plays.length > 0 && plays.length >= PLAYED.length)
      for (const play of plays) {
        try {
          await check(play)
        } catch (error) {
          ;(error as Error).message = `${play.game.name}, ${play.sample.says}: ${(error as Error).message}`
          throw error
        }
      }
    })

  it('has its folder, its room and its README under one name, and names that are its own', () => {
    for (const { name } of GAMES) {
      for (const path of FOLDERS(name)) assert.ok(existsSync(at(path)), `${name} has no ${path}`)
      const readme = readFileSync(at(FOLDERS(name)[0]!), 'utf8')
      for (const part of [/for a player/i, /verify/i]) assert.match(readme, part, name)
    }
    for (const names of [GAMES.map((game) => game.name), DRAW_GAMES.map((game) => game.game)])
      assert.equal(new Set(names).size, names.length)
  })

  it('has a sample of every draw that it names', () => {
    assert.deepEqual(
      [...new Set(plays.map((play) => play.record))].sort(),
      PLAYED.flatMap(({ draws }) => draws.map(({ game }) => game)).sort(),
    )
    for (const { game, record } of plays)
      assert.ok(
        game.draws.some((draw) => draw.game === record),
        record,
      )
  })

  each('takes each player once for each key, whichever door they came by', async (play) => {
    const [draw] = await rows('select entry_count from draws where id = $1', play.draw_id)
    const entrants = await rows(
      'select user_id, count(*)::int as entries from draw_entries where draw_id = $1 group by 1',
      play.draw_id,
    )
    assert.equal(entrants.length, BY_HTTP + BY_ROOM)
    assert.equal(
      new Set(entrants.map((each) => each.entries)).size,
      1,
      'an entry by the room is what one over HTTP is',
    )
    assert.equal(
      draw.entry_count,
      entrants.reduce((sum, { entries }) => sum + entries, 0),
    )
  })

  each('lets nobody act who only watches', ({ refused }) => {
    const of = (by: string) => refused.find((each) => each.by === by)!
    assert.equal(of('nobody').status, 401)
    assert.equal(of('a spectator').status, 403)
    assert.equal(of('who watches').code, 'spectator_read_only')
  })

  each('refuses who comes after the close by the clock, at every door alike', ({ refused }) => {
    const late = refused.filter(({ by }) => by.startsWith('late'))
    assert.deepEqual(
      late.map(({ status }) => status),
      [409, 0],
    )
    assert.equal(late[0]!.code, late[1]!.code)
    assert.match(late[0]!.code, /_not_open$|closed$/)
  })

  each(
    'is committed to before the first entry and sealed before the outcome, in this order of the public log',
    async (play) => {
      const log = await rows(
        `select l.type, l.seq from fair_log l join draws d on d.commit_hash = l.commit_hash and d.tenant_id = l.tenant_id
       where d.id = $1 order by l.seq`,
        play.draw_id,
      )
      assert.deepEqual(
        log.map((each) => each.type),
        ['commit', 'root', 'result', 'reveal'],
      )
      const [{ is_before }] = await rows(
        `select c.created_at <= min(e.created_at) as is_before from draws d join fair_commitments c on c.commit_hash = d.commit_hash
       join draw_entries e on e.draw_id = d.id where d.id = $1 group by c.created_at`,
        play.draw_id,
      )
      assert.equal(is_before, true)
    },
  )

  each('can be recomputed by anybody from what is public', async (play) => {
    const { text, told } = await transcriptOf(play)
    const verdict = verifyText(text)
    assert.equal(verdict.status, 'verified', JSON.stringify(verdict))
    const list = (await ask(server, 'get', `draws/${play.draw_id}/entries?limit=100`)).body.data as Leaf[]
    assert.deepEqual(list, told.entries!.list)
  })

  it('is verified by the command that anybody can run, with the keys that the server publishes', async () => {
    const ends = await Promise.all(
      PLAYED.map(({ name }) => {
        const { draw_id } = plays.find((play) => play.game.name === name)!
        return place.command('verify', `${server.url}/api/v1/verify/${draw_id}`)
      }),
    )
    for (const { code, text } of ends) assert.equal(code, 0, text)
  })

  each(
    'S2-56 has an engine that keeps the contract of engines: same seed same outcome, nothing else read',
    async (play) => {
      const { told } = await transcriptOf(play)
      const engine = play.game.draws.find((draw) => draw.game === play.record)!
      assertEngine(engine, { config: told.config as Config, list: told.entries!.list! })
    },
  )

  each('shows on every screen who won, as it is stored', async (play) => {
    const stored = await rows(
      'select place, is_alternate from draw_winners where draw_id = $1 order by place',
      play.draw_id,
    )
    assert.ok(stored.some((each) => !each.is_alternate))
    const page = (await ask(server, 'get', `draws/${play.draw_id}`)).body
    assert.deepEqual(
      page.winners.map((each: any) => each.place),
      stored.map((each) => each.place),
    )
    const shown = (room: Room<any, any>) =>
      winnersIn(room.state.toJSON()).map(({ place, player }: any) => [place, player])
    const winners = shown(play.watcher.room)
    const told = new Map(page.winners.map((each: any) => [each.place, each.player]))
    assert.ok(winners.length >= stored.filter((each) => !each.is_alternate).length)
    for (const [place, player] of winners) assert.equal(player, told.get(place))
    for (const { room } of play.seats) {
      await eventually('the end', async () => room.state.phase === 'settled')
      assert.deepEqual(shown(room), winners)
    }
  })

  each(
    'puts nothing secret on the wire or a page before its time, and nobody by name at any time (I30)',
    async (play) => {
      const { told } = await transcriptOf(play)
      const seed = Buffer.from(told.serverSeed!, 'hex')
      const salts = await rows(
        'select user_id, entrant_salt from draw_entrants where draw_id = $1',
        play.draw_id,
      )
      const pages = play.pages.map((text) => Buffer.from(text))
      const publics = [...play.watcher.frames, ...pages]
      assert.ok(play.watcher.frames.length >= 5, `${play.watcher.frames.length} frames were seen`)
      for (const frame of [...publics, ...play.seats.flatMap(({ frames }) => frames)])
        for (const secret of [
          seed,
          seed.toString('hex'),
          seed.toString('base64'),
          seed.toString('base64url'),
        ])
          assert.ok(!frame.includes(secret), 'the seed was out before the end')
      for (const { user_id, entrant_salt } of salts) {
        for (const frame of publics) {
          assert.ok(!frame.includes(entrant_salt), 'the salt of an entrant is public')
          assert.ok(!frame.includes(user_id), 'a user id is public')
        }
        for (const [i, { frames }] of play.seats.entries()) {
          if (user_id === userOf(play, BY_HTTP + i)) continue
          for (const frame of frames)
            assert.ok(!frame.includes(entrant_salt) && !frame.includes(user_id), 'told to another player')
        }
      }
      assert.deepEqual(play.early, [], 'winners in a state before the draw')
    },
  )

  it('the whole audit finds nothing', async () => {
    const { code, text } = await place.command('audit')
    assert.equal(code, 0, text)
  })
})

/** Every member called `winners` of a state, however deep, as one list. */
function winnersIn(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, each]) =>
    name === 'winners' ? (each as unknown[]) : winnersIn(each),
  )
}

describe('an engine of somebody else, in one file', () => {
  it('S1-06 lots (tests/draws/lots.ts) keeps the contract of engines, and is played from its commitment to a transcript that verifies', async () => {
    const stage = await startDraws()
    try {
      const id = await stage.aDraw()
      await stage.enter(id, users(20))
      stage.clock.advance(60_000)
      assert.equal((await refusalOf(stage.enter(id, ['late']))).code, 'draw_closed')
      await stage.goOn(id)
      await stage.pass(id, 600)
      const { readTranscript } = await import('../../src/proofs/transcripts.ts')
      const text = await stage.inTenant((tx) => readTranscript(tx, { event_id: id }))
      assert.equal(verifyText(text).status, 'verified')
      const { config, entries } = JSON.parse(text) as Transcript
      assertEngine(LOTS, { config, list: entries!.list! })
      await stage.assertClean()
    } finally {
      await stage.close()
    }
  })

  it('the contract sees an engine that reads the clock, one that forgets its seed, one that reads more than it says, and a place that is none', () => {
    const list = Array.from({ length: 6 }, (_, i): Leaf => ({ e: `e${i}`.padEnd(64, '0'), i }))
    const config = { v: 1, kind: 'raffle', prizes: [{ id: 'car', qty: 2 }], reserves: 1 } as const
    assertEngine(LOTS, { config, list })
    let count = 0
    const faults = [
      {
        ...LOTS,
        decide: (...given: Parameters<typeof LOTS.decide>) => ({ ...LOTS.decide(...given), at: Date.now() }),
      },
      {
        ...LOTS,
        decide: (...given: Parameters<typeof LOTS.decide>) => ({ ...LOTS.decide(...given), n: count++ }),
      },
      {
        ...LOTS,
        decide: (...[given, entries, rolls]: Parameters<typeof LOTS.decide>) => {
          assert.ok(entries.list, 'no list')
          return LOTS.decide(given, entries, rolls)
        },
      },
      { ...LOTS, places: () => [{ entry_index: 6, prize: 'car' }] },
      { ...LOTS, places: () => [0, 0].map((entry_index) => ({ entry_index, prize: 'car' })) },
      {
        ...LOTS,
        decide: () => ({ order: [0, 1, 2], prizes: [{ id: 'car', entries: [0, 1] }], reserves: [2] }),
      },
    ]
    for (const fault of faults) assert.throws(() => assertEngine(fault, { config, list }))
  })
})
