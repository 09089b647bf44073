/// <reference lib="dom" />
// The offline page: reads what is pasted or dropped, runs the verifier of src/fairness, and shows each step.
import { fromHex, toHex } from '../src/fairness/bytes.ts'
import { TRUST_SENTENCES } from '../src/fairness/commit.ts'
import { block, context, type Draw, totalWeight } from '../src/fairness/rolls.ts'
import { derive, type PairReveal, type Transcript } from '../src/fairness/transcript.ts'
import {
  isPairReveal,
  leftOpen,
  type PairOptions,
  type Step,
  type StepId,
  TEXT_BYTES_MAX,
  type Verdict,
  verifyText,
} from '../src/fairness/verify.ts'

const SENTENCES: Record<StepId, [title: string, meaning: string]> = {
  format: ['Format', 'The document is complete and in its one canonical form.'],
  commit: ['Commitment', 'The promise made beforehand has the hash that was published.'],
  signature: ['Signature', 'The promise was signed with a key that you gave.'],
  config: ['Odds', 'The odds and prizes are the ones that were promised.'],
  beacon: ['Public beacon', 'The public randomness is of the promised round and truly signed.'],
  seed: ['Secret seed', 'The revealed seed is the one whose hash was promised.'],
  entries: ['Entries', 'The entries are the ones that were sealed, in their order.'],
  context: ['Inputs', 'All inputs of the draw are put together as the rules say.'],
  outcome: ['Result', 'Your device derived the result again and found the same.'],
  log: ['Public log', 'The result stands in the public log.'],
  trust: ['Label', 'The label claims no more than this draw can prove.'],
  nonces: ['No gaps', 'Every spin of this seed is in the list, each exactly once.'],
  known: ['Your spins', 'The spins that you remember are in the list.'],
}
const SKIPPED: Partial<Record<StepId, string>> = {
  signature: 'Not checked: you gave no key.',
  log: 'Not checked: you gave no log key, or the document has no log part.',
  outcome: 'Not checked yet: the seed is not revealed.',
  known: 'Not checked: this page knows no spins of yours.',
}
const SIGNS: Record<Step['status'], string> = { ok: '✓', failed: '✕', pending: '…', skipped: '–' }
const STEP_DELAY_MS = 140

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T
const text_box = byId<HTMLTextAreaElement>('text')
const result_box = byId('result')
const steps_box = byId('steps')

// A new check stops the animation of the one before it.
let run_count = 0

async function check(text: string): Promise<void> {
  const run = ++run_count
  steps_box.replaceChildren()
  byId('story').hidden = true
  showResult('busy', [element('p', 'Checking…')])
  await nextFrame()
  const options: PairOptions = {
    keys: keysFrom(byId<HTMLTextAreaElement>('keys').value),
    logs: linesOf('logs'),
  }
  const started = performance.now()
  const verdict = verifyText(text, options)
  const took_ms = performance.now() - started
  for (const step of verdict.steps) {
    if (run !== run_count) return
    steps_box.append(stepItem(step))
    if (!matchMedia('(prefers-reduced-motion: reduce)').matches) await pause(STEP_DELAY_MS)
  }
  if (run !== run_count) return
  showVerdict(verdict, text, options, took_ms)
}

const pause = (duration_ms: number) => new Promise((resolve) => setTimeout(resolve, duration_ms))
const nextFrame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))

function element(name: string, text = '', class_name = ''): HTMLElement {
  const made = document.createElement(name)
  // textContent throughout: nothing of a foreign document is ever read as HTML.
  made.textContent = text
  if (class_name) made.className = class_name
  return made
}

function stepItem({ id, status, code }: Step): HTMLElement {
  const [title, meaning] = SENTENCES[id]
  const item = document.createElement('li')
  item.dataset['step'] = id
  item.dataset['status'] = status
  const sign = element('i', SIGNS[status])
  sign.setAttribute('aria-hidden', 'true')
  const words = element('div')
  const notes = {
    ok: meaning,
    failed: `Failed: ${code}`,
    pending: 'Waits for the reveal of the seed.',
    skipped: SKIPPED[id] ?? 'Not part of this draw.',
  }
  words.append(element('b', title), element('small', notes[status]))
  item.append(sign, words)
  return item
}

function showResult(state: string, children: HTMLElement[]): void {
  result_box.dataset['state'] = state
  result_box.replaceChildren(...children)
}

function showVerdict(verdict: Verdict, text: string, options: PairOptions, took_ms: number): void {
  const { status, code, trust } = verdict
  const word = { verified: 'VERIFIED', failed: `MISMATCH ${code}`, pending: 'PENDING' }[status]
  const children = [element('p', word, 'word')]
  if (status === 'verified') {
    children.push(
      element('p', 'The result follows from what was promised before. You have just derived it again.'),
    )
  }
  if (status === 'failed')
    children.push(
      element('p', 'This document does not prove its result. The step marked below is where it fails.'),
    )
  if (status === 'pending')
    children.push(element('p', 'Nothing failed so far. The rest can be checked once the seed is revealed.'))
  if (trust) children.push(element('p', `Label “${trust}”: ${TRUST_SENTENCES[trust]}`, 'trust'))
  if (status !== 'failed') {
    const parsed = JSON.parse(text)
    children.push(...leftOpen(parsed, options).map((note) => element('p', note, 'hint')))
    showStory(parsed)
  }
  const spins = status !== 'failed' && isPairReveal(JSON.parse(text)) ? JSON.parse(text).spins.length : 0
  children.push(
    element(
      'p',
      `Checked on this device in ${Math.round(took_ms)} ms${spins ? `, ${spins} spins` : ''}.`,
      'hint',
    ),
  )
  result_box.dataset['tookMs'] = String(took_ms)
  showResult(status, children)
}

