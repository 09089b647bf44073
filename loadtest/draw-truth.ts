/** What is committed of a game that closed: rows, read as the auditor, and what its public pages prove. */
import { Failure } from '../src/commands/command.ts'
import type { Database } from '../src/db/pool.ts'
import { verifyText } from '../src/fairness/verify.ts'
import { NODE_HASH } from '../src/node-hash.ts'
import { type Api, eachOf } from './api.ts'
import type { CommittedWinner, DrawEvidence, DrawTruth } from './draw-check.ts'
import type { GuessTruth } from './guess-check.ts'
import type { RaffleTruth } from './raffle-check.ts'

/** Receipts of which the proof is asked for; the page allows 300 a minute. */
const PROOFS = 50
const AT_ONCE = 8
/** Of requests that came through a room. */
const ROOM_PREFIX = 'room:'

type Rows = <T>(text: string, values?: readonly unknown[]) => Promise<T[]>

/** Reads in one state of the database, as livedraw_auditor. */
async function reading<T>(database: Database, read: (rows: Rows) => Promise<T>): Promise<T> {
  const client = await database.connect()
  try {
    await client.query('begin isolation level repeatable read read only; set local role livedraw_auditor')
    return await read(async (text, values = []) => (await client.query(text, [...values])).rows)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

type DrawFacts = Pick<DrawTruth, 'draw_id' | 'status' | 'entry_count' | 'entries_root' | 'closes_at'>
type WinnerRow = Omit<CommittedWinner, 'player'>

async function drawFacts(rows: Rows, draw_id: string): Promise<DrawFacts> {
  const [draw] = await rows<DrawFacts>(
    'select id as draw_id, status, entry_count, entries_root, closes_at from draws where id = $1',
    [draw_id],
  )
  // Nobody has entered when joining took longer than it may; and what was not drawn cannot be compared.
  if (draw!.status !== 'settled')
    throw new Failure(
      `The draw ended as ${draw!.status}. When joining takes too long here, --delay gives it more time.`,
    )
  return draw!
}

const ledgerSums = (rows: Rows) =>
  rows<{ currency: string; sum_minor: number }>(
    'select currency, sum(balance_minor)::bigint as sum_minor from ledger_accounts group by currency order by currency',
  )

/** What the draw's own pages say: who stands where, proofs for a sample of receipts, the transcript. */
async function pagesOf(
  api: Api,
  { draw_id, entries_root }: DrawFacts,
  receipts: { entry_index: number; leaf_hash: string }[],
  keys: Record<string, string>,
): Promise<Pick<DrawTruth, 'proofs' | 'verdict'> & { players: Map<number, string> }> {
  const page = await api.read<{ winners: { place: number; player: string }[] }>(`/draws/${draw_id}`)
  const every = Math.max(1, Math.floor(receipts.length / PROOFS))
  const sample = receipts.filter((_receipt, i) => i % every === 0).slice(0, PROOFS)
  const proofs = await eachOf(sample, AT_ONCE, async ({ entry_index, leaf_hash }) => {
    const answer = await api.read<{ proof: string[]; entries_root: string }>(
      `/draws/${draw_id}/proof?entry=${entry_index}`,
    )
    // A proof for another root than the published one proves nothing.
    return { entry_index, leaf_hash, proof: answer.entries_root === entries_root ? answer.proof : [] }
  })
  const { status, code } = verifyText(await api.text(`/verify/${draw_id}`), { keys, hash: NODE_HASH })
  return {
    players: new Map(page.winners.map(({ place, player }) => [place, player])),
    proofs,
    verdict: code === null ? status : `${status} ${code}`,
  }
}

const named = (winners: readonly WinnerRow[], players: ReadonlyMap<number, string>): CommittedWinner[] =>
  winners.map((winner) => ({ ...winner, player: players.get(winner.place) ?? '' }))

export type RaffleGround = {
  campaign_id: string
  draw_id: string
  credit: { user_id: string; before_minor: number }[]
}

/** Everything that checkRaffle compares with. */
export async function raffleTruth(
  api: Api,
  database: Database,
  { campaign_id, draw_id, credit }: RaffleGround,
  { replies }: DrawEvidence,
  keys: Record<string, string>,
): Promise<RaffleTruth> {
  const { winners, ...read } = await reading(database, async (rows) => {
    const [campaign] = await rows<Pick<RaffleTruth, 'total_tickets' | 'sold_tickets' | 'ticket_price'>>(
      'select total_tickets, sold_tickets, ticket_price from raffle_campaigns where id = $1',
      [campaign_id],
    )
    const purchases = await rows<RaffleTruth['purchases'][number]>(
      `select id, user_id, request_id, quantity, amount_minor, answer from raffle_purchases
       where raffle_campaign_id = $1 and purchase_status = 'done'`,
      [campaign_id],
    )
    const balances = new Map(
      (
        await rows<{ owner_id: string; balance_minor: number }>(
          `select owner_id, balance_minor from ledger_accounts where account_kind = 'wallet_credit' and owner_id = any($1)`,
          [credit.map(({ user_id }) => user_id)],
        )
      ).map((row) => [row.owner_id, row.balance_minor]),
    )
    const [pool] = await rows<RaffleTruth['pool']>(
      `select coalesce(sum(p.amount_minor) filter (where p.amount_minor > 0), 0)::bigint as in_minor,
              -coalesce(sum(p.amount_minor) filter (where p.amount_minor < 0), 0)::bigint as out_minor,
              coalesce(max(a.balance_minor), 0)::bigint as balance_minor
       from ledger_accounts a join ledger_postings p on p.tenant_id = a.tenant_id and p.account_id = a.id
       where a.account_kind = 'pool' and a.owner_id = $1`,
      [`raffle:${campaign_id}`],
    )
    return {
      ...campaign!,
      ...(await drawFacts(rows, draw_id)),
      purchases: purchases.map((row) => ({ ...row, request_id: row.request_id.replace(ROOM_PREFIX, '') })),
      tickets: await rows<RaffleTruth['tickets'][number]>(
        'select id, user_id, ticket_number, purchase_id from raffle_tickets where raffle_campaign_id = $1',
        [campaign_id],
      ),
      entries: await rows<RaffleTruth['entries'][number]>(
        'select entry_index, ref_id from draw_entries where draw_id = $1 order by entry_index',
        [draw_id],
      ),
      winners: await rows<WinnerRow>(
        `select w.place, w.entry_index, w.prize, w.is_alternate, w.reveal_at, t.ticket_number
         from draw_winners w join raffle_tickets t on t.tenant_id = w.tenant_id and t.id = w.ref_id
         where w.draw_id = $1 order by w.place`,
        [draw_id],
      ),
      credit: credit.map((each) => ({ ...each, after_minor: balances.get(each.user_id) ?? 0 })),
      pool: pool!,
      ledger_sums: await ledgerSums(rows),
    }
  })
  const receipts = replies.flatMap(
    ({ answer }) => answer['tickets'] as { entry_index: number; leaf_hash: string }[],
  )
  const { players, ...pages } = await pagesOf(api, read, receipts, keys)
  return { ...read, ...pages, winners: named(winners, players) }
}

/** Everything that checkGuess compares with. */
export async function guessTruth(
  api: Api,
  database: Database,
  { game_id, draw_id }: { game_id: string; draw_id: string },
  { replies }: DrawEvidence,
  keys: Record<string, string>,
): Promise<GuessTruth> {
  const { winners, ...read } = await reading(database, async (rows) => {
    const facts = await drawFacts(rows, draw_id)
    const [number] = await rows<{ target: number }>(
      'select winning_number as target from winning_numbers where game_id = $1',
      [game_id],
    )
    const entries = await rows<{ entry_index: number; ref_id: string; leaf: string }>(
      'select entry_index, ref_id, leaf from draw_entries where draw_id = $1 order by entry_index',
      [draw_id],
    )
    return {
      ...facts,
      target: number!.target,
      guesses: await rows<GuessTruth['guesses'][number]>(
        `select id, user_id, request_id, guess, created_at, answer from game_submissions
         where game_id = $1 and replaced_by is null order by seq`,
        [game_id],
      ),
      entries: entries.map(({ entry_index, ref_id, leaf }) => ({
        entry_index,
        ref_id,
        guess: (JSON.parse(leaf) as { g: number }).g,
      })),
      winners: await rows<WinnerRow>(
        `select w.place, w.entry_index, w.prize, w.is_alternate, w.reveal_at, s.guess
         from draw_winners w join game_submissions s on s.tenant_id = w.tenant_id and s.id = w.ref_id
         where w.draw_id = $1 order by w.place`,
        [draw_id],
      ),
      ledger_sums: await ledgerSums(rows),
    }
  })
  const receipts = replies.map(({ answer }) => ({
    entry_index: answer['entry_index'] as number,
    leaf_hash: leafHashOfReceipt(answer['receipt']),
  }))
  const { players, ...pages } = await pagesOf(api, read, receipts, keys)
  return { ...read, ...pages, winners: named(winners, players) }
}

/** A receipt is a signed document (fair-1.md section 10). */
const leafHashOfReceipt = (jws: string): string =>
  JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString()).leafHash
