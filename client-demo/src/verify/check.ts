/** Runs the shared verifier with whatever keys this browser can get, and says what it ran with. */
import { toHex, utf8 } from '../../../src/fairness/bytes.ts'
import type { KeyRing } from '../../../src/fairness/commit.ts'
import { NOBLE_HASH } from '../../../src/fairness/hash.ts'
import type { Transcript } from '../../../src/fairness/transcript.ts'
import { leftOpen, type Verdict, verifyText } from '../../../src/fairness/verify.ts'
import { API, ask } from '../shared/api.ts'
import { keptCheckpoint, partsOf } from '../shared/checkpoint.ts'
import { fetchKeys, logKeysOf } from '../shared/fairness.ts'
import type { Source } from './source.ts'

export type Checked = {
  text: string
  /** Undefined when the text is no JSON object. */
  transcript: Transcript | undefined
  verdict: Verdict
  transcript_hash: string
  keys: 'used' | 'missing' | 'foreign'
  kids: string[]
  was_compared: boolean
  left_open: string[]
}

/** Checks a document; never throws. */
export async function check({ text, is_ours }: Source): Promise<Checked> {
  const transcript = transcriptOf(text)
  const keys = is_ours ? await fetchKeys().catch(() => undefined) : undefined
  const checkpoint = transcript?.log?.checkpoint
  const parts = typeof checkpoint === 'string' ? partsOf(checkpoint) : undefined
  const stored = keys && parts ? await storedFor(parts) : undefined
  const options = {
    ...(keys && { keys }),
    ...(keys && parts && { logs: logsOf(keys, parts.origin) }),
    ...(stored && { stored }),
  }
  return {
    text,
    transcript,
    verdict: verifyText(text, options),
    transcript_hash: toHex(NOBLE_HASH.sha256(utf8(text))),
    keys: keys ? 'used' : is_ours ? 'missing' : 'foreign',
    kids: Object.keys(keys ?? {}),
    was_compared: stored !== undefined,
    left_open: openOf(transcript, options),
  }
}

function transcriptOf(text: string): Transcript | undefined {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null && !Array.isArray(document)
      ? (document as Transcript)
      : undefined
  } catch {
    return undefined
  }
}

function logsOf(keys: KeyRing, origin: string): string[] {
  try {
    return logKeysOf(keys, origin)
  } catch {
    // A name that no log can have; the verifier says so.
    return []
  }
}

function openOf(transcript: Transcript | undefined, options: Parameters<typeof leftOpen>[1]): string[] {
  try {
    return transcript === undefined ? [] : leftOpen(transcript, options)
  } catch {
    return []
  }
}

/** The checkpoint that this browser kept, with the server's proof that the log only grew between the two. */
async function storedFor(parts: { origin: string; size: number }) {
  const kept = keptCheckpoint(parts.origin)
  if (kept === undefined) return undefined
  if (kept.size === parts.size) return { checkpoint: kept.checkpoint, proof: [] }
  const [from, to] = [kept.size, parts.size].sort((a, b) => a - b)
  try {
    const { proof } = await ask<{ proof: string[] }>(
      'GET',
      `${API}/fairness/consistency?from=${from}&to=${to}&tenant=${encodeURIComponent(kept.tenant)}`,
    )
    return { checkpoint: kept.checkpoint, proof }
  } catch {
    return undefined
  }
}

/** The transcript with one digit of its secret (or, without one, of its context) changed. */
export function tampered(text: string): string {
  const at = /"serverSeed":"/.exec(text) ?? /"ctx":"[^"]*\|/.exec(text)
  if (at === null) return text
  const place = at.index + at[0].length
  const digit = text[place]!
  return `${text.slice(0, place)}${digit === '0' ? '1' : '0'}${text.slice(place + 1)}`
}
