/** Statements over grants, campaigns and referrals. */
import type { Tx } from '../../db/tx.ts'
import type { CampaignTerms } from './rules.ts'

export type Source = 'campaign' | 'referral' | 'loyalty' | 'support' | 'partner' | 'other'

/** The game under which prizes of a source stand in wallets. */
export async function loadSourceGame(tx: Tx, source: Source): Promise<number | undefined> {
  const row = await tx.one<{ id: number }>(
    'select id from gamification_games where game_type = $1',
    [source],
    'load_source_game',
  )
  return row?.id
}

/** Makes it when it is needed first; whoever was faster made it. */
export async function insertSourceGame(tx: Tx, source: Source, name: string): Promise<void> {
  await tx.rows(
    `insert into gamification_games (game_name, game_type, created_at, updated_at) values ($2, $1, $3, $3)
     on conflict (tenant_id, game_type) where game_type in ('campaign', 'referral', 'loyalty', 'support', 'partner', 'other')
     do nothing`,
    [source, name, tx.now],
    'insert_source_game',
  )
}

export type GrantRow = { user_id: string; prize_id: number; play_id: number; campaign_id: string | null }

/** What was granted for an event to these users. */
export function loadGrants(tx: Tx, source: Source, source_id: string, user_ids: readonly string[]) {
  return tx.rows<GrantRow>(
    `select user_id, prize_id, play_id, campaign_id from prize_grants
     where source = $1 and source_id = $2 and user_id = any($3::text[])`,
    [source, source_id, user_ids],
    'load_grants',
  )
}

