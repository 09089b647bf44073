/** Raffles as doors use them: HTTP routes, the room, jobs and the load test call the same functions. */
import type { App } from '../../app.ts'
import { makeBatcher } from '../../db/batch.ts'
import type { Actor } from '../../db/tx.ts'
import type { Draws } from '../../draws/service.ts'
import { refuse } from '../../errors.ts'
import { dayStart } from '../../schedule.ts'
import { systemActor } from '../../system.ts'
import {
  cancelRaffle,
  eventKey,
  markNextLost,
  type Published,
  publishRaffle,
  refundNext,
  releaseOverdue,
} from './campaigns.ts'
import { type Allocation, allocate, type Facts, factsSchema, type PolicyName } from './policies.ts'
import { publishedRaffle, type RaffleBoard, readBoard, readRaffleSince } from './read.ts'
import { type EnterAnswer, type EnterInput, type EnterReply, enterBatch } from './sale.ts'
import {
  type CampaignRow,
  loadAnswered,
  loadCampaign,
  loadGiven,
  loadLastWin,
  loadOverdue,
  loadOverdueClaims,
  loadPolicy,
  loadPurchase,
  loadTimeZone,
} from './store.ts'
import { endOverdueWinners } from './winners.ts'

export type TicketRequest = {
  request_id: string
  quantity?: number | undefined
  numbers?: readonly number[] | undefined
  channel?: string | undefined
  client_entropy?: string | undefined
}

export type Entered = { answer: EnterAnswer; text: string; replayed: boolean }

export type AllocateRequest = {
  policy_id: string
  /** What happened, in the shape of the policy, and a key that names it: it gives tickets once. */
  event: unknown
  event_key: string
  user_id: string
  /** Typed in by staff: labelled, with the same chance. */
  is_staff?: boolean
}

export type Raffle = {
  find(actor: Actor, ref: string): Promise<CampaignRow | undefined>
  board(actor: Actor, ref: string): Promise<RaffleBoard>
  since(actor: Actor, ref: string, version: number): ReturnType<typeof readRaffleSince>
  /** Buys tickets for the caller. Refuses what `whyNotEnter` says, number_taken, insufficient_funds. */
  buy(actor: Actor, ref: string, request: TicketRequest): Promise<Entered>
  /** Holds tickets for the caller for a time. */
  reserve(actor: Actor, ref: string, request: TicketRequest): Promise<Entered>
  /** Pays for what is held. Refuses reservation_over, insufficient_funds. */
  payReserved(actor: Actor, purchase_id: string): Promise<Entered>
  /** Gives the tickets that a policy says an event is worth, once per event. Refuses no_tickets_due. */
  allocate(
    actor: Actor,
    ref: string,
    request: AllocateRequest,
  ): Promise<{ granted: Allocation; purchases: EnterAnswer[]; replayed: boolean }>
  publish(actor: Actor, ref: string): Promise<Published>
  cancel(actor: Actor, ref: string, why: string): Promise<{ campaign_id: string }>
  /** Does what is overdue in a tenant: reservations, claims, refunds. Answers when to look again, in milliseconds. */
  tidy(tenantId: string): Promise<number>
  stats(): ReturnType<ReturnType<typeof makeBatcher>['stats']>
}

const LOOK_AGAIN_MS = { busy: 50, idle: 1_000 }
/** Raffles of which a process knows what they promised. */
const PROMISES_KEPT = 1_000

/** What a buyer's request depends on; fixed when a raffle is published (resource.ts, migrations/0012_raffle.sql). */
type Promised = Pick<CampaignRow, 'id' | 'first_draw_id' | 'ticket_price'>