// --- Bytes, number, result --------------------------------------------------------------------------------------

type First = {
  key: string
  ctx: string
  draw: Draw
  segments: { id: string; weight: number }[] | null
  index: number | null
}

function firstDraw(parsed: any): First | null {
  if (isPairReveal(parsed)) {
    const reveal = parsed as PairReveal
    const spin = reveal.spins.find(({ nonce }) => nonce === 0)
    if (!spin || !reveal.serverSeed) return null
    const { kind } = reveal.commit.doc
    const ctx = context(kind, [reveal.commit.hash, reveal.clientSeed, 0, spin.entropy])
    const derived = derive({ kind, config: reveal.config, key: fromHex(reveal.serverSeed), ctx })
    return {
      key: reveal.serverSeed,
      ctx,
      draw: derived.draws[0]!,
      segments: reveal.config['segments'],
      index: spin.result,
    }
  }
  const t = parsed as Transcript
  const key = t.commit.doc.mode === 'beacon' ? t.beacon?.randomness : t.serverSeed
  if (!key) return null
  const { draws, outcome } = derive({ ...t, kind: t.commit.doc.kind, key: fromHex(key) })
  if (!draws[0]) return null
  const segments = typeof outcome['index'] === 'number' ? t.config['segments'] : null
  return { key, ctx: t.ctx, draw: draws[0], segments, index: segments ? (outcome['index'] as number) : null }
}

function showStory(parsed: unknown): void {
  const first = firstDraw(parsed)
  if (!first || first.draw.word === null) return
  const { draw } = first
  const at = draw.rejected
  const hex = toHex(block(fromHex(first.key), first.ctx, (at - (at % 4)) / 4))
  const start = (at % 4) * 16
  const bytes = element('p', '', 'bytes')
  bytes.append(hex.slice(0, start), element('mark', hex.slice(start, start + 16)), hex.slice(start + 16))
  const children = [
    element(
      'p',
      'Seed and inputs together give 32 bytes (HMAC-SHA256). The marked eight are the first number:',
    ),
    bytes,
    element('p', 'As a whole number:'),
    element('p', BigInt(`0x${draw.word}`).toString(), 'big'),
    element('p', `Its remainder by ${draw.n} is the roll:`),
    element('p', String(draw.result), 'big'),
  ]
  if (first.segments && first.index !== null)
    children.push(...segmentBar(first.segments, first.index, draw.result))
  else
    children.push(element('p', `That is draw 1 of this event: number ${draw.result} of 0 to ${draw.n - 1}.`))
  byId('chain').replaceChildren(...children)
  byId('story').hidden = false
}

function segmentBar(segments: { id: string; weight: number }[], index: number, roll: number): HTMLElement[] {
  const total = totalWeight(segments.map((segment) => segment.weight))
  const bar = element('div', '', 'bar')
  bar.setAttribute('aria-hidden', 'true')
  let start = 0
  segments.forEach((segment, i) => {
    const part = element('span', '', i === index ? 'won' : '')
    part.style.flex = `${segment.weight} 1 0`
    bar.append(part)
    if (i < index) start += segment.weight
  })
  const needle = document.createElement('em')
  needle.style.left = `min(${(roll / total) * 100}%, calc(100% - 3px))`
  bar.append(needle)
  const won = segments[index]!
  const range = `${start} to ${start + won.weight - 1}`
  return [
    bar,
    element('p', `It falls into ${range}, the part of “${won.id}” (${won.weight} in ${total}).`, 'won'),
  ]
}

// --- What the reader gives --------------------------------------------------------------------------------------

function linesOf(id: string): string[] {
  return byId<HTMLTextAreaElement>(id)
    .value.split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

function keysFrom(text: string): Record<string, string> {
  const keys: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const at = line.lastIndexOf('=')
    if (at > 0) keys[line.slice(0, at).trim()] = line.slice(at + 1).trim()
  }
  return keys
}

async function checkFile(file: File | undefined): Promise<void> {
  if (!file) return
  if (file.size > TEXT_BYTES_MAX) {
    showResult('failed', [
      element('p', 'MISMATCH FORMAT_INVALID', 'word'),
      element('p', 'Larger than 32 MiB.'),
    ])
    return
  }
  // file.text() would drop a byte order mark and repair broken bytes; the check must see what is there.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const text = decoder.decode(await file.arrayBuffer())
  text_box.value = text.length <= 20_000 ? text : `${text.slice(0, 20_000)}… (the whole file is checked)`
  await check(text)
}

byId('check').addEventListener('click', () => void check(text_box.value.trim()))
byId<HTMLInputElement>('file').addEventListener('change', (event) => {
  const input = event.target as HTMLInputElement
  // Emptied afterwards, so that choosing the same file again checks it again.
  void checkFile(input.files?.[0]).then(() => {
    input.value = ''
  })
})
const drop = byId('drop')
for (const name of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, (event) => {
    event.preventDefault()
    drop.classList.toggle('over', name === 'dragover')
  })
}
document.addEventListener('drop', (event) => void checkFile(event.dataTransfer?.files[0]))
