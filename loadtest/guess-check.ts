/** What holds of a guess game after a rush at its close: every guess on the sealed list, nothing on the wire. Pure. */
import { Box, type Finding } from './check.ts'
import { GUESSES } from './distinct.ts'
import { type Asked, checkDraw, type DrawEvidence, type DrawTruth, keyOf } from './draw-check.ts'

export type GuessTruth = DrawTruth & {
  /** Guesses in the order of their acceptance, `answer` as it is stored. */
  guesses: (Asked & { id: string; guess: number; created_at: Date; answer: string })[]
  /** The sealed list in order: what stands behind a leaf, and the number that it was hashed with. */
  entries: { entry_index: number; ref_id: string; guess: number }[]
  /** The number that was drawn. */
  target: number
}

/** Compares what players and spectators were told with what is committed. */
export function checkGuess(evidence: DrawEvidence, truth: GuessTruth): Finding[] {
  return [
    repliesAreRows(evidence, truth),
    acceptedAreSealed(evidence, truth),
    acceptedBeforeTheClose(truth),
    winnersAreRecounted(truth),
    noGuessOnTheWire(evidence, truth),
    ...checkDraw(evidence, truth, { alternates: false }),
  ]
}

function repliesAreRows({ replies }: DrawEvidence, { guesses }: GuessTruth): Finding {
  const box = new Box('replies = committed guesses')
  const rows = new Map(guesses.map((row) => [keyOf(row), row]))
  for (const reply of replies) {
    const row = rows.get(keyOf(reply))
    box.see(
      row === undefined
        ? `${keyOf(reply)} was told a guess that is no row`
        : JSON.stringify(reply.answer) !== row.answer
          ? `${keyOf(reply)} was told something else than its row says`
          : null,
    )
  }
  return box.finding
}

/** Each guess that was let in stands on the list once, where its receipt says; nothing else does. */
function acceptedAreSealed(
  { replies, unanswered }: DrawEvidence,
  { guesses, entries, entry_count }: GuessTruth,
): Finding {
  const box = new Box('every accepted guess is on the sealed list once, and nothing else is')
  const accepted = new Map(replies.map((reply) => [reply.answer['submission_id'], reply]))
  const rows = new Map(guesses.map((row) => [row.id, row]))
  const seen = new Set<string>()
  for (const [i, { entry_index, ref_id, guess }] of entries.entries()) {
    const reply = accepted.get(ref_id)
    const row = rows.get(ref_id)
    box.see(
      seen.has(ref_id)
        ? `guess ${ref_id} is on the list twice`
        : reply === undefined || row === undefined
          ? `entry ${entry_index} was told to nobody`
          : entry_index !== i || reply.answer['entry_index'] !== entry_index
            ? `${keyOf(reply)} was told place ${reply.answer['entry_index']} and has ${entry_index}`
            : guess !== row.guess || guess !== reply.answer['value']
              ? `${keyOf(reply)} guessed ${reply.answer['value']}, and ${guess} is on the list`
              : null,
    )
    seen.add(ref_id)
  }
  for (const [id, reply] of accepted)
    box.compare(seen.has(id), `${keyOf(reply)} was accepted and is not on the list`)
  box.compare(entry_count === entries.length, `the list holds ${entries.length} and says ${entry_count}`)
  for (const each of unanswered) box.fault(`${keyOf(each)} was never answered`)
  return box.finding
}

function acceptedBeforeTheClose({ guesses, closes_at }: GuessTruth): Finding {
  const box = new Box('no guess was accepted after the close')
  for (const row of guesses)
    box.compare(
      row.created_at < closes_at,
      `${keyOf(row)} was accepted at ${row.created_at.toISOString()} after ${closes_at.toISOString()}`,
    )
  return box.finding
}

/** Counted as one would by hand: nearest first, of equally near ones the earlier. */
function winnersAreRecounted({ guesses, target, winners }: GuessTruth): Finding {
  const box = new Box('winners = a plain recount over the guesses')
  const ranked = guesses
    .map(({ guess }, i) => ({ i, guess, off: Math.abs(guess - target) }))
    .sort((a, b) => a.off - b.off || a.i - b.i)
  for (const [rank, winner] of [...winners].sort((a, b) => a.place - b.place).entries()) {
    const { i, guess } = ranked[rank] ?? { i: -1, guess: Number.NaN }
    box.compare(
      winner.place === rank + 1 && winner.entry_index === i && winner.guess === guess,
      `place ${winner.place} has entry ${winner.entry_index} with ${winner.guess}, counted are ${i} with ${guess}`,
    )
  }
  return box.finding
}

/**
 * Looks at the bytes: a guess is in no frame of a spectator but that of a winner from the reveal on, and the number that
 * was drawn in none before the last of them. Numbers are looked for as text and as four bytes in both orders (distinct.ts).
 */
function noGuessOnTheWire({ frames }: DrawEvidence, { guesses, winners, target }: GuessTruth): Finding {
  const box = new Box('no frame held a guess or the number before its time')
  const from = new Map<number, number>(guesses.map(({ guess }) => [guess, Number.POSITIVE_INFINITY]))
  const allow = (number: number, at_ms: number) =>
    from.set(number, Math.min(from.get(number) ?? Number.POSITIVE_INFINITY, at_ms))
  const shown = winners.filter(({ is_alternate }) => !is_alternate)
  for (const { guess, reveal_at } of shown) allow(guess!, reveal_at.getTime())
  allow(target, Math.max(...shown.map(({ reveal_at }) => reveal_at.getTime())))
  for (const { text, at_ms } of frames) {
    const early = numbersIn(text).find((number) => at_ms < (from.get(number) ?? Number.NEGATIVE_INFINITY))
    box.compare(early === undefined, `${early} stood in a frame before its time`)
  }
  return box.finding
}

/** Every number of the size of a guess that a frame may hold. */
function numbersIn(text: string): number[] {
  const numbers = [...text.matchAll(/\d{9}/g)].map(([digits]) => Number(digits))
  for (let i = 0; i + 4 <= text.length; i++) {
    const [a, b, c, d] = [0, 1, 2, 3].map((at) => text.charCodeAt(i + at)) as [number, number, number, number]
    if (isFirst(a)) numbers.push(((a * 256 + b) * 256 + c) * 256 + d)
    if (isFirst(d)) numbers.push(((d * 256 + c) * 256 + b) * 256 + a)
  }
  return numbers
}

const isFirst = (byte: number): boolean => byte >= GUESSES.min >>> 24 && byte <= GUESSES.max >>> 24
