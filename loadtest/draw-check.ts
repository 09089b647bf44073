/**
 * The correctness box of games that close: what every client saw of the winners, and what can be proved of the list,
 * against what is committed. Pure; what is a raffle's or a guess game's own is in raffle-check.ts and guess-check.ts.
 */
import { fromHex } from '../src/fairness/bytes.ts'
import { verifyInclusion } from '../src/fairness/merkle.ts'
import { NODE_HASH } from '../src/node-hash.ts'
import { Box, type Finding } from './check.ts'
import type { Heard, Show } from './reveals.ts'

export type { Heard } from './reveals.ts'

/** A winner as it was told in a message. */
export type ToldWinner = {
  draw_id: string
  place: number
  player: string
  entry_index: number
  prize: string | null
  is_alternate: boolean
  reveal_at: string
  ticket_number?: string
  guess?: number
}

export type Asked = { user_id: string; request_id: string }

export type DrawEvidence = {
  /** Every reply to a request that was let in, repeated requests included. `sent_at_ms` is of the machine's clock. */
  replies: (Asked & { sent_at_ms: number; answer: Record<string, any> })[]
  /** Every refusal that belongs to the game. */
  refused: (Asked & { sent_at_ms: number; code: string; asked: { quantity?: number; numbers?: number[] } })[]
  unanswered: Asked[]
  /** Every different message about a winner that any client heard. */
  told: ToldWinner[]
  shows: Show[]
  /** The last states of the clients that decode them. */
  states: Record<string, any>[]
  /** Every different frame that spectators were sent, byte by character, and when the first of them got it. */
  frames: { text: string; at_ms: number }[]
}

export type CommittedWinner = {
  place: number
  entry_index: number
  prize: string | null
  is_alternate: boolean
  reveal_at: Date
  /** As the public page of the draw shows them. */
  player: string
  ticket_number?: string
  guess?: number
}

/** What is committed of a draw, and what its public pages prove. */
export type DrawTruth = {
  draw_id: string
  status: string
  entry_count: number
  entries_root: string
  closes_at: Date
  winners: CommittedWinner[]
  /** Sum of all balances of the tenant, by currency. */
  ledger_sums: { currency: string; sum_minor: number }[]
  /** Of a sample of receipts: the leaf that the entrant was told, and the proof that the draw's page gave for it. */
  proofs: { entry_index: number; leaf_hash: string; proof: string[] }[]
  /** What the verifier says of the transcript. */
  verdict: string
}

/** What clients of one kind of game are told: a raffle's alternates too, of a guess game the winners. */
export type Telling = { alternates: boolean }

/** The order in which winners are shown: by time, of one time the last place first. */
export function inOrder(winners: readonly CommittedWinner[], { alternates }: Telling): CommittedWinner[] {
  return winners
    .filter((winner) => alternates || !winner.is_alternate)
    .sort((a, b) => a.reveal_at.getTime() - b.reveal_at.getTime() || b.place - a.place)
}

/** What holds of every game that closes. */
export function checkDraw(evidence: DrawEvidence, truth: DrawTruth, telling: Telling): Finding[] {
  return [
    sameRequestSameAnswer(evidence),
    nobodyAfterTheClose(evidence, truth),
    toldIsCommitted(evidence, truth),
    allSawTheSame(evidence, truth, telling),
    nothingBeforeItsTime(evidence, truth),
    noNameBeforeItsTime(evidence, truth),
    statesShowWinners(evidence, truth, telling),
    proofsVerify(truth),
    transcriptVerifies(truth),
    ledgerIsBalanced(truth),
  ]
}

export const keyOf = ({ user_id, request_id }: Asked): string => `${user_id} ${request_id}`

function sameRequestSameAnswer({ replies }: DrawEvidence): Finding {
  const box = new Box('the same request_id, the same answer')
  const first = new Map<string, string>()
  for (const reply of replies) {
    const key = keyOf(reply)
    const text = JSON.stringify(reply.answer)
    const before = first.get(key)
    if (before === undefined) first.set(key, text)
    else box.compare(before === text, `${key} was answered ${before} and then ${text}`)
  }
  return box.finding
}

function nobodyAfterTheClose({ replies, refused }: DrawEvidence, { closes_at }: DrawTruth): Finding {
  const box = new Box('whoever came after the close was refused')
  const closed_ms = closes_at.getTime()
  // A repetition of what was let in before the close is answered as before.
  const first = new Map<string, DrawEvidence['replies'][number]>()
  for (const reply of replies) {
    const before = first.get(keyOf(reply))
    if (before === undefined || reply.sent_at_ms < before.sent_at_ms) first.set(keyOf(reply), reply)
  }
  for (const reply of first.values())
    box.compare(reply.sent_at_ms < closed_ms, `${keyOf(reply)} came after the close and was let in`)
  for (const each of refused) if (each.sent_at_ms >= closed_ms) box.see(null)
  return box.finding
}

