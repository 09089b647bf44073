/** Grants, campaign codes and referrals over HTTP. */
import { z } from 'zod'
import { refuse } from '../../errors.ts'
import { addressKey } from '../../http/limits.ts'
import { LIST_QUERY, listOf } from '../../http/resource.ts'
import { type Route, route } from '../../http/route.ts'
import { makeCodeMisses } from '../code-misses.ts'
import { GRANT_COUNT_MAX } from '../grant.ts'
import { campaignResource } from './campaigns.ts'
import { grantForEvent, readReferrals, redeemCampaign, referUser } from './grants.ts'

const TAGS = ['Campaigns and referrals']
const PATH = '/api/v1/gamification'

const userId = z.string().min(1).max(128)
const code = z
  .string()
  .trim()
  .toUpperCase()
  .regex(/^[A-Z0-9]{3,32}$/)

const result = z.strictObject({
  user_id: z.string(),
  result: z.enum(['granted', 'replayed', 'refused']),
  play_id: z.int().nullable(),
  code: z.string().nullable(),
})
const exampleResult = { user_id: 'alice', result: 'granted', play_id: 123, code: null } as const

const grantBody = z
  .strictObject({
    user_id: userId.optional(),
    user_ids: z.array(userId).min(1).max(GRANT_COUNT_MAX).optional(),
    prize_id: z.int().min(1).optional(),
    campaign_code: code.optional(),
    source: z
      .enum(['campaign', 'loyalty', 'support', 'partner', 'other'])
      .meta({ description: 'Referrals award themselves; see /gamification/referrals.' }),
    source_id: z
      .string()
      .min(1)
      .max(128)
      .meta({ description: 'The event that it is for: granted once per user, whatever the keys.' }),
  })
  .refine(({ user_id, user_ids }) => (user_id === undefined) !== (user_ids === undefined), {
    path: ['user_id'],
    message: 'One user_id, or user_ids.',
  })
  .refine(({ prize_id, campaign_code }) => (prize_id === undefined) !== (campaign_code === undefined), {
    path: ['prize_id'],
    message: 'A prize_id, or a campaign_code.',
  })
  .meta({
    id: 'PrizeGrant',
    example: { user_id: 'alice', prize_id: 1, source: 'support', source_id: 'ticket-4711' },
  })

const referral = z.strictObject({
  id: z.uuid(),
  user_id: z.string(),
  referrer_id: z.string(),
  status: z.enum(['open', 'awarded', 'refused']),
  why: z.string().nullable(),
  play_id: z.int().nullable(),
  created_at: z.string(),
})
const exampleReferral = {
  id: '0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
  user_id: 'bob',
  referrer_id: 'alice',
  status: 'open',
  why: null,
  play_id: null,
  created_at: '2026-11-20T12:00:00.000Z',
} as const

/** `/gamification/grants`, `/gamification/campaigns`, `/gamification/referrals`. */
export function grantRoutes(): Route[] {
  const misses = makeCodeMisses()
  return [
    route({
      method: 'post',
      path: `${PATH}/grants`,
      summary: 'Give a prize to a user, or to many, for an event',
      description:
        'The same event is granted once per user. With many users each has a result of its own; with one, a refusal is the answer.',
      tags: TAGS,
      roles: ['service'],
      once: 'optional',
      status: 201,
      body: grantBody,
      answer: z.strictObject({ data: z.array(result) }).meta({ example: { data: [exampleResult] } }),
      refusals: [
        'not_found',
        'obligation_conflict',
        'prize_out_of_stock',
        'campaign_not_open',
        'campaign_not_for_user',
        'campaign_exhausted',
        'campaign_limit_reached',
      ],
      run: ({ run, body: { user_id, user_ids, ...rest } }) =>
        run(grantForEvent, { ...rest, user_ids: user_ids ?? [user_id!] }),
    }),
    // Before the campaigns themselves: `redeem` is no id.
    route({
      method: 'post',
      path: `${PATH}/campaigns/redeem`,
      summary: 'Use the code of a campaign',
      description: 'Unknown codes are counted: ten misses in ten minutes are enough.',
      tags: TAGS,
      roles: ['player'],
      once: 'required',
      status: 201,
      body: z.strictObject({ code }).meta({ id: 'CampaignRedeem', example: { code: 'SPRING24' } }),
      answer: z.strictObject({ data: result }).meta({ example: { data: exampleResult } }),
      refusals: [
        'not_found',
        'rate_limited',
        'prize_out_of_stock',
        'campaign_not_open',
        'campaign_not_for_user',
        'campaign_exhausted',
        'campaign_limit_reached',
      ],
      async run({ run, body, actor, ip }) {
        // A code that is known and refused is no miss: whoever comes too late guesses nothing.
        const redeem = () =>
          run(redeemCampaign, body).then(
            (answer) => ({ answer }),
            (error: { code?: string }) => (error.code === 'not_found' ? undefined : { error }),
          )
        const found = await misses.count(`${actor.tenantId}/${actor.userId}`, addressKey(ip), redeem)
        if (found === undefined) refuse('not_found')
        if ('error' in found) throw found.error
        return found.answer
      },
    }),
    ...campaignResource().routes,
    route({
      method: 'post',
      path: `${PATH}/referrals`,
      summary: 'Note that a user was brought by another',
      description:
        "By the tenant's own systems, before the user has played. The first play awards the campaign's prize to the referrer, once.",
      tags: TAGS,
      roles: ['service'],
      once: 'optional',
      status: 201,
      body: z.strictObject({ user_id: userId, referrer_id: userId, campaign_code: code }).meta({
        id: 'Referral',
        example: { user_id: 'bob', referrer_id: 'alice', campaign_code: 'FRIENDS' },
      }),
      answer: z.strictObject({ data: referral }).meta({ example: { data: exampleReferral } }),
      refusals: ['not_found', 'referral_refused'],
      run: ({ run, body }) => run(referUser, body),
    }),
    route({
      method: 'get',
      path: `${PATH}/referrals`,
      summary: 'Referrals, newest first',
      tags: TAGS,
      roles: ['service', 'operator'],
      query: z.strictObject({
        ...LIST_QUERY,
        referrer_id: userId.optional().meta({ example: 'alice' }),
      }),
      answer: listOf(referral, exampleReferral),
      run: ({ run, query: { referrer_id, ...page } }) =>
        run(readReferrals, { ...page, referrer_id: referrer_id ?? null }),
    }),
  ]
}
