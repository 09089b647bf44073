/** Runs of games that close in which nothing was lost, for tests that plant a lie in them. */

import type {
  CommittedWinner,
  DrawEvidence,
  DrawTruth,
  Telling,
  ToldWinner,
} from '../../loadtest/draw-check.ts'
import { inOrder } from '../../loadtest/draw-check.ts'
import { toHex } from '../../src/fairness/bytes.ts'
import { inclusionProof, leafHashOf, merkleRoot } from '../../src/fairness/merkle.ts'
import { NODE_HASH } from '../../src/node-hash.ts'

export const CLOSES_AT = new Date('2026-11-20T12:00:00.000Z')
export const closed_ms = CLOSES_AT.getTime()
/** Winners are shown from here on. */
const SHOW_MS = closed_ms + 3_000
export const DRAW = 'draw-1'

/** The list as leaves, and what a receipt of each says. */
export function aList(leaves: readonly object[]) {
  const hashes = leaves.map((leaf) => leafHashOf(leaf, NODE_HASH))
  return {
    entries_root: toHex(merkleRoot(hashes, NODE_HASH)),
    leaf_hash: (index: number) => toHex(hashes[index]!),
    proofs: hashes.map((hash, entry_index) => ({
      entry_index,
      leaf_hash: toHex(hash),
      proof: inclusionProof(hashes, entry_index, NODE_HASH).map(toHex),
    })),
  }
}

/** Winners at places 1, 2, … of these entries, shown a second apart from the last to the first; the last is an alternate. */
export function winnersAt(entries: readonly Partial<CommittedWinner>[]): CommittedWinner[] {
  const prizes = entries.length - 1
  return entries.map((each, i): CommittedWinner => {
    const is_alternate = i === prizes
    return {
      place: i + 1,
      entry_index: i,
      prize: is_alternate ? null : 'p1',
      is_alternate,
      reveal_at: new Date(SHOW_MS + (is_alternate ? prizes - 1 : prizes - 1 - i) * 1_000),
      player: `player-${'abcdef'[i]}${'abcdef'[i]}`,
      ...each,
    }
  })
}

/** Three clients who saw every winner a moment after its time, and the frames that told them. */
export function whatWasSeen(
  winners: readonly CommittedWinner[],
  telling: Telling,
  state: Record<string, unknown>,
): Pick<DrawEvidence, 'told' | 'shows' | 'states' | 'frames'> {
  const order = inOrder(winners, telling)
  const told = order.map(
    (winner): ToldWinner => ({ ...winner, draw_id: DRAW, reveal_at: winner.reveal_at.toISOString() }),
  )
  const show = (is_spectator: boolean, late_ms: number) => ({
    is_spectator,
    heard: order.map(({ place, reveal_at }): [number, number] => [place, reveal_at.getTime() + late_ms]),
  })
  return {
    told,
    shows: [show(false, 20), show(true, 100), show(true, 130)],
    states: [
      {
        ...state,
        phase: 'settled',
        winners: [...order].sort((a, b) => a.place - b.place).map(({ place, player }) => ({ place, player })),
      },
    ],
    frames: [
      { text: '\x0eentered 7', at_ms: closed_ms - 500 },
      ...order.map(({ player, reveal_at }) => ({
        text: `\x0dwinner ${player}`,
        at_ms: reveal_at.getTime() + 20,
      })),
    ],
  }
}

/** What every game that closes has. */
export function aTruth(list: ReturnType<typeof aList>, winners: CommittedWinner[]): DrawTruth {
  return {
    draw_id: DRAW,
    status: 'settled',
    entry_count: list.proofs.length,
    entries_root: list.entries_root,
    closes_at: CLOSES_AT,
    winners,
    ledger_sums: [{ currency: 'EUR', sum_minor: 0 }],
    proofs: list.proofs,
    verdict: 'verified',
  }
}
