/** Cards of wins over HTTP: made by their owner, seen by anybody. */
import { z } from 'zod'
import type { App } from '../../app.ts'
import { refuse } from '../../errors.ts'
import { type Route, route } from '../../http/route.ts'
import { systemActor } from '../../system.ts'
import type { Directory } from '../../tenants/directory.ts'
import { type Card, readCard, SHARE_ADDRESS, sharePrize, unsharePrize } from './share.ts'
import { sharePage } from './share-page.ts'

const TAGS = ['Shared wins']
/** How long a card that was taken back can still be shown by whoever fetched it before. */
const CACHE_S = 60
/** A link that is passed around is opened by many, and one address can be a whole school. */
const RATE = { points: 120, duration_s: 60 }

const EXAMPLE = 'demo.0123456789ABCDEFGHJKMNPQRS'
const play = z.strictObject({
  play_id: z
    .string()
    .regex(/^[1-9]\d{0,14}$/)
    .meta({ example: '123' }),
})
const address = z.strictObject({ token: z.string().regex(SHARE_ADDRESS).meta({ example: EXAMPLE }) })

const share = z.strictObject({ token: z.string(), url: z.string(), page_url: z.string() })
const card = z.strictObject({
  player: z.string().meta({ description: 'A pseudonym.' }),
  is_winner: z.boolean().meta({ description: 'False: it was received from somebody.' }),
  game_name: z.string(),
  game_type: z.string(),
  won_at: z.string(),
  is_locked: z.boolean(),
  prize_name: z.string().nullable(),
  prize_description: z.string().nullable(),
  display_value: z.string().nullable(),
  prize_color: z.string().nullable(),
  prize_image: z.string().nullable(),
  rarity: z.string().nullable(),
  verify_url: z
    .string()
    .nullable()
    .meta({ description: 'The transcript; null while locked, and for what was not drawn.' }),
  verify_page_url: z.string().nullable(),
})

export type ShareRouteDeps = { app: App; directory: Directory }

/** `POST|DELETE /gamification/share/{play_id}`, `GET /share/{token}` as JSON and as a page. */
export function shareRoutes({ app, directory }: ShareRouteDeps): Route[] {
  /** The address names the tenant; an unknown one, and one that is switched off, is an unknown card. */
  async function cardOf(token: string): Promise<Card> {
    const [, tenant_code, secret] = SHARE_ADDRESS.exec(token)!
    const tenant = await directory.byCode(tenant_code!)
    if (tenant === undefined || !tenant.is_active) refuse('not_found')
    return app.run(systemActor(tenant.id), readCard, { token: secret! })
  }
  const cached = () => ({ 'Cache-Control': `public, max-age=${CACHE_S}` })
  return [
    route({
      method: 'post',
      path: '/api/v1/gamification/share/{play_id}',
      summary: 'Make a card of a prize of mine that anybody can see',
      description:
        'One card per prize; a repetition answers it. It shows the win and its proof, never the code or who I am, and of a locked prize nothing.',
      tags: TAGS,
      roles: ['player'],
      once: 'optional',
      status: 201,
      params: play,
      answer: z.strictObject({ data: share }).meta({
        example: {
          data: { token: EXAMPLE, url: `/api/v1/share/${EXAMPLE}`, page_url: `/share/${EXAMPLE}` },
        },
      }),
      refusals: ['not_found', 'prize_not_won'],
      run: ({ run, params, identity }) =>
        run(async (tx, input: Parameters<typeof sharePrize>[1]) => ({ data: await sharePrize(tx, input) }), {
          play_id: Number(params.play_id),
          tenant_code: identity!.tenantCode,
        }),
    }),
    route({
      method: 'delete',
      path: '/api/v1/gamification/share/{play_id}',
      summary: 'Take a card back',
      description: `Whoever fetched it in the last ${CACHE_S} seconds may still be shown it. A new card has another address.`,
      tags: TAGS,
      roles: ['player'],
      params: play,
      refusals: ['not_found'],
      run: ({ run, params }) => run(unsharePrize, { play_id: Number(params.play_id) }),
    }),
    route({
      method: 'get',
      path: '/api/v1/share/{token}',
      summary: 'A shared win',
      description: 'Unknown, taken back, and passed on answer alike.',
      tags: TAGS,
      roles: 'anyone',
      params: address,
      rate: RATE,
      headers: cached,
      answer: z.strictObject({ data: card }).meta({
        example: {
          data: {
            player: 'player-k7m2q',
            is_winner: true,
            game_name: 'Spin to Win',
            game_type: 'spin_wheel',
            won_at: '2026-11-20T12:00:00.000Z',
            is_locked: false,
            prize_name: '10% Discount',
            prize_description: 'Get 10% off your next order',
            display_value: '10% OFF',
            prize_color: '#8DC63F',
            prize_image: null,
            rarity: 'common',
            verify_url: '/api/v1/verify/0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
            verify_page_url: '/verify?event=0192f0c1-6c1b-7a52-b9a4-0d6a3c7e9f14',
          },
        },
      }),
      refusals: ['not_found'],
      run: async ({ params }) => ({ data: await cardOf(params.token) }),
    }),
    route({
      method: 'get',
      path: '/share/{token}',
      summary: 'A shared win as a page, with what link previews read',
      tags: TAGS,
      roles: 'anyone',
      params: address,
      rate: RATE,
      headers: cached,
      media: 'text/html; charset=utf-8',
      answer: z.string().meta({ example: '<!doctype html>' }),
      refusals: ['not_found'],
      run: async ({ params }) => sharePage(await cardOf(params.token)),
    }),
  ]
}
