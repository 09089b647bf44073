/** Statements over companies and who acts for them. */
import type { Tx } from '../db/tx.ts'

export type MemberRow = { user_id: string; created_at: Date }

/** Whether a company is there. */
export async function companyExists(tx: Tx, id: string): Promise<boolean> {
  return (await tx.one('select id from companies where id = $1 and is_active', [id])) !== undefined
}

/** Members in the order of their ids, after one. */
export function loadMembers(tx: Tx, company_id: string, after: string, limit: number) {
  return tx.rows<MemberRow>(
    `select user_id, created_at from company_members where company_id = $1 and user_id > $2 order by user_id limit $3`,
    [company_id, after, limit],
  )
}

/** Makes somebody a member. False for who is one already. */
export async function insertMember(tx: Tx, company_id: string, user_id: string): Promise<boolean> {
  const rows = await tx.rows(
    `insert into company_members (company_id, user_id, created_at) values ($1, $2, $3)
     on conflict do nothing returning user_id`,
    [company_id, user_id, tx.now],
  )
  return rows.length === 1
}

/** Takes a member out. False for who is none. */
export async function deleteMember(tx: Tx, company_id: string, user_id: string): Promise<boolean> {
  const rows = await tx.rows(
    'delete from company_members where company_id = $1 and user_id = $2 returning user_id',
    [company_id, user_id],
  )
  return rows.length === 1
}

/** Companies that a user acts for, by name. */
export function loadCompaniesOf(tx: Tx, user_id: string, limit: number) {
  return tx.rows<{ id: string; company_name: string }>(
    `select c.id, c.company_name from company_members m join companies c on c.id = m.company_id and c.is_active
     where m.user_id = $1 order by lower(c.company_name), c.id limit $2`,
    [user_id, limit],
  )
}

/** Whether a company still owes something: a game that runs, or a reward that was not handed over. */
export async function hasObligations(tx: Tx, company_id: string): Promise<boolean> {
  const row = await tx.one<{ found: boolean }>(
    `select exists (select from games where company_id = $1 and is_active and status not in ('draft', 'settled', 'cancelled'))
         or exists (select from reward_claims
                    where company_id = $1 and claim_status in ('offered', 'pending', 'disputed')) as found`,
    [company_id],
  )
  return row!.found
}