export function makeRaffle({
  app,
  draws,
  locked = () => false,
}: {
  app: App
  draws: Draws
  locked?: () => boolean
}): Raffle {
  const { games, entropy } = draws
  const entries = makeBatcher<EnterInput, EnterReply>({
    run: (tenantId, items) => app.run(systemActor(tenantId), enterBatch, items),
    // More at once would hash for longer than others should wait.
    batch_size_max: 64,
  })

  async function enter(
    actor: Actor,
    campaign: Promised,
    input: Omit<EnterInput, 'by' | 'campaign_id' | 'first_draw_id'>,
  ): Promise<Entered> {
    if (locked()) refuse('fairness_locked')
    const full = { ...input, by: actor, campaign_id: campaign.id, first_draw_id: campaign.first_draw_id! }
    const reply = await entries.submit(actor.tenantId, campaign.id, full)
    return { answer: JSON.parse(reply.text) as EnterAnswer, ...reply }
  }

  const published = (actor: Actor, ref: string) => app.run(actor, publishedRaffle, ref)

  const promises = new Map<string, Promised>()

  /** As `published`, without a transaction for each buyer: an id never means another raffle, and nothing of this changes. */
  async function promised(actor: Actor, ref: string): Promise<Promised> {
    const known = promises.get(`${actor.tenantId}/${ref}`)
    if (known !== undefined) return known
    const { id, first_draw_id, ticket_price } = await published(actor, ref)
    if (promises.size >= PROMISES_KEPT) promises.delete(promises.keys().next().value!)
    promises.set(`${actor.tenantId}/${id}`, { id, first_draw_id, ticket_price })
    return { id, first_draw_id, ticket_price }
  }

  const ask = async (actor: Actor, ref: string, request: TicketRequest, does: 'enter' | 'reserve') => {
    const { request_id, quantity, numbers, channel, client_entropy } = request
    const campaign = await promised(actor, ref)
    return enter(actor, campaign, {
      user_id: actor.userId,
      request_id,
      does,
      quantity: numbers?.length ?? quantity!,
      ...(numbers && { numbers }),
      ...(channel !== undefined && { channel }),
      ...(client_entropy !== undefined && { client_entropy }),
      via: campaign.ticket_price > 0 ? 'paid' : 'free',
    })
  }

  /** What is known about a user where a policy asks for it. */
  const factsOf = (actor: Actor, campaign: CampaignRow, policy_id: string, user_id: string): Promise<Facts> =>
    app.run(
      actor,
      async (tx) => {
        const since = dayStart(tx.now, await loadTimeZone(tx))
        const [given] = await loadGiven(tx, campaign.id, policy_id, [user_id], since)
        const last = await loadLastWin(tx, user_id)
        return factsSchema.parse({
          given: given?.given ?? 0,
          given_today: given?.given_today ?? 0,
          last_win_at: last?.won_at.toISOString() ?? null,
          last_win_cost_minor: last?.cost_minor ?? 0,
          now: tx.now.toISOString(),
        })
      },
      undefined,
    )

  async function allocateFor(actor: Actor, ref: string, request: AllocateRequest) {
    const campaign = await published(actor, ref)
    const policy = await app.run(actor, loadPolicy, request.policy_id)
    if (policy === undefined || !campaign.campaign_config.policies.includes(policy.id))
      refuse('not_found', { detail: 'This raffle has no such policy.' })
    const kind = policy.allocation_policy as PolicyName
    const request_id = eventKey(policy.id, request.event_key)
    const facts = await factsOf(actor, campaign, policy.id, request.user_id)
    const granted = allocate(kind, policy.policy_config, request.event, facts)
    const users = granted.users ?? [request.user_id]
    const quantity = granted.tickets / users.length
    const purchases: EnterAnswer[] = []
    let replayed = true
    for (const user_id of users) {
      const input = {
        user_id,
        request_id,
        does: 'enter' as const,
        quantity,
        ...(granted.numbers && { numbers: granted.numbers }),
        ...(granted.channel !== undefined && { channel: granted.channel }),
        ...(kind === 'random_number' && { numbering: 'random' as const }),
        ...(kind === 'sequential' && { numbering: 'sequential' as const }),
        via: request.is_staff === true ? 'staff' : kind,
        policy_id: policy.id,
        amount_minor: granted.amount_minor ?? 0,
      }
      // An event that was answered before is not asked about again: what is known has changed since.
      const before = await app.run(
        actor,
        (tx) => loadAnswered(tx, campaign.id, user_id, request_id),
        undefined,
      )
      if (before !== undefined) {
        purchases.push(JSON.parse(before) as EnterAnswer)
        continue
      }
      if (granted.tickets === 0) refuse('no_tickets_due', { detail: granted.why! })
      const entered = await enter(actor, campaign, input)
      replayed &&= entered.replayed
      purchases.push(entered.answer)
    }
    return { granted, purchases, replayed }
  }

  async function tidy(tenantId: string): Promise<number> {
    const actor = systemActor(tenantId)
    const overdue = await app.run(actor, (tx) => loadOverdue(tx), undefined)
    for (const { campaign_id, what } of overdue) {
      if (what === 'reservation') await app.run(actor, releaseOverdue, { campaign_id })
      else if (what === 'refund') await app.run(actor, refundNext, { campaign_id })
      else if (what === 'lost') await app.run(actor, markNextLost, { campaign_id })
      else {
        const ids = await app.run(actor, (tx) => loadOverdueClaims(tx, campaign_id), undefined)
        for (const draw_id of ids) await app.run(actor, endOverdueWinners, { draw_id })
      }
    }
    return overdue.length > 0 ? LOOK_AGAIN_MS.busy : LOOK_AGAIN_MS.idle
  }

  return {
    find: (actor, ref) => app.run(actor, (tx) => loadCampaign(tx, ref), undefined),
    board: (actor, ref) => app.run(actor, readBoard, { ref, games }),
    since: (actor, ref, version) => app.run(actor, readRaffleSince, { ref, version, games }),
    buy: (actor, ref, request) => ask(actor, ref, request, 'enter'),
    reserve: (actor, ref, request) => ask(actor, ref, request, 'reserve'),
    async payReserved(actor, purchase_id) {
      const purchase = await app.run(actor, loadPurchase, purchase_id)
      if (purchase === undefined || purchase.user_id !== actor.userId) refuse('not_found')
      const campaign = await published(actor, purchase.raffle_campaign_id)
      const { user_id, request_id, quantity, numbers, via } = purchase
      return enter(actor, campaign, {
        user_id,
        request_id,
        does: { pay: purchase_id },
        quantity,
        numbers,
        via,
      })
    },
    allocate: allocateFor,
    publish: (actor, ref) =>
      draws.promise(actor, publishRaffle, { ref, entropy }, ({ draw_ids }) => draw_ids),
    async cancel(actor, ref, why) {
      const done = await app.run(actor, cancelRaffle, { ref, why, games })
      // What is left when this process ends is given back by the next look of any other.
      for (let count = 1; count > 0; ) count = await app.run(actor, refundNext, done)
      return done
    },
    tidy,
    stats: entries.stats,
  }
}
