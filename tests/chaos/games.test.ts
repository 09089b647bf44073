/**
 * Guess games and raffles on a real server that is killed, stopped, doubled, and whose clock jumps, with players who lose
 * their sockets and ask again. What was answered stays answered, each request has one effect, each draw has one outcome.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Client, type Room } from '@colyseus/sdk'
import { verifyText } from '../../src/fairness/verify.ts'
import { TEST_SEED } from '../fairness/seed.ts'
import { eventually } from '../games/kit.ts'
import { ask, made, makePlace, type Outcome, outcomeOf, type Server } from './server.ts'

const PATIENCE_MS = 60_000
const PRICE_MINOR = 100
const CREDIT_MINOR = 100_000
const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms))

/** A small generator of our own, so that a seed repeats the times at which things are killed. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

type Game = { kind: 'guess' | 'raffle'; id: string; draw_id: string }
type Sdk = Room<any, any>

describe('chaos: games that close', function () {
  this.timeout(240_000)
  const place = makePlace({ TEST_CLOCK: '1' })
  const next = random(TEST_SEED)
  let server: Server
  let boss: string
  let prize_id: number
  let count = 0

  before(async () => {
    server = await place.start()
    await made(server, 'tenants', await place.token('root', ['platform'], null), {
      tenant_code: 'chaos',
      tenant_name: 'Chaos',
    })
    boss = await place.token('boss', ['operator'])
    prize_id = (await made(server, 'prizes', boss, { name: 'Points', type: 'loyalty_points', value: '5' })).id
  })
  after(() => place.remove())
  beforeEach(async () => {
    if (server.child.exitCode !== null || server.child.signalCode !== null) server = await place.start()
  })
  /** Games of the test that runs. */
  let games_made: Game[] = []
  afterEach(async () => {
    // What still takes entries is called off, so that no later jump of the clock closes it beside the others.
    for (const { kind, id, draw_id } of games_made)
      if ((await ask(server, 'get', `draws/${draw_id}`)).body?.status === 'open')
        await made(server, `${kind === 'guess' ? 'games' : 'raffles'}/${id}/cancel`, boss, {
          [kind === 'guess' ? 'reason' : 'why']: 'The test is over.',
        })
    games_made = []
    const { code, text } = await place.command('audit')
    assert.equal(code, 0, text)
  })

  const player = (user: string) => place.token(user, ['player'])
  /** Moves the server's clock. Answers where it stands then. */
  const forward = async (duration = 'PT0S', at = server): Promise<number> =>
    new Date((await made(at, 'test/clock', '', { advance: duration })).now).getTime()

  /** A clock that a test before moved begins anew with its process: several servers and machines then agree. */
  async function presentTime(): Promise<void> {
    if ((await forward()) > Date.now() + 1_000) await killed()
  }

  async function killed(env: Record<string, string> = {}): Promise<void> {
    server.child.kill('SIGKILL')
    await server.exited
    server = await place.start(env)
  }

  function noted(game: Game): Game {
    games_made.push(game)
    return game
  }

  async function aGame(kind: Game['kind'], closes_in_ms: number, wish: object = {}): Promise<Game> {
    const now = await forward()
    const at = (ms: number) => new Date(now + ms).toISOString()
    const title = `Chaos ${++count}`
    if (kind === 'guess') {
      const { id } = await made(server, 'games', boss, {
        title,
        mode: 'guess',
        rule: 'nearest',
        guess_min: 1,
        guess_max: 1_000,
        guess_policy: 'n_per_user',
        guesses_per_user: 100,
        number_of_winners: 2,
        number_of_alternates: 1,
        reward_type: 'voucher',
        prize_id,
        closes_at: at(closes_in_ms),
        ...wish,
      })
      const { draw } = await made(server, `games/${id}/publish`, boss)
      return noted({ kind, id, draw_id: draw.draw_id })
    }
    const { id } = await made(server, 'raffles', boss, {
      campaign_name: title,
      ticket_price: 0,
      total_tickets: 1_000,
      start_time: at(-1_000),
      end_time: at(closes_in_ms),
      campaign_config: { reveal_lead_ms: 3_000, reveal_step_ms: 1_000 },
      draws: [
        { draw_name: 'Only', draw_time: at(closes_in_ms), winning_tickets: 2, alternates: 1, prize_id },
      ],
      ...wish,
    })
    const { draw_ids } = await made(server, `raffles/${id}/publish`, boss)
    return noted({ kind, id, draw_id: draw_ids[0] })
  }
  const both = async (closes_in_ms: number, wishes: { raffle?: object; guess?: object } = {}) => [
    await aGame('guess', closes_in_ms, wishes.guess),
    await aGame('raffle', closes_in_ms, wishes.raffle),
  ]

  /** What somebody enters with, over HTTP and by the room. */
  const entryOf = ({ kind, id }: Game, key: string, n = 0) =>
    kind === 'guess'
      ? { path: `games/${id}/guesses`, body: { request_id: key, value: 1 + (n % 1_000) }, key }
      : { path: `raffles/${id}/tickets`, body: { quantity: 1 + (n % 2) }, key }
  const messageOf = ({ kind }: Game, request_id: string, n = 0): [type: string, payload: object] =>
    kind === 'guess'
      ? ['guess', { request_id, value: 1 + (n % 1_000) }]
      : ['buy', { request_id, quantity: 1 + (n % 2) }]

  const enter = (game: Game, token: string, key: string, n = 0): Promise<Outcome> => {
    const { path, ...more } = entryOf(game, key, n)
    return outcomeOf(ask(server, 'post', path, { token, ...more }))
  }

  async function join({ kind, id }: Game, token?: string, at: { url: string } = server): Promise<Sdk> {
    const client = new Client<any>(at.url.replace('http', 'ws'))
    if (token !== undefined) client.auth.token = token
    const options = token === undefined ? { tenant: 'chaos', spectate: true } : {}
    const room = await client.joinOrCreate(kind, { game: id, ...options })
    room.reconnection.enabled = false
    room.onMessage('*', () => {})
    return room
  }

  /** A request of a room, and how it ended: a line that breaks says nothing. */
  function asked(room: Sdk, [type, payload]: [string, object]): Promise<Outcome> {
    const broken = new Promise<Outcome>((resolve) => {
      room.onLeave.once((code: number) => resolve({ kind: 'info', why: `closed with ${code}` }))
      room.onError.once((code: number) => resolve({ kind: 'info', why: `failed with ${code}` }))
    })
    const answered = room.request(type, payload).then(
      (answer): Outcome => ({ kind: 'ok', text: JSON.stringify(answer) }),
      (error): Outcome =>
        error.name === 'rejected'
          ? { kind: 'fail', status: 0, code: error.reason.code }
          : { kind: 'info', why: String(error) },
    )
    return Promise.race([answered, broken])
  }
  /** A line to the server that can be cut without a word to either side. */
  async function aLine(): Promise<{ url: string; cut(): void; close(): void }> {
    const sockets = new Set<Socket>()
    const proxy = createServer((client) => {
      const upstream = connect(Number(new URL(server.url).port), '127.0.0.1')
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(one)
        one.on('error', () => {}).on('close', () => other.destroy())
        one.pipe(other)
      }
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const cut = () => {
      for (const socket of sockets) socket.resetAndDestroy()
      sockets.clear()
    }
    return {
      url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      cut,
      close() {
        proxy.close()
        cut()
      },
    }
  }

  const entriesOf = async (game: Game): Promise<{ user_id: string; request_id: string }[]> =>
    game.kind === 'guess'
      ? place.rows('select user_id, request_id from game_submissions where game_id = $1', [game.id])
      : place.rows(`select user_id, request_id from raffle_purchases where raffle_campaign_id = $1`, [
          game.id,
        ])

  const pageOf = async ({ draw_id }: Game, at = server) => (await ask(at, 'get', `draws/${draw_id}`)).body
  const settled = (game: Game, at = server) =>
    eventually(
      `${game.kind} settles`,
      async () => {
        const page = await pageOf(game, at)
        return page.status === 'settled' && page
      },
      PATIENCE_MS,
    )
  const winnersOf = ({ draw_id }: Game) =>
    place.rows(
      'select place, entry_index, user_id, prize from draw_winners where draw_id = $1 order by place',
      [draw_id],
    )

  /** Each step once in the log of events, in the public log and in the audit; each prize given once; a transcript that verifies. */
  async function assertDrawnOnce(game: Game): Promise<void> {
    const { draw_id, id, kind } = game
    const events = await place.rows(
      `select event_type as type, event_data->>'place' as place from game_events
       where game_id = $1 and event_type like 'draw.%' and event_data->>'draw_id' = $2 order by game_seq`,
      [id, draw_id],
    )
    const moves = events.map((each) => each.type).filter((type) => type !== 'draw.revealed')
    const story = ['scheduled', 'open', 'closed', 'drawing', 'drawn', 'settled'].map((each) => `draw.${each}`)
    assert.deepEqual(moves, story, `${kind}: a step is missing, doubled, or out of its order`)
    const shown = events.filter((each) => each.type === 'draw.revealed').map((each) => Number(each.place))
    const winners = await winnersOf(game)
    assert.deepEqual(
      shown.toSorted((a, b) => a - b),
      winners.map((each) => each.place),
      'each winner is told once',
    )
    const logged = await place.rows(
      `select l.type from fair_log l join draws d on d.commit_hash = l.commit_hash where d.id = $1 order by l.seq`,
      [draw_id],
    )
    assert.deepEqual(
      logged.map((each) => each.type),
      ['commit', 'root', 'result', 'reveal'],
    )
    const audited = await place.rows(
      `select action from audit_logs where entity_type = 'draw' and entity_id = $1 order by seq`,
      [draw_id],
    )
    assert.deepEqual(
      audited.map((each) => each.action),
      story,
    )
    const page = await pageOf(game)
    assert.deepEqual(
      page.winners.map((each: any) => [each.place, each.entry_index]),
      winners.map((each) => [each.place, each.entry_index]),
    )
    const prizes = await place.rows(
      `select p.user_id from gamification_game_plays p
       where p.is_winner and (p.event_id = $1 or p.event_id in (select ref_id from draw_winners where draw_id = $1))`,
      [draw_id],
    )
    assert.deepEqual(
      prizes.map((each) => each.user_id).sort(),
      winners
        .filter((each) => each.prize !== null)
        .map((each) => each.user_id)
        .sort(),
      'each winner has the prize once',
    )
    assert.equal(verifyText((await ask(server, 'get', `verify/${draw_id}`)).text).status, 'verified')
  }

  it('F1 S1-30 killed at random moments with 20 purchases and guesses in flight by HTTP and room: a repeat has the first answer, tickets are unique, money is exact', async () => {
    const users = Array.from({ length: 5 }, (_, i) => `f1-${i}`)
    const tokens = await Promise.all(users.map(player))
    await giveCredit(users)
    const [guess, raffle] = (await both(3_600_000, {
      raffle: { ticket_price: PRICE_MINOR, currency: 'EUR' },
    })) as [Game, Game]
    /** Everything that was asked: how to ask again, and what was said last. */
    const history = new Map<string, { game: Game; ask(): Promise<Outcome>; said: Outcome }>()
    let rooms: Sdk[] = []
    const seatAll = async () => {
      rooms = await Promise.all(tokens.flatMap((token) => [join(guess, token), join(raffle, token)]))
    }
    await seatAll()
    let unknown = 0
    for (let round = 0; round < 3; round++) {
      const sent = users.flatMap((user, u) =>
        [guess, raffle].flatMap((game, g) =>
          (['http', 'room'] as const).map(async (door) => {
            const key = `f1-${round}-${door}`
            const work = () =>
              door === 'http'
                ? enter(game, tokens[u]!, key, u + round)
                : asked(rooms[2 * u + g]!, messageOf(game, key, u + round))
            const said = await work()
            history.set(
              `${game.kind} ${user} ${door === 'http' || game.kind === 'guess' ? key : `room:${key}`}`,
              {
                game,
                ask: work,
                said,
              },
            )
            return said
          }),
        ),
      )
      await pause(next() * 60)
      server.child.kill('SIGKILL')
      await server.exited
      const said = await Promise.all(sent)
      assert.equal(said.length, 20)
      unknown += said.filter((each) => each.kind === 'info').length
      server = await place.start()
      await seatAll()
    }
    assert.ok(unknown > 0, 'nothing was in flight when the server was killed: the test has proven nothing')
    // First what is known without asking again: an answer stands, a refusal left nothing.
    const stored = new Set<string>()
    for (const game of [guess, raffle])
      for (const { user_id, request_id } of await entriesOf(game))
        stored.add(`${game.kind} ${user_id} ${request_id.replace(/^http:/, '')}`)
    for (const [name, { said }] of history) {
      if (said.kind === 'ok') assert.ok(stored.has(name), `${name} was answered and is not there`)
      if (said.kind === 'fail') assert.ok(!stored.has(name), `${name} was refused and is there`)
    }
    for (const name of stored) assert.ok(history.has(name), `${name} was never asked for`)
    for (const [name, each] of history) {
      const first = await each.ask()
      assert.equal(first.kind, 'ok', `${name}: ${JSON.stringify(first)}`)
      if (each.said.kind === 'ok')
        assert.deepEqual(first, each.said, `${name} was answered twice, differently`)
      assert.deepEqual(await each.ask(), first, name)
    }
    for (const room of rooms) await room.leave()
    assert.equal((await entriesOf(guess)).length + (await entriesOf(raffle)).length, history.size)
    const tickets = await place.rows(
      'select ticket_number::text as n from raffle_tickets where raffle_campaign_id = $1',
      [raffle.id],
    )
    assert.equal(new Set(tickets.map((each) => each.n)).size, tickets.length, 'a ticket was sold twice')
    const [{ sold_tickets }] = await place.rows('select sold_tickets from raffle_campaigns where id = $1', [
      raffle.id,
    ])
    assert.equal(Number(sold_tickets), tickets.length)
    const [{ left_minor }] = await place.rows(
      `select sum(balance_minor)::int as left_minor from ledger_accounts where owner_id = any($1) and account_kind = 'wallet_credit'`,
      [users],
    )
    assert.equal(left_minor, users.length * CREDIT_MINOR - tickets.length * PRICE_MINOR)
  })

  /** Credit to pay with, as a prize that was given and used. */
  async function giveCredit(users: readonly string[]): Promise<void> {
    const value = (CREDIT_MINOR / 100).toFixed(2)
    const { id } = await made(server, 'prizes', boss, { name: 'Credit', type: 'wallet_credit', value })
    const shop = await place.token('shop', ['service'])
    for (const user_id of users) {
      const grant = { user_id, prize_id: id, source: 'support', source_id: `credit-${user_id}` }
      const { play_id } = (await made(server, 'gamification/grants', shop, grant)).data[0]
      await made(server, `gamification/unlock/${play_id}`, await player(user_id))
      await made(server, `gamification/apply/${play_id}`, shop, { order_id: `credit-${user_id}` })
    }
  }

  it('F2 P-45 killed between freeze, use of the seed, winners, change of status and announcement: each draw goes on to the same winners, and who watches sees them', async () => {
    await presentTime()
    const games = await both(3_600_000)
    const tokens = await Promise.all(['f2-0', 'f2-1', 'f2-2'].map(player))
    for (const game of games)
      for (const [i, token] of tokens.entries()) {
        const said = await enter(game, token, `f2-${i}`, 300 * i)
        assert.equal(said.kind, 'ok', JSON.stringify(said))
      }
    /** Who stood on a place on any screen at any time. */
    const seen = new Map<string, string>()
    const look = async () => {
      for (const game of games) {
        const room = await join(game).catch(() => undefined)
        room?.onStateChange((state) => {
          for (const { place: at, player: who } of state.toJSON().winners ?? []) {
            const name = `${game.kind} ${at}`
            assert.equal(seen.get(name) ?? who, who, `${name} was another on another screen`)
            seen.set(name, who)
          }
        })
      }
    }
    const drawn = new Map<Game, unknown>()
    for (const point of [
      'closed.before',
      'closed.after',
      'drawing.after',
      'drawn.before',
      'drawn.after',
      'drawn.told',
      'revealed.before',
      'revealed.after',
      'settled.before',
      'settled.after',
    ]) {
      await killed({ FAULT_POINT: `draw.${point}:1:kill` })
      await look()
      // A clock that begins anew stands before the close, and nothing is due: it may die while it answers.
      await forward('PT1H').catch(() => {})
      const end = await Promise.race([server.exited.then(() => 'killed'), pause(PATIENCE_MS)])
      assert.equal(end, 'killed', `draw.${point} was never reached`)
      assert.equal(server.child.signalCode, 'SIGKILL')
      for (const game of games) {
        const winners = await winnersOf(game)
        if (winners.length === 0) continue
        assert.deepEqual(
          winners,
          drawn.get(game) ?? winners,
          `after draw.${point} the winners of the ${game.kind} are others`,
        )
        drawn.set(game, winners)
      }
    }
    server = await place.start()
    await look()
    await forward('PT1H')
    for (const game of games) {
      const page = await settled(game)
      assert.deepEqual(await winnersOf(game), drawn.get(game))
      await assertDrawnOnce(game)
      for (const { place: at, player: who, is_alternate } of page.winners) {
        if (is_alternate) continue
        await eventually('the winner on the screen', async () => seen.get(`${game.kind} ${at}`) === who)
      }
    }
  })

  it('F17 two servers on one database close and draw the same games at once: one draw, and both show it', async () => {
    await presentTime()
    const other = await place.startSecond()
    const games = await both(3_600_000)
    const tokens = await Promise.all(['f17-0', 'f17-1', 'f17-2'].map(player))
    for (const game of games) {
      for (const [i, token] of tokens.entries()) {
        // One key at both servers at once is one entry.
        const { path, ...more } = entryOf(game, `f17-${i}`, 300 * i)
        const said = await Promise.all(
          [server, other].map((at) => outcomeOf(ask(at, 'post', path, { token, ...more }))),
        )
        assert.equal(said[0]!.kind, 'ok', JSON.stringify(said))
        assert.deepEqual(said[1], said[0])
      }
      assert.equal((await entriesOf(game)).length, tokens.length)
    }
    // A second before the close, so that both wait for it and see it come.
    await Promise.all([server, other].map((at) => forward('PT59M59S', at)))
    for (const game of games) {
      const pages = await Promise.all([server, other].map((at) => settled(game, at)))
      for (const page of pages) Reflect.deleteProperty(page, 'server_time')
      assert.deepEqual(pages[1], pages[0])
      await assertDrawnOnce(game)
    }
    other.child.kill('SIGTERM')
    assert.equal(await other.exited, 0)
  })

  it('F20 the socket is lost at each step of a purchase and a guess: coming back, the same request has one answer and one effect', async () => {
    const games = await both(3_600_000)
    for (const game of games) {
      const entries: string[] = []
      for (const [step, cutAfter] of Object.entries({
        'in the head': (text: string) => text.slice(0, 40),
        'before the body': (text: string) => text.slice(0, text.indexOf('\r\n\r\n') + 4),
        'in the body': (text: string) => text.slice(0, -3),
        'before the answer': (text: string) => text,
        'in the answer': null,
      })) {
        const key = `f20-${entries.length}`
        const token = await player(`${key}-${game.kind}`)
        const text = requestText(game, token, key)
        const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
        socket.on('error', () => {})
        await once(socket, 'connect')
        await new Promise((resolve) => socket.write(cutAfter === null ? text : cutAfter(text), resolve))
        if (cutAfter === null) await once(socket, 'data')
        socket.destroy()
        const first = await enter(game, token, key)
        assert.equal(first.kind, 'ok', `${step}: ${JSON.stringify(first)}`)
        assert.deepEqual(await enter(game, token, key), first, step)
        entries.push(key)
      }
      for (const wait_ms of [0, 2, 8, 30]) {
        const key = `f20-${entries.length}`
        const token = await player(`${key}-${game.kind}`)
        const line = await aLine()
        const room = await join(game, token, line)
        const lost = asked(room, messageOf(game, key))
        await pause(wait_ms)
        line.cut()
        const said = await lost
        line.close()
        const again = await join(game, token)
        const first = await asked(again, messageOf(game, key))
        assert.equal(first.kind, 'ok', JSON.stringify(first))
        if (said.kind === 'ok') assert.deepEqual(first, said)
        assert.deepEqual(await asked(again, messageOf(game, key)), first)
        await again.leave()
        entries.push(key)
      }
      assert.equal((await entriesOf(game)).length, entries.length, game.kind)
    }
  })

  /** One HTTP/1.1 request as text. */
  function requestText(game: Game, token: string, key: string, n = 0): string {
    const { path, body } = entryOf(game, key, n)
    const json = JSON.stringify(body)
    const head = [
      `POST /api/v1/${path} HTTP/1.1`,
      'host: 127.0.0.1',
      `authorization: Bearer ${token}`,
      'content-type: application/json',
      `idempotency-key: ${key}`,
      `content-length: ${Buffer.byteLength(json)}`,
    ]
    return `${head.join('\r\n')}\r\n\r\n${json}`
  }

  /** Writes many requests at once on one connection. Answers status and body of each, in order. */
  async function pipelined(texts: readonly string[]): Promise<{ status: number; text: string }[]> {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    let got = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes])
    })
    socket.write(texts.join(''))
    const answers: { status: number; text: string }[] = []
    await eventually(
      'every answer',
      async () => {
        for (;;) {
          const end = got.indexOf('\r\n\r\n')
          const head = got.subarray(0, end).toString()
          const size = Number(/content-length: (\d+)/i.exec(head)?.[1])
          if (end < 0 || got.length < end + 4 + size) break
          answers.push({
            status: Number(head.slice(9, 12)),
            text: got.subarray(end + 4, end + 4 + size).toString(),
          })
          got = got.subarray(end + 4 + size)
        }
        return answers.length === texts.length
      },
      PATIENCE_MS,
    )
    socket.destroy()
    return answers
  }

  it('F21 the same request 2 to 50 times, from two tabs, in any order and in one TCP write, is one effect with one answer; another request under an old key is refused', async () => {
    for (const game of await both(3_600_000)) {
      const ann = await player('f21-ann')
      for (const [i, times] of [2, 9, 50].entries()) {
        const answers = await pipelined(
          Array.from({ length: times }, () => requestText(game, ann, `f21-${i}`, i)),
        )
        assert.deepEqual([...new Set(answers.map((each) => each.status))], [201])
        assert.equal(
          new Set(answers.map((each) => each.text)).size,
          1,
          `${times} requests had several answers`,
        )
        assert.equal((await entriesOf(game)).length, i + 1)
      }
      const bob = await player('f21-bob')
      const tabs = await Promise.all([join(game, bob), join(game, bob)])
      // Two requests, five times each, their order turned round in the other tab.
      const order = [0, 1, 1, 0]
      const said = await Promise.all(
        tabs.flatMap((tab, t) =>
          (t === 0 ? order : order.toReversed()).map(async (n) => ({
            n,
            said: await asked(tab, messageOf(game, `f21-tab-${n}`, n)),
          })),
        ),
      )
      for (const n of [0, 1]) {
        const texts = said.filter((each) => each.n === n).map((each) => JSON.stringify(each.said))
        assert.equal(new Set(texts).size, 1, texts.join('\n'))
        assert.match(texts[0]!, /"ok"/)
      }
      assert.equal((await entriesOf(game)).length, 5)
      // Old ones, when others came after them: the first answer; under an old key something else: refused.
      const old = await enter(game, ann, 'f21-0', 0)
      assert.deepEqual(await enter(game, ann, 'f21-0', 0), old)
      const other = await enter(game, ann, 'f21-0', 1)
      assert.equal(other.kind === 'fail' && other.code, 'idempotency_key_reused')
      assert.equal((await entriesOf(game)).length, 5)
      for (const tab of tabs) await tab.leave()
    }
  })

  it('F22 the clock jumps 25 hours, then 8 days, and a restart sets it back: closes and draws happen once, nothing opens again', async () => {
    await presentTime()
    const games = await both(24 * 3_600_000)
    const tokens = await Promise.all(['f22-0', 'f22-1', 'f22-2'].map(player))
    const first = new Map<Game, Outcome>()
    for (const game of games)
      for (const [i, token] of tokens.entries()) {
        const said = await enter(game, token, `f22-${i}`, 300 * i)
        assert.equal(said.kind, 'ok', JSON.stringify(said))
        if (i === 0) first.set(game, said)
      }
    const late = async (game: Game) => {
      const said = await enter(game, tokens[1]!, `f22-late-${++count}`, 7)
      assert.match(said.kind === 'fail' ? said.code : said.kind, /^(game|raffle)_not_open$/)
      // Who asks again for what was answered before the close has it.
      assert.deepEqual(await enter(game, tokens[0]!, 'f22-0', 0), first.get(game))
    }
    // Killed when the first of them has closed: the next start stands before the close again.
    await killed({ FAULT_POINT: 'draw.closed.after:1:kill' })
    await forward('PT25H')
    await server.exited
    server = await place.start()
    const statuses = () => Promise.all(games.map(async (game) => (await pageOf(game)).status as string))
    const before = await eventually('the sealed list under its checkpoint', async () => {
      const found = await statuses()
      return found.includes('drawing') && found
    })
    assert.equal(
      before.filter((status) => status === 'open').length,
      1,
      'the other still sells, by this clock',
    )
    const closed = games[before.indexOf('drawing')]!
    await late(closed)
    assert.equal((await pageOf(closed)).status, 'drawing', 'it does not draw before its time')

    await forward('PT25H')
    for (const game of games) await late(game)
    for (const game of games)
      await eventually(
        'drawn',
        async () => ['drawn', 'settled'].includes((await pageOf(game)).status),
        PATIENCE_MS,
      )
    await forward('P8D')
    for (const game of games) {
      await settled(game)
      await assertDrawnOnce(game)
    }
    const versions = () => place.rows('select game_id, last_seq from game_heads order by 1')
    const story = await versions()
    await killed()
    // A second of looking round: a keeper that looks at what is settled would have done something by now.
    await pause(1_500)
    for (const game of games) {
      await late(game)
      await assertDrawnOnce(game)
    }
    assert.deepEqual(await versions(), story)
    // And games go on in the time that is now.
    const [fresh] = await both(3_600_000)
    assert.equal((await enter(fresh!, tokens[0]!, 'f22-fresh')).kind, 'ok')
    await forward('PT1H')
    await settled(fresh!)
    await assertDrawnOnce(fresh!)
  })

  it('F24 stopped for 5 s across a close and a reveal: whoever came meanwhile is late by the clock, and nothing happens twice', async () => {
    await presentTime()
    const [shown] = await both(3_596_000)
    const closing = await both(3_600_000)
    const tokens = await Promise.all(['f24-0', 'f24-1', 'f24-2'].map(player))
    for (const game of [shown!, ...closing])
      for (const [i, token] of tokens.entries()) {
        const said = await enter(game, token, `f24-${i}`, 300 * i)
        assert.equal(said.kind, 'ok', JSON.stringify(said))
      }
    const rooms = await Promise.all(closing.map((game) => join(game, tokens[0])))
    const [first, second] = await Promise.all([shown!, closing[1]!].map((game) => pageOf(game)))
    // To the close of the first; that of the others comes four seconds later.
    const wait_s = (Date.parse(first.closes_at) - (await forward())) / 1_000
    const offset_ms = (await forward(`PT${wait_s.toFixed(3)}S`)) - Date.now()
    const closes_at_ms = Date.parse(second.closes_at) - offset_ms
    await eventually('drawn', async () => (await pageOf(shown!)).status === 'drawn', PATIENCE_MS)
    const { reveals } = await pageOf(shown!)
    assert.ok(Date.now() < closes_at_ms, 'the close is still to come')
    server.child.kill('SIGSTOP')
    const stopped_at_ms = Date.now()
    await pause(Math.max(0, closes_at_ms - Date.now() + 100))
    const late = [
      ...closing.map((game, i) => enter(game, tokens[i + 1]!, 'f24-late', 9)),
      ...closing.map((game, i) => asked(rooms[i]!, messageOf(game, 'f24-late', 9))),
    ]
    await pause(Math.max(500, stopped_at_ms + 5_000 - Date.now()))
    server.child.kill('SIGCONT')
    const slept_until_ms = Date.now() + offset_ms
    for (const said of await Promise.all(late))
      assert.match(
        said.kind === 'fail' ? said.code : said.kind,
        /^(game|raffle)_not_open$/,
        JSON.stringify(said),
      )
    assert.ok(
      reveals.some((each: any) => Date.parse(each.reveal_at) < slept_until_ms),
      'a reveal fell into the stop',
    )
    for (const game of [shown!, ...closing]) {
      const page = await settled(game)
      assert.deepEqual([page.entry_count, (await entriesOf(game)).length], [tokens.length, tokens.length])
      await assertDrawnOnce(game)
    }
    for (const room of rooms) await room.leave().catch(() => {})
  })
})
