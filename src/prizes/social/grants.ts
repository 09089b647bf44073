/**
 * Prizes that are given and not won: by the tenant's own systems, by a campaign's code, for bringing somebody. Each
 * event of a source is granted once per user, for ever, whatever keys the requests have.
 *
 * Lock order: source or referrals, campaign, definitions, ledger accounts, heads.
 */
import type { Tx } from '../../db/tx.ts'
import { type ErrorCode, Refusal, refuse } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { grantPrizes, type PrizeGrant } from '../grant.ts'
import {
  type CampaignRow,
  countCampaign,
  endReferral,
  insertGrants,
  insertReferral,
  insertSourceGame,
  loadCampaignCounts,
  loadGrants,
  loadReferral,
  loadReferralFacts,
  loadReferralPage,
  loadSourceGame,
  lockCampaign,
  lockCampaignByCode,
  lockDueReferrals,
  lockReferrals,
  lockSource,
  type ReferralRow,
  type Source,
} from './grant-store.ts'
import { whyNotGrant, whyNotRefer } from './rules.ts'

/** How wallets name the game of what was given. */
const GAME_NAMES: Record<Source, string> = {
  campaign: 'Campaign',
  referral: 'Referral',
  loyalty: 'Loyalty',
  support: 'With our apologies',
  partner: 'Partner',
  other: 'Gift of the house',
}

export type GrantInput = {
  user_ids: readonly string[]
  source: Source
  source_id: string
  /** A definition, or the campaign that names one. */
  prize_id?: number | undefined
  campaign_code?: string | undefined
}

export type GrantResult = {
  user_id: string
  /** `granted` now, `replayed` from before, `refused` with a code. */
  result: 'granted' | 'replayed' | 'refused'
  play_id: number | null
  code: ErrorCode | null
}

/**
 * Grants a prize to users for one event, and answers each user with its own result. Users that the event was granted to
 * before are answered with that play. Refuses not_found (no such campaign), obligation_conflict when the event was
 * granted with another prize.
 */
export async function grantForEvent(tx: Tx, input: GrantInput): Promise<{ data: GrantResult[] }> {
  const { campaign_code } = input
  await lockSource(tx, input.source, input.source_id)
  const campaign =
    campaign_code === undefined
      ? null
      : ((await lockCampaignByCode(tx, campaign_code)) ?? refuse('not_found'))
  return { data: await grantAll(tx, { ...input, by_service: true }, campaign) }
}

/**
 * Redeems a campaign's code for the actor: as often as the campaign allows one user, each time one grant. Refuses
 * not_found for an unknown code and for a campaign that only the tenant's own systems grant, and what whyNotGrant says.
 */
export async function redeemCampaign(tx: Tx, { code }: { code: string }): Promise<{ data: GrantResult }> {
  const campaign = await lockCampaignByCode(tx, code)
  if (campaign === undefined || campaign.audience === 'service') refuse('not_found')
  const user_id = tx.actor.userId
  const [counted] = await loadCampaignCounts(tx, campaign.id, [user_id])
  const source_id = `${campaign.id}:${(counted?.count ?? 0) + 1}`
  const event = { user_ids: [user_id], source: 'campaign' as const, source_id, by_service: false }
  const [result] = await grantAll(tx, event, campaign)
  return { data: result! }
}

type Event = Omit<GrantInput, 'campaign_code'> & { by_service: boolean }