const TOLD = ['player', 'entry_index', 'prize', 'is_alternate', 'ticket_number', 'guess'] as const

function toldIsCommitted({ told }: DrawEvidence, { draw_id, winners }: DrawTruth): Finding {
  const box = new Box('every winner that was announced is a committed row')
  const rows = new Map(winners.map((winner) => [winner.place, winner]))
  for (const each of told) {
    const row = rows.get(each.place)
    box.see(
      row === undefined ? `place ${each.place} was announced and is no row` : faultOf(each, row, draw_id),
    )
  }
  return box.finding
}

function faultOf(told: ToldWinner, row: CommittedWinner, draw_id: string): string | null {
  if (told.draw_id !== draw_id) return `place ${told.place} was announced for another draw`
  if (told.reveal_at !== row.reveal_at.toISOString())
    return `place ${told.place}: ${told.reveal_at} was announced, ${row.reveal_at.toISOString()} is committed`
  const name = TOLD.find((each) => (told[each] ?? null) !== (row[each] ?? null))
  if (name === undefined) return null
  return `place ${told.place}: ${name} ${told[name]} was announced, ${row[name]} is committed`
}

function allSawTheSame({ shows }: DrawEvidence, { winners }: DrawTruth, telling: Telling): Finding {
  const box = new Box('every client saw every winner, once and in the same order')
  const wanted = inOrder(winners, telling)
    .map(({ place }) => place)
    .join(' ')
  for (const { is_spectator, heard } of shows) {
    const seen = heard.map(([place]) => place).join(' ')
    box.compare(seen === wanted, `a ${is_spectator ? 'spectator' : 'player'} saw ${seen} and not ${wanted}`)
  }
  return box.finding
}

function nothingBeforeItsTime({ shows }: DrawEvidence, { winners }: DrawTruth): Finding {
  const box = new Box('no client saw a winner before its reveal_at')
  const due = new Map(winners.map(({ place, reveal_at }) => [place, reveal_at.getTime()]))
  const early = ([place, at_ms]: Heard) => at_ms < (due.get(place) ?? Number.NEGATIVE_INFINITY)
  for (const { heard } of shows) {
    for (const each of heard)
      box.compare(!early(each), `place ${each[0]} was seen ${due.get(each[0])! - each[1]} ms early`)
  }
  return box.finding
}

/** Looks at the bytes: the pseudonym of a winner stands in no frame of a spectator before the win is shown. */
function noNameBeforeItsTime({ frames }: DrawEvidence, { winners }: DrawTruth): Finding {
  const box = new Box('no frame held the name of a winner before its time')
  const from = new Map<string, number>()
  for (const { player, reveal_at } of winners)
    from.set(player, Math.min(from.get(player) ?? Number.POSITIVE_INFINITY, reveal_at.getTime()))
  for (const { text, at_ms } of frames) {
    const early = [...from].find(([player, from_ms]) => at_ms < from_ms && text.includes(player))
    box.see(early === undefined ? null : `${early[0]} stood in a frame ${early[1] - at_ms} ms early`)
  }
  return box.finding
}

function statesShowWinners(
  { states }: DrawEvidence,
  { winners, status }: DrawTruth,
  telling: Telling,
): Finding {
  const box = new Box('the last states show the end and its winners')
  const wanted = winners
    .filter((winner) => telling.alternates || !winner.is_alternate)
    .sort((a, b) => a.place - b.place)
    .map(({ place, player }) => `${place} ${player}`)
    .join(', ')
  for (const { phase, winners: shown } of states) {
    const seen = shown.map((each: any) => `${each.place} ${each.player}`).join(', ')
    box.compare(
      phase === status && seen === wanted,
      `a client ended with ${phase}: ${seen}, and not ${status}: ${wanted}`,
    )
  }
  return box.finding
}

function proofsVerify({ entries_root, entry_count, proofs }: DrawTruth): Finding {
  const box = new Box('receipts lead to the root of the sealed list (inclusion proofs)')
  for (const { entry_index: index, leaf_hash, proof } of proofs) {
    const inclusion = {
      index,
      size: entry_count,
      leafHash: fromHex(leaf_hash),
      proof: proof.map(fromHex),
      root: fromHex(entries_root),
    }
    box.compare(verifyInclusion(inclusion, NODE_HASH), `entry ${index} is not under the root`)
  }
  return box.finding
}

function transcriptVerifies({ verdict }: DrawTruth): Finding {
  const box = new Box('the transcript verifies')
  box.compare(verdict === 'verified', `the verifier says ${verdict}`)
  return box.finding
}

function ledgerIsBalanced({ ledger_sums }: DrawTruth): Finding {
  const box = new Box('ledger sum = 0')
  for (const { currency, sum_minor } of ledger_sums)
    box.compare(sum_minor === 0, `all balances in ${currency} add up to ${sum_minor}`)
  return box.finding
}
