/** The numbers behind a weighted pick, from bytes to segment. */
import { fromHex, toHex } from '../../../src/fairness/bytes.ts'
import { block, indexOfRoll, weightedRoll, words } from '../../../src/fairness/rolls.ts'
import type { Transcript } from '../../../src/fairness/transcript.ts'

export type PickMath = {
  key: string
  is_beacon: boolean
  ctx: string
  block: string
  word: string
  rejected: number
  total: number
  roll: number
  from: number
  to: number
  index: number
  segments: { label: string; color: string; weight: number; from: number }[]
}

/** How a wheel's or round's segment follows from the key. Undefined for other kinds and without the key. */
export function pickMath(transcript: Transcript): PickMath | undefined {
  try {
    const { commit, config, serverSeed, beacon, ctx } = transcript
    const is_beacon = commit.doc.mode === 'beacon'
    const key = is_beacon ? beacon?.randomness : serverSeed
    if (!['wheel', 'mystery', 'round'].includes(commit.doc.kind) || key === undefined) return undefined
    const given = config['segments'] as {
      id: string
      label?: string
      color?: string | null
      weight: number
    }[]
    const weights = given.map(({ weight }) => weight)
    const source = { ...words(fromHex(key), ctx), trace: [] as { rejected: number; word: string | null }[] }
    const { roll } = weightedRoll(source as Parameters<typeof weightedRoll>[0], weights)
    const [draw] = source.trace
    const index = indexOfRoll(weights, roll)
    let from = 0
    const segments = given.map(({ id, label, color, weight }) => {
      const segment = { label: label ?? id, color: color ?? '', weight, from }
      from += weight
      return segment
    })
    return {
      key,
      is_beacon,
      ctx,
      block: toHex(block(fromHex(key), ctx, 0)),
      word: draw?.word ?? '',
      rejected: draw?.rejected ?? 0,
      total: from,
      roll,
      from: segments[index]!.from,
      to: segments[index]!.from + segments[index]!.weight - 1,
      index,
      segments,
    }
  } catch {
    return undefined
  }
}
