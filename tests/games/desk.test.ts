/** The operator's desk over guess games, through the door: five lists with filters, pages and files (S0-27). */
import assert from 'node:assert/strict'
import { csvOf } from '../../src/http/csv.ts'
import { type Product, startProduct } from '../http/product.ts'

type Json = Record<string, any>

/** A reader of CSV of its own: RFC 4180, nothing else. */
function parsed(text: string): string[][] {
  const rows: string[][] = [[]]
  let at = 0
  while (at < text.length) {
    let cell = ''
    if (text[at] === '"') {
      for (at++; text[at] !== '"' || text[at + 1] === '"'; at++) {
        cell += text[at]
        if (text[at] === '"') at++
      }
      at++
    } else for (; at < text.length && !',\r'.includes(text[at]!); at++) cell += text[at]
    rows.at(-1)!.push(cell)
    if (text[at] === ',') at++
    else {
      assert.equal(text.slice(at, at + 2), '\r\n', `line ${rows.length} ends with CRLF`)
      at += 2
      if (at < text.length) rows.push([])
    }
  }
  return rows
}

describe("the operator's desk", function () {
  this.timeout(60_000)
  let product: Product
  let operator: string
  let creator: string
  before(async () => {
    product = await startProduct()
    operator = await product.token('operator')
    creator = await product.token('creator', { sub: 'carla' })
  })
  after(() => product.close())

  const get = async (path: string, token = operator, headers: Record<string, string> = {}) =>
    product.ask('GET', `/api/v1/admin/${path}`, { token, headers })
  const listed = async (path: string): Promise<Json[]> => {
    const answer = await get(path)
    assert.equal(answer.status, 200, answer.text)
    return answer.body.data
  }
  async function aDraft(wish: Json = {}): Promise<string> {
    const answer = await product.ask('POST', '/api/v1/games', {
      token: creator,
      json: {
        title: 'Guess the weight',
        mode: 'guess',
        rule: 'nearest',
        guess_min: -1_000,
        guess_max: 1_000,
        reward_type: 'product',
        closes_at: new Date(product.clock.now().getTime() + 60_000).toISOString(),
        ...wish,
      },
    })
    assert.equal(answer.status, 201, answer.text)
    return answer.body.id
  }
  async function aGame(wish: Json = {}): Promise<string> {
    const id = await aDraft(wish)
    const answer = await product.ask('POST', `/api/v1/games/${id}/publish`, { token: creator })
    assert.equal(answer.status, 200, answer.text)
    return id
  }
  async function enter(id: string, user: string, value: number): Promise<void> {
    const answer = await product.ask('POST', `/api/v1/games/${id}/guesses`, {
      token: await product.token('player', { sub: user }),
      json: { request_id: `r-${value}`, value },
    })
    assert.equal(answer.status, 201, answer.text)
  }
  async function pass(duration_s: number): Promise<void> {
    product.clock.advance(duration_s * 1000)
    await product.draws.advanceDue(product.tenant.id)
  }

  const LISTS = ['games', 'game-submissions', 'winning-numbers', 'game-history', 'winner-history']

  it('S0-27 its five lists are for operators and auditors only, and show nothing of another tenant', async () => {
    await aDraft({ title: 'Only of acme' })
    for (const list of LISTS) {
      assert.equal((await product.ask('GET', `/api/v1/admin/${list}`)).status, 401)
      for (const role of ['player', 'creator', 'service', 'spectator'] as const)
        assert.equal((await get(list, await product.token(role))).status, 403, `${list} of a ${role}`)
      assert.equal((await get(list, await product.token('auditor'))).status, 200)
      const foreign = await get(list, await product.token('operator', { tenant: 'other' }))
      assert.deepEqual([foreign.status, foreign.body.data], [200, []])
    }
  })

  it('S0-27 I30 a sealed guess is on no list before the draw, a number and a winner not before their showing, for staff too', async () => {
    const secret = 613
    const id = await aGame({ number_of_winners: 2 })
    await enter(id, 'alice', secret)
    await enter(id, 'bob', -7)
    const seen = async () =>
      (
        await Promise.all(
          LISTS.flatMap((list) => [
            get(`${list}?game_id=${id}`.replace(/^games\?.*/, 'games')),
            get(`${list}?format=csv`),
          ]),
        )
      )
        .map((answer) => answer.text)
        .join('\n')
    assert.doesNotMatch(await seen(), /\b613\b/)
    const sealed = await listed(`game-submissions?game_id=${id}`)
    assert.deepEqual(
      sealed.map(({ user_id, guess, is_sealed }) => [user_id, guess, is_sealed]),
      [
        ['bob', null, true],
        ['alice', null, true],
      ],
    )
    await pass(61)
    assert.equal((await product.ask('GET', `/api/v1/games/${id}`, { token: operator })).body.status, 'drawn')
    for (const list of ['winning-numbers', 'winner-history', 'game-history'])
      assert.deepEqual(await listed(`${list}?game_id=${id}`), [], `${list} while winners are being shown`)
    const open = await listed(`game-submissions?game_id=${id}`)
    assert.deepEqual(
      open.map(({ guess, is_sealed }) => [guess, is_sealed]),
      [
        [-7, false],
        [secret, false],
      ],
    )
    // The second place is shown first, two seconds before the first.
    product.clock.advance(3_500)
    assert.deepEqual(
      (await listed(`winner-history?game_id=${id}`)).map(({ place }) => place),
      [2],
    )
    await pass(600)
    await pass(600)
    const shown = (await product.ask('GET', `/api/v1/games/${id}`, { token: operator })).body
    assert.equal(shown.status, 'settled')
    assert.deepEqual(
      (await listed(`winning-numbers?game_id=${id}`)).map(({ winning_number }) => winning_number),
      shown.winning_numbers,
    )
    assert.deepEqual(
      (await listed(`winner-history?game_id=${id}`)).map(({ place, guess }) => ({ place, guess })),
      shown.draw.winners.map(({ place, guess }: Json) => ({ place, guess })),
    )
    const [filed] = await listed(`game-history?game_id=${id}`)
    assert.deepEqual(
      [filed!['winning_numbers'], filed!['record'].winners.length],
      [shown.winning_numbers, shown.draw.winners.length],
    )
  })

  it('S0-27 each filter of a list leaves what fits it, and a wrong one is refused with its place', async () => {
    const reel_id = 'r-desk'
    const id = await aGame({
      title: 'A pumpkin, "heavy"',
      reel_id,
      number_of_alternates: 1,
      guess_policy: 'replace_until_close',
    })
    await enter(id, 'zoe', 1)
    await enter(id, 'zoe', 2)
    await enter(id, 'yan', 3)
    const ids = async (query: string) => (await listed(`games?${query}`)).map((row) => row['id'])
    assert.deepEqual(await ids('status=open'), [id])
    assert.deepEqual(await ids(`reel_id=${reel_id}&mode=guess&creator_id=carla&is_active=true`), [id])
    assert.deepEqual(await ids('title=PUMPKIN'), [id])
    for (const none of ['is_active=false&status=open', 'creator_id=eve', 'mode=draw', 'title=%25'])
      assert.deepEqual(await ids(none), [], none)
    const made = (await listed(`games?title=PUMPKIN`))[0]!['created_at']
    assert.deepEqual(await ids(`from=${made}`), [id])
    assert.ok(!(await ids(`to=${made}`)).includes(id), 'the end of a span is not in it')
    const seqs = async (query: string) =>
      (await listed(`game-submissions?game_id=${id}&${query}`)).map((row) => row['seq'])
    assert.deepEqual(await seqs('user_id=zoe'), [1, 0])
    assert.deepEqual(await seqs('is_in_force=false'), [0])
    for (const _ of [61, 600, 600]) await pass(_)
    const places = async (query: string) =>
      (await listed(`winner-history?game_id=${id}&${query}`)).map((row) => row['place'])
    assert.deepEqual([await places('is_alternate=false'), await places('is_alternate=true')], [[1], [2]])
    const winner = (await listed(`winner-history?game_id=${id}`))[0]!['user_id']
    assert.deepEqual(await places(`user_id=${winner}`), [1])
    for (const [query, pointer] of [
      ['games?status=over', '/status'],
      ['games?limit=1001', '/limit'],
      ['games?limit=0', '/limit'],
      ['games?cursor=x', '/cursor'],
      ['winning-numbers?cursor=1.2', '/cursor'],
      ['game-submissions?is_in_force=yes', '/is_in_force'],
      ['winner-history?game_id=7', '/game_id'],
      ['games?from=yesterday', '/from'],
      ['games?format=xml', '/format'],
    ] as const) {
      const answer = await get(query)
      assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [400, pointer], query)
    }
  })

  it('S0-27 pages follow each other without a gap or a repetition, in JSON and in files', async () => {
    for (const name of ['one', 'two', 'three']) {
      const id = await aGame({ title: name, number_of_winners: 2 })
      for (const [i, user] of ['alice', 'bob'].entries()) await enter(id, user, i)
    }
    for (const _ of [61, 600, 600]) await pass(_)
    for (const list of LISTS) {
      const whole = await listed(`${list}?limit=1000`)
      assert.ok(whole.length >= 3, list)
      const paged: Json[] = []
      let cursor = ''
      do {
        const { body } = await get(`${list}?limit=2${cursor && `&cursor=${cursor}`}`)
        assert.ok(body.data.length <= 2)
        paged.push(...body.data)
        cursor = body.next_cursor
      } while (cursor !== null)
      assert.deepEqual(paged, whole, list)

      const lines: string[][] = []
      let next: string | undefined = `${list}?limit=2&format=csv`
      while (next !== undefined) {
        const { status, text, headers } = await get(next)
        assert.equal(status, 200)
        const [head, ...rows] = parsed(text)
        assert.deepEqual(head, Object.keys(whole[0]!), 'a file names its columns as JSON does')
        lines.push(...rows)
        next = /^<\/api\/v1\/admin\/([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
      }
      assert.equal(lines.length, whole.length, list)
      const key = list === 'games' ? 'id' : 'game_id'
      const place = Object.keys(whole[0]!).indexOf(key)
      assert.deepEqual(
        lines.map((cells) => cells[place]),
        whole.map((row) => row[key]),
      )
    }
  })

  it('S0-27 a file comes by query or by Accept, is named, says its columns, and who took it stands in the audit chain', async () => {
    await aDraft({ title: 'Taken away' })
    for (const [query, accept] of [
      ['?format=csv', 'application/json'],
      ['', 'text/csv'],
      ['', 'application/json;q=0.5, text/csv'],
    ] as const) {
      const { status, headers, text } = await get(`games${query}`, operator, { accept })
      assert.equal(status, 200)
      assert.match(headers.get('content-type')!, /^text\/csv; charset=utf-8/)
      assert.equal(headers.get('content-disposition'), 'attachment; filename="games.csv"')
      assert.match(headers.get('vary') ?? '', /Accept/i)
      assert.equal(parsed(text)[0]![0], 'id')
    }
    for (const [query, accept] of [
      ['?format=json', 'text/csv'],
      ['', '*/*'],
      ['', 'application/json, text/csv;q=0.5'],
    ] as const)
      assert.match((await get(`games${query}`, operator, { accept })).headers.get('content-type')!, /json/)
    const exports = await product.ask('GET', '/api/v1/audit-logs?action=export&entity_type=game&limit=1', {
      token: operator,
    })
    const [row] = exports.body.data
    assert.deepEqual([row.user_id, row.new_values.limit], ['operator-1', 50])
    assert.ok(row.new_values.rows >= 1)
  })

  it('S0-27 a cell that a spreadsheet would run is text, a number stays a number, and quotes and lines survive', async () => {
    const title = '=HYPERLINK("https://evil.example","win")'
    const id = await aDraft({ title, guess_min: -5 })
    const rows = parsed((await get('games?format=csv&title=HYPERLINK')).text)
    const cell = (name: string) => rows[1]![rows[0]!.indexOf(name)]
    assert.deepEqual(
      [cell('id'), cell('title'), cell('guess_min'), cell('reel_id')],
      [id, `'${title}`, '-5', ''],
    )
    for (const text of ['=1', '+1', '-1', '@x', '\t=1', '\r=1', '\n=1', '  =1', '＝1', '＠x'])
      assert.equal(parsed(csvOf(['a'], [{ a: text }]))[1]![0], `'${text}`)
    for (const text of ['a', 'a=1', '"', 'a,b', 'a\r\nb', '"a"', 'für 5 €', ''])
      assert.equal(parsed(csvOf(['a', 'b'], [{ a: text, b: 1 }]))[1]![0], text)
    assert.deepEqual(parsed(csvOf(['a', 'b', 'c'], [{ a: -5, b: true, c: [1, -2] }]))[1], [
      '-5',
      'true',
      '1 -2',
    ])
  })
})