/** Refuses as a whole when there is one user, so that a single grant fails loudly. */
async function grantAll(tx: Tx, event: Event, campaign: CampaignRow | null): Promise<GrantResult[]> {
  const { source, source_id } = event
  const user_ids = [...new Set(event.user_ids)]
  const prize_id = campaign?.prize_id ?? event.prize_id!
  const before = await loadGrants(tx, source, source_id, user_ids)
  if (before.some((each) => each.prize_id !== prize_id || each.campaign_id !== (campaign?.id ?? null)))
    refuse('obligation_conflict', { detail: 'This event was granted with another prize.' })

  const fresh = user_ids.filter((user_id) => before.every((each) => each.user_id !== user_id))
  const refusals = await refusalsOf(tx, fresh, campaign, event.by_service)
  const allowed = fresh.filter((user_id) => !refusals.has(user_id))
  const plays = await give(tx, { allowed, prize_id, source, source_id, campaign }, refusals)
  if (user_ids.length === 1) for (const refusal of refusals.values()) throw refusal
  return user_ids.map((user_id) => {
    const refusal = refusals.get(user_id)
    const replayed = before.find((each) => each.user_id === user_id)?.play_id
    if (refusal !== undefined) return { user_id, result: 'refused', play_id: null, code: refusal.code }
    if (replayed !== undefined) return { user_id, result: 'replayed', play_id: replayed, code: null }
    return { user_id, result: 'granted', play_id: plays.get(user_id)!, code: null }
  })
}

/** What the campaign says against each user, in order, each seeing the numbers that those before left. */
async function refusalsOf(
  tx: Tx,
  user_ids: readonly string[],
  campaign: CampaignRow | null,
  by_service: boolean,
): Promise<Map<string, Refusal>> {
  const refusals = new Map<string, Refusal>()
  if (campaign === null || user_ids.length === 0) return refusals
  const counts = new Map(
    (await loadCampaignCounts(tx, campaign.id, user_ids)).map((row) => [row.user_id, row.count]),
  )
  const running = { ...campaign }
  for (const user_id of user_ids) {
    const given = {
      user_id,
      by_service,
      granted_to_user: counts.get(user_id) ?? 0,
      cost_minor: campaign.cost_minor,
    }
    const why = whyNotGrant(running, given, tx.now)
    if (why === null) {
      running.granted_count += 1
      running.spent_minor += campaign.cost_minor
    } else {
      const { code, detail, facts } = why
      refusals.set(user_id, new Refusal(code, { detail, ...(facts && { facts }) }))
    }
  }
  return refusals
}

async function gameOf(tx: Tx, source: Source): Promise<number> {
  const known = await loadSourceGame(tx, source)
  if (known !== undefined) return known
  await insertSourceGame(tx, source, GAME_NAMES[source])
  return (await loadSourceGame(tx, source))!
}

type Given = {
  allowed: readonly string[]
  prize_id: number
  source: Source
  source_id: string
  campaign: CampaignRow | null
}

/** Plays by user; what cannot be given is added to the refusals. */
async function give(
  tx: Tx,
  { allowed, prize_id, source, source_id, campaign }: Given,
  refusals: Map<string, Refusal>,
): Promise<Map<string, number>> {
  const plays = new Map<string, number>()
  if (allowed.length === 0) return plays
  const game_id = await gameOf(tx, source)
  const game_data = { source, source_id, ...(campaign && { campaign_code: campaign.campaign_code }) }
  const wanted: PrizeGrant[] = allowed.map((user_id) => ({
    user_id,
    prize_id,
    game_id,
    event_id: newId(),
    game_data,
  }))
  const verdicts = await grantPrizes(tx, wanted)
  const made = verdicts.flatMap((verdict, i) => {
    const { user_id, event_id: id } = wanted[i]!
    if ('refusal' in verdict) {
      refusals.set(user_id, verdict.refusal as Refusal)
      return []
    }
    const { play_id, cost_minor } = verdict.answer
    plays.set(user_id, play_id)
    return [{ id, user_id, prize_id, play_id, cost_minor }]
  })
  if (made.length === 0) return plays
  await insertGrants(tx, { source, source_id, campaign_id: campaign?.id ?? null }, made)
  const cost_minor = made.reduce((sum, each) => sum + each.cost_minor, 0)
  if (campaign !== null) await countCampaign(tx, campaign.id, made.length, cost_minor)
  return plays
}

