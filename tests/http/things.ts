/** One of everything that a tenant can own, made over HTTP, and how each route with parameters asks for it. */
import assert from 'node:assert/strict'
import { GAMES } from '../../src/games/index.ts'
import { exampleOf } from '../../src/http/resource.ts'
import { postTransfer } from '../../src/ledger/post.ts'
import { move, TENANT_OWNER } from '../../src/ledger/rules.ts'
import { systemActor } from '../../src/system.ts'
import type { Asked } from './harness.ts'
import type { Product } from './product.ts'

/** A path, the parameters of something that `acme` owns, parameters that nobody owns, and a body that fits. */
export type Case = [
  path: RegExp,
  owned: Record<string, string>,
  unknown: Record<string, string>,
  body?: unknown,
]

/** An id that was never given out. */
const NEVER = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f10'
const ORDER_ID = '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f11'
const NO_PLAY = { play_id: '999999' }
const ID = { id: NEVER }

/** Makes them in `acme`, beside the wheel `summer`; the first case that fits a path is the one for it. */
export async function casesOf(http: Product, wheel: { wheel_id: string; prize_id: number }): Promise<Case[]> {
  const [operator, service, creator, winner] = await Promise.all([
    http.token('operator'),
    http.token('service'),
    http.token('creator', { sub: 'carla' }),
    http.token('player', { sub: 'winner' }),
  ])
  const ask = async (token: string, method: string, path: string, more: Asked = {}) => {
    const answer = await http.ask(method, `/api/v1/${path}`, { token, ...more })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.body
  }
  const post = (token: string, path: string, json?: unknown) =>
    ask(token, 'POST', path, json === undefined ? {} : { json })

  const aPrize = (json: object) => post(operator, 'prizes', { name: 'A prize', ...json })
  let granted = 0
  /** An open prize of `winner`. */
  const aPlay = async (prize_id: number): Promise<number> => {
    const source_id = `things-${++granted}`
    const json = { user_id: 'winner', prize_id, source: 'support', source_id }
    const { play_id } = (await post(service, 'gamification/grants', json)).data[0]
    await post(winner, `gamification/unlock/${play_id}`)
    return play_id
  }
  const play_id = await aPlay(wheel.prize_id)
  const { prize_code } = (await ask(winner, 'GET', 'gamification/my_prizes')).data.find(
    (each: any) => each.id === play_id,
  )
  const play = { play_id: String(play_id) }
  await post(winner, `gamification/share/${play_id}`)

  const thing = await aPrize({ type: 'product', name: 'A phone' })
  await post(winner, `gamification/claim/${await aPlay(thing.id)}`, { name: 'W', address: 'Main Street 1' })
  const fulfilment = (await ask(operator, 'GET', 'fulfilments')).data[0]
  const walletGame = (await ask(operator, 'GET', 'gamification/games')).data[0]
  const stock = await post(operator, 'item-stocks', { item_id: 'i-1', item_name: 'An item', stock: 1 })
  const mystery = await aPrize({
    type: 'mystery',
    value: 'random',
    pool: [{ prize_id: wheel.prize_id, weight: 1 }],
  })
  const campaign = await post(operator, 'gamification/campaigns', {
    campaign_name: 'Spring',
    campaign_code: 'SPRING',
    prize_id: wheel.prize_id,
  })

  const gift = await post(winner, `gamification/gift/${await aPlay(wheel.prize_id)}`, { to: 'friend' })
  const trade = await post(winner, 'gamification/trades', {
    to: 'friend',
    give: [await aPlay(wheel.prize_id)],
    want: [play_id],
  })
  const listing = await post(winner, 'gamification/listings', {
    play_id: await aPlay(wheel.prize_id),
    price_minor: 100,
  })

  const template = await post(operator, 'game-templates', { template_name: 'T', template_type: 'wheel' })
  const engine = (await ask(operator, 'GET', 'game-engines')).data[0]
  await post(operator, 'blocked-users', { user_id: 'eve', reason: 'x' })
  const hook = await post(operator, 'webhooks', {
    url: 'https://shop.example/',
    event_types: ['prize.won'],
  })
  const sent = await post(operator, `webhooks/${hook.id}/test`)
  await post(winner, 'demo/shop/orders', {
    order_id: ORDER_ID,
    items: [{ id: 11, quantity: 1 }],
    order_type: 'takeaway',
    payment_method: 'card',
    zone_id: null,
    distance_m: null,
    play_id: null,
  })
  const game = await post(creator, 'games', {
    title: 'Guess the weight',
    mode: 'guess',
    rule: 'nearest',
    guess_min: 1,
    guess_max: 9,
    reward_type: 'product',
    reel_id: 'r-1',
    closes_at: '2099-01-01T00:00:00Z',
  })
  const { draw } = await post(creator, `games/${game.id}/publish`)
  const rule = await post(operator, 'alert-rules', {
    rule_name: 'Refunds',
    rule_kind: 'metric',
    alert_severity: 'info',
    settings: { metric_name: 'refunds', comparison: 'above', threshold: '0' },
  })
  await post(operator, 'analytics/metrics', {
    metric_name: 'refunds',
    metric_value: '1',
    metric_unit: 'count',
  })
  const alert = (await ask(operator, 'GET', 'alerts')).data[0]
  const account = await anAccount(http)
  const company = await post(operator, 'companies', { company_name: 'Pumpkins Ltd' })
  await ask(operator, 'PUT', `companies/${company.id}/members/carla`)
  const claim = await aClaim(http)

  const configuration = await post(operator, 'raffle-configurations', {
    config_name: 'Weekly',
    config_values: {},
  })
  const policy = await post(operator, 'raffle-ticket-allocation-policies', {
    policy_name: 'Free',
    allocation_policy: 'free',
  })
  const raffle = await post(operator, 'raffles', {
    campaign_name: 'Spring',
    ticket_price: 0,
    total_tickets: 10,
    start_time: '2020-01-01T00:00:00Z',
    end_time: '2098-01-01T00:00:00Z',
    draws: [{ draw_name: 'Final', draw_time: '2099-01-01T00:00:00Z', winning_tickets: 1 }],
  })
  const raffled = await post(operator, `raffles/${raffle.id}/publish`)
  const bought = await ask(winner, 'POST', `raffles/${raffle.id}/tickets`, {
    json: { quantity: 1 },
    headers: { 'idempotency-key': 'ticket-1' },
  })
  const purchase = [{ purchase_id: bought.purchase_id as string }, { purchase_id: NEVER }] as const
  const place = [
    { draw_id: raffled.draw_ids[0] as string, place: '1' },
    { draw_id: NEVER, place: '1' },
  ] as const

  const { complaint, block_id } = await aBlockedCreator(http)
  const samples = await casesOfSamples(http, operator)

  const span = { from: '2030-01-01T00:00:00Z', to: '2031-01-01T00:00:00Z' }
  const draw_id = { draw_id: draw.draw_id }
  const noDraw = { draw_id: NEVER }
  const slug = [{ slug: 'summer' }, { slug: 'winter' }] as const
  const prize = [{ prize_id: String(mystery.id) }, { prize_id: '999999' }] as const
  return [
    [/^\/api\/v1\/game-engines\//, { id: engine.id }, ID, {}],
    [/^\/api\/v1\/game-templates\//, { id: template.id }, ID, {}],
    [/^\/api\/v1\/blocked-users\//, { user_id: 'eve' }, { user_id: 'nobody' }],
    [/^\/api\/v1\/wheels\/\{id\}/, { id: wheel.wheel_id }, ID, {}],
    [/^\/api\/v1\/wheels\/\{slug\}\/spins/, ...slug, { request_id: 'r-1' }],
    [/^\/api\/v1\/wheels\/\{slug\}\/simulate/, ...slug, { spins: 10 }],
    [/^\/api\/v1\/wheels\/\{slug\}\//, ...slug],
    [
      /^\/api\/v1\/prizes\/\{id\}\/codes/,
      { id: String(wheel.prize_id) },
      { id: '999999' },
      { codes: ['STRANGER-1'] },
    ],
    [/^\/api\/v1\/prizes\//, { id: String(wheel.prize_id) }, { id: '999999' }, {}],
    [/^\/api\/v1\/mysteries\/.*\/rotate/, ...prize, { client_seed: 'a-seed-of-my-own' }],
    [/^\/api\/v1\/mysteries\//, ...prize],
    [/^\/api\/v1\/item-stocks\//, { id: String(stock.id) }, { id: '999999' }, {}],
    [/^\/api\/v1\/fulfilments\//, { id: fulfilment.id }, ID, { note: 'x' }],
    [/\/gamification\/games\//, { id: String(walletGame.id) }, { id: '999999' }, {}],
    [/\/gamification\/prize\//, { prize_code }, { prize_code: 'ZZZZZZZZ' }],
    [/\/gamification\/gift\//, play, NO_PLAY, { to: 'friend' }],
    [/\/gamification\/gifts\//, { id: gift.data.id }, ID],
    [/\/gamification\/trades\//, { id: trade.data.id }, ID],
    [/\/gamification\/listings\//, { id: listing.data.id }, ID],
    [/\/gamification\/campaigns\//, { id: campaign.id }, ID, {}],
    [/\/gamification\/claim\//, play, NO_PLAY, { name: 'X', phone: '1' }],
    [/\/gamification\/rollback\//, play, NO_PLAY, { order_id: 1, reason: 'x' }],
    [/\/gamification\/(apply|hold|release)\//, play, NO_PLAY, { order_id: 1 }],
    [/\/gamification\/\w+\/\{play_id\}/, play, NO_PLAY, {}],
    [/^\/api\/v1\/alert-rules\//, { id: rule.id }, ID, {}],
    [/^\/api\/v1\/alerts\/\{id\}\/resolve/, { id: alert.id }, ID, { resolution: 'harmless' }],
    [/^\/api\/v1\/alerts\//, { id: alert.id }, ID],
    [/^\/api\/v1\/ledger\/accounts\//, { id: account }, ID],
    [/^\/api\/v1\/demo\/shop\/orders\//, { order_id: ORDER_ID }, { order_id: NEVER }],
    [/\/deliveries\/\{/, { id: hook.id, delivery_id: sent.delivery_id }, { id: NEVER, delivery_id: NEVER }],
    [/^\/api\/v1\/webhooks\/\{id\}\/replay/, { id: hook.id }, ID, span],
    [/^\/api\/v1\/webhooks\//, { id: hook.id }, ID, {}],
    [/^\/api\/v1\/games\/\{id\}\/guesses/, { id: game.id }, ID, { request_id: 'g-1', value: 1 }],
    [/^\/api\/v1\/games\/\{id\}\/cancel/, { id: game.id }, ID, { reason: 'x' }],
    [/^\/api\/v1\/games\/\{id\}\/pause/, { id: game.id }, ID, { minutes: 5, reason: 'x' }],
    [
      /^\/api\/v1\/games\/\{id\}\/extend/,
      { id: game.id },
      ID,
      { closes_at: '2099-01-02T00:00:00Z', reason: 'x' },
    ],
    [/^\/api\/v1\/games\/\{id\}\/resume/, { id: game.id }, ID],
    [/^\/api\/v1\/(creator\/)?games\/\{id\}/, { id: game.id }, ID, {}],
    [/^\/api\/v1\/companies\//, { id: company.id, user_id: 'carla' }, { ...ID, user_id: 'carla' }, {}],
    [/\/claims\/\{id\}\/proofs\//, { id: claim.claim_id, proof_id: NEVER }, { ...ID, proof_id: NEVER }],
    [/\/claims\/\{id\}\/messages/, { id: claim.claim_id }, ID, { message: 'x' }],
    [/\/claims\/\{id\}\/complaints/, { id: claim.claim_id }, ID, { message: 'x' }],
    [/^\/api\/v1\/claims\//, { id: claim.claim_id }, ID],
    [/\/complaints\/\{id\}\/answer/, { id: complaint.complaint_id }, ID, { answer: 'x' }],
    [/\/complaints\/\{id\}/, { id: complaint.complaint_id }, ID, { status: 'reviewed' }],
    [/\/creators\/\{name\}/, { name: complaint.creator }, { name: 'player-nobody' }],
    [/\/creator-blocks\/\{id\}\/appeal/, { id: block_id }, ID, { appeal: 'x' }],
    [/\/creator-blocks\/\{id\}\/decision/, { id: block_id }, ID, { decision: 'lifted' }],
    [/^\/api\/v1\/reels\//, { reel_id: 'r-1' }, { reel_id: 'r-2' }],
    [/^\/api\/v1\/draws\/\{draw_id\}\/forfeit/, draw_id, noDraw, { place: 1, reason: 'x' }],
    [/\/redraws\/decision/, draw_id, noDraw, { approve: true }],
    [/\/redraws/, draw_id, noDraw, { reason: 'x' }],
    [/\/winners\/\{place\}/, ...place, { to: 'contacted' }],
    [/\/draws\/\{draw_id\}\/claim/, draw_id, noDraw],
    [/\/raffles\/\{id\}\/(tickets|reservations)/, { id: raffle.id }, ID, { quantity: 1 }],
    [/\/raffles\/\{id\}\/cancel/, { id: raffle.id }, ID, { why: 'x' }],
    [
      /\/raffles\/\{id\}\/allocate/,
      { id: raffle.id },
      ID,
      { policy_id: NEVER, user_id: 'x', event: {}, event_key: 'e-1' },
    ],
    [/\/raffles\/\{id\}/, { id: raffle.id }, ID, {}],
    [/\/raffle-configurations\//, { id: configuration.id }, ID, {}],
    [/\/preview$/, { id: policy.id }, ID, { events: [{ event: {} }] }],
    [/\/raffle-ticket-allocation-policies\//, { id: policy.id }, ID, {}],
    [/\/raffle-(reservations|purchases)\//, ...purchase, { reason: 'x' }],
    ...samples,
  ]
}

/** A sample of every game of the registry, and each of its routes with the body of its own example. */
async function casesOfSamples(http: Product, token: string): Promise<Case[]> {
  const now_ms = http.clock.now().getTime()
  const at = (ms: number) => new Date(now_ms + ms).toISOString()
  const cases: Case[] = []
  for (const { name, samples } of GAMES) {
    const post = async ({ path, body }: { path: string; body?: object }) => {
      const headers = { 'idempotency-key': `${name}-${path}`.replaceAll('/', '-') }
      const asked = { token, headers, ...(body && { json: body }) }
      const answer = await http.ask('POST', `/api/v1/${path}`, asked)
      assert.ok(answer.status < 300, `${path}: ${answer.text}`)
      return answer.body
    }
    const create = samples[0]!.create({ opens_at: at(0), closes_at: at(3_600_000) })
    const { id } = await post(create)
    await post(samples[0]!.publish(id))
    for (const { path, body } of http.routes.filter((each) =>
      each.path.startsWith(`/api/v1/${create.path}/{id}`),
    ))
      cases.push([new RegExp(`^${path.replaceAll(/[{}]/g, '\\$&')}$`), { id }, ID, body && exampleOf(body)])
  }
  return cases
}

/** A reward that the player `winner` won in a game of the creator `carla`, and claimed. */
export async function aClaim(http: Product, wish: Record<string, unknown> = {}) {
  const creator = await http.token('creator', { sub: 'carla' })
  const winner = await http.token('player', { sub: 'winner' })
  const post = async (token: string, path: string, json?: unknown) => {
    const answer = await http.ask('POST', `/api/v1/${path}`, { token, ...(json !== undefined && { json }) })
    assert.ok(answer.status < 300, `${path}: ${answer.text}`)
    return answer.body
  }
  const closes_at = new Date(http.clock.now().getTime() + 60_000).toISOString()
  const game = { title: 'A pumpkin', mode: 'draw', reward_type: 'product', closes_at, ...wish }
  const { id } = await post(creator, 'games', game)
  await post(creator, `games/${id}/publish`)
  await post(winner, `games/${id}/guesses`, { request_id: 'g-1' })
  for (const duration_ms of [61_000, 600_000, 600_000]) {
    http.clock.advance(duration_ms)
    await http.draws.advanceDue(http.tenant.id)
  }
  return post(winner, 'claims', { game_id: id })
}

/** A complaint of `winner` that was decided against `carla`, who may create no games for it. */
async function aBlockedCreator(http: Product): Promise<{ complaint: any; block_id: string }> {
  const operator = await http.token('operator')
  const ask = async (method: string, path: string, asked: Asked) => {
    const answer = await http.ask(method, `/api/v1/${path}`, asked)
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`)
    return answer.body
  }
  const { claim_id } = await aClaim(http, { claim_window_hours: 1 })
  http.clock.advance(3_600_000)
  const complaint = await ask('POST', `claims/${claim_id}/complaints`, {
    token: await http.token('player', { sub: 'winner' }),
    json: { message: 'Nothing came.' },
  })
  const any = { token: operator, headers: { 'if-match': '*' } }
  const settings = { answer_hours: 72, failures_max: 1, failure_days: 30, block_days: 30 }
  await ask('PUT', 'claim-settings', { ...any, json: settings })
  const path = `complaints/${complaint.complaint_id}`
  await ask('PATCH', path, { ...any, json: { status: 'reviewed' } })
  await ask('PATCH', path, { ...any, json: { status: 'resolved', outcome: 'unfulfilled' } })
  const { data } = await ask('GET', 'creator-blocks', { token: operator })
  return { complaint, block_id: data[0].block_id }
}

/** A file as a browser sends it. */
export async function formOf(
  ...files: readonly { name?: string; bytes: Uint8Array | string; type?: string }[]
) {
  const form = new FormData()
  for (const { name = 'file', bytes, type = 'image/jpeg' } of files)
    form.append(name, new Blob([bytes as never], { type }), 'picture')
  const response = new Response(form)
  return {
    text: new Uint8Array(await response.arrayBuffer()),
    headers: { 'content-type': response.headers.get('content-type')! },
  }
}

/** An account in the ledger of acme. */
async function anAccount(http: Product): Promise<string> {
  const house = { account_kind: 'house', owner_id: TENANT_OWNER } as const
  const { postings } = await http.app.run(systemActor(http.tenant.id), postTransfer, {
    obligation: 'test:account',
    transfer_type: 'test',
    postings: move(1, 'EUR', house, { account_kind: 'cash', owner_id: 'winner' }),
  })
  return postings[0]!.account_id
}