/** Grants of one event follow one another: what was granted is all there is. */
export async function lockSource(tx: Tx, source: Source, source_id: string): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'grant', app_tenant_id(), $1::text, $2::text), 0))`,
    [source, source_id],
    'lock_source',
  )
}

export type NewGrant = { id: string; user_id: string; prize_id: number; play_id: number; cost_minor: number }

/** Writes grants of one event. The unique key refuses one that was made meanwhile. */
export async function insertGrants(
  tx: Tx,
  given: { source: Source; source_id: string; campaign_id: string | null },
  grants: readonly NewGrant[],
): Promise<void> {
  await tx.rows(
    `insert into prize_grants (id, source, source_id, user_id, prize_id, play_id, campaign_id, cost_minor, granted_by, created_at)
     select r.id, $2, $3, r.user_id, r.prize_id, r.play_id, $4, r.cost_minor, $5, $6
     from json_to_recordset($1::json) as r(id uuid, user_id text, prize_id bigint, play_id bigint, cost_minor bigint)`,
    [JSON.stringify(grants), given.source, given.source_id, given.campaign_id, tx.actor.userId, tx.now],
    'insert_grants',
  )
}

export type CampaignRow = CampaignTerms & {
  id: string
  campaign_code: string
  campaign_name: string
  prize_id: number
  cost_minor: number
}

const CAMPAIGN = `c.id, c.campaign_code, c.campaign_name, c.prize_id, c.audience, c.audience_users, c.starts_at, c.ends_at,
  c.per_user_max, c.grants_max, c.budget_minor, c.granted_count, c.spent_minor, c.is_active, p.cost_minor`

/** A campaign by its code, locked: its numbers are counted by one at a time. Comes before the lock of a definition. */
export function lockCampaignByCode(tx: Tx, code: string) {
  return tx.one<CampaignRow>(
    `select ${CAMPAIGN} from prize_campaigns c join gamification_prizes p on p.id = c.prize_id
     where c.campaign_code = $1 for no key update of c`,
    [code],
    'lock_campaign_by_code',
  )
}

/** The same by its id. */
export function lockCampaign(tx: Tx, id: string) {
  return tx.one<CampaignRow>(
    `select ${CAMPAIGN} from prize_campaigns c join gamification_prizes p on p.id = c.prize_id
     where c.id = $1 for no key update of c`,
    [id],
    'lock_campaign',
  )
}

/** How often a campaign gave to each of these users. */
export function loadCampaignCounts(tx: Tx, campaign_id: string, user_ids: readonly string[]) {
  return tx.rows<{ user_id: string; count: number }>(
    `select user_id, count(*)::int as count from prize_grants
     where campaign_id = $1 and user_id = any($2::text[]) group by user_id`,
    [campaign_id, user_ids],
    'load_campaign_counts',
  )
}

/** Adds to the numbers of a campaign whose lock we hold. */
export async function countCampaign(tx: Tx, id: string, count: number, cost_minor: number): Promise<void> {
  await tx.rows(
    `update prize_campaigns set granted_count = granted_count + $2, spent_minor = spent_minor + $3, updated_at = $4 where id = $1`,
    [id, count, cost_minor, tx.now],
    'count_campaign',
  )
}

/** Referrals of a tenant are made one at a time: a loop needs two. */
export async function lockReferrals(tx: Tx): Promise<void> {
  await tx.rows(
    `select pg_advisory_xact_lock(hashtextextended(concat_ws(E'\\n', 'referrals', app_tenant_id()), 0))`,
    [],
    'lock_referrals',
  )
}

/** What stands against a referral: the user was referred, has played; and who brought the referrer, up to the root. */
export async function loadReferralFacts(tx: Tx, user_id: string, referrer_id: string) {
  const row = await tx.one<{ is_referred: boolean; has_played: boolean; ancestors: string[] }>(
    `with recursive chain (referrer_id) as (
       select referrer_id from referrals where user_id = $2
       union select r.referrer_id from chain join referrals r on r.user_id = chain.referrer_id
     )
     select exists (select from referrals where user_id = $1) as is_referred,
            exists (${PLAYED}) as has_played,
            (select coalesce(array_agg(referrer_id), '{}') from chain) as ancestors`,
    [user_id, referrer_id],
    'load_referral_facts',
  )
  return row!
}

/** A play of a game by user $1, whoever has its prize now; what was granted to somebody, or came out of a bundle, is no play of his. */
const PLAYED = `
  select from gamification_game_plays p join gamification_games g on g.id = p.game_id
  where (p.user_id = $1 and p.won_by is null or p.won_by = $1) and p.bundle_play_id is null
    and g.game_type not in ('campaign', 'referral', 'loyalty', 'support', 'partner', 'other')`

export type ReferralRow = {
  id: string
  user_id: string
  referrer_id: string
  campaign_id: string
  referral_status: 'open' | 'awarded' | 'refused'
  why: string | null
  play_id: number | null
  created_at: Date
}

const REFERRAL =
  'r.id, r.user_id, r.referrer_id, r.campaign_id, r.referral_status, r.why, r.play_id, r.created_at'

/** The referral of a user. */
export function loadReferral(tx: Tx, user_id: string) {
  return tx.one<ReferralRow>(
    `select ${REFERRAL} from referrals r where r.user_id = $1`,
    [user_id],
    'load_referral',
  )
}

export async function insertReferral(
  tx: Tx,
  referral: Pick<ReferralRow, 'id' | 'user_id' | 'referrer_id' | 'campaign_id'>,
): Promise<ReferralRow> {
  const row = await tx.one<ReferralRow>(
    `insert into referrals as r (id, user_id, referrer_id, campaign_id, created_at, updated_at) values ($1, $2, $3, $4, $5, $5)
     returning ${REFERRAL}`,
    [referral.id, referral.user_id, referral.referrer_id, referral.campaign_id, tx.now],
    'insert_referral',
  )
  return row!
}

/** Open referrals whose user has played since, locked; those that somebody works on are left to the next time. */
export function lockDueReferrals(tx: Tx, limit: number) {
  return tx.rows<ReferralRow>(
    `select ${REFERRAL} from referrals r
     where r.referral_status = 'open'
       and exists (select from gamification_game_plays p join gamification_games g on g.id = p.game_id
                   where (p.user_id = r.user_id and p.won_by is null or p.won_by = r.user_id) and p.bundle_play_id is null
                     and g.game_type not in ('campaign', 'referral', 'loyalty', 'support', 'partner', 'other'))
     order by r.id limit $1 for no key update of r skip locked`,
    [limit],
    'lock_due_referrals',
  )
}

/** Ends an open referral: with the play that it was awarded with, or with why it was not. */
export async function endReferral(
  tx: Tx,
  id: string,
  { play_id, why }: { play_id: number | null; why: string | null },
): Promise<void> {
  await tx.rows(
    `update referrals set referral_status = case when $2::bigint is null then 'refused' else 'awarded' end, play_id = $2, why = $3,
            updated_at = $4, row_version = row_version + 1
     where id = $1 and referral_status = 'open'`,
    [id, play_id, why, tx.now],
    'end_referral',
  )
}

/** Referrals, newest first; of one referrer, or with null of all. */
export function loadReferralPage(
  tx: Tx,
  referrer_id: string | null,
  { before, limit }: { before: string | null; limit: number },
) {
  return tx.rows<ReferralRow>(
    `select ${REFERRAL} from referrals r
     where ($1::text is null or r.referrer_id = $1) and ($2::uuid is null or r.id < $2) order by r.id desc limit $3`,
    [referrer_id, before, limit],
    'load_referrals',
  )
}

/** True while a campaign that is switched on gives this prize. */
export async function isPrizeInCampaign(tx: Tx, prize_id: number): Promise<boolean> {
  const row = await tx.one<{ used: boolean }>(
    'select exists (select from prize_campaigns where prize_id = $1 and is_active) as used',
    [prize_id],
  )
  return row!.used
}

/** Whether a definition can be given out. */
export async function isPrizeThere(tx: Tx, prize_id: number): Promise<boolean> {
  const row = await tx.one<{ found: boolean }>(
    'select exists (select from gamification_prizes where id = $1 and is_active and deleted_at is null) as found',
    [prize_id],
  )
  return row!.found
}