export type ReferralView = {
  id: string
  user_id: string
  referrer_id: string
  status: 'open' | 'awarded' | 'refused'
  why: string | null
  play_id: number | null
  created_at: string
}

/**
 * Notes that a user was brought by another; the campaign's prize is theirs when the user plays for the first time. The
 * same referral sent again is answered as it stands. Refuses not_found (no such campaign) and referral_refused.
 */
export async function referUser(
  tx: Tx,
  { user_id, referrer_id, campaign_code }: { user_id: string; referrer_id: string; campaign_code: string },
): Promise<{ data: ReferralView }> {
  await lockReferrals(tx)
  const campaign = (await lockCampaignByCode(tx, campaign_code)) ?? refuse('not_found')
  const standing = await loadReferral(tx, user_id)
  if (standing?.referrer_id === referrer_id && standing.campaign_id === campaign.id)
    return { data: referralView(standing) }
  const { is_referred, has_played, ancestors } = await loadReferralFacts(tx, user_id, referrer_id)
  const facts = { user_id, referrer_id, is_referred, has_played, ancestors_of_referrer: ancestors }
  const why = whyNotRefer(facts)
  if (why !== null) refuse('referral_refused', { facts: { why } })
  const row = await insertReferral(tx, { id: newId(), user_id, referrer_id, campaign_id: campaign.id })
  tx.audit({
    action: 'refer',
    entity_type: 'referral',
    entity_id: row.id,
    new_values: { user_id, referrer_id, campaign_code, referral_status: 'open' },
  })
  return { data: referralView(row) }
}

function referralView({
  referral_status,
  created_at,
  campaign_id: _inside,
  ...row
}: ReferralRow): ReferralView {
  return { ...row, status: referral_status, created_at: created_at.toISOString() }
}

/** Referrals, newest first: all for the tenant's staff and systems. Refuses invalid_input for a cursor that is none. */
export async function readReferrals(
  tx: Tx,
  { referrer_id, limit, cursor }: { referrer_id: string | null; limit: number; cursor?: string | undefined },
) {
  if (cursor !== undefined && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(cursor))
    refuse('invalid_input', {
      errors: [{ pointer: '/cursor', detail: 'This is no cursor of this list.' }],
    })
  const rows = await loadReferralPage(tx, referrer_id, { before: cursor ?? null, limit: limit + 1 })
  const page = rows.slice(0, limit)
  return { data: page.map(referralView), next_cursor: rows.length > limit ? page.at(-1)!.id : null }
}

/** As many as one transaction awards. */
const AWARD_COUNT = 100

/**
 * Awards referrals whose user has played for the first time: the campaign's prize to whoever brought the user, once. A
 * campaign that gives nothing any more refuses the referral for good, and says why. Answers how many; a full number
 * means that there are more.
 */
export async function awardReferrals(tx: Tx): Promise<{ awarded: number; has_more: boolean }> {
  const due = await lockDueReferrals(tx, AWARD_COUNT)
  let awarded = 0
  for (const { id, referrer_id, campaign_id } of due) {
    const campaign = (await lockCampaign(tx, campaign_id))!
    const event = {
      user_ids: [referrer_id],
      source: 'referral' as const,
      source_id: id,
      by_service: true,
    }
    const refusals = await refusalsOf(tx, [referrer_id], campaign, true)
    const plays = await give(
      tx,
      { ...event, allowed: refusals.size > 0 ? [] : [referrer_id], prize_id: campaign.prize_id, campaign },
      refusals,
    )
    const play_id = plays.get(referrer_id) ?? null
    const why = refusals.get(referrer_id)?.code ?? null
    await endReferral(tx, id, { play_id, why })
    if (play_id !== null) awarded += 1
    tx.audit({
      action: play_id === null ? 'referral.refused' : 'referral.awarded',
      entity_type: 'referral',
      entity_id: id,
      new_values: { referral_status: play_id === null ? 'refused' : 'awarded', play_id, why },
    })
  }
  return { awarded, has_more: due.length === AWARD_COUNT }
}
