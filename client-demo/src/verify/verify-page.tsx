/** Paste, drop or open a result; see each step computed again here. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Step } from '../../../src/fairness/verify.ts'
import { Announcer, Hash, Header, Trust } from '../shared/ui.tsx'
import { prefersStill } from '../shared/wheel.tsx'
import { count, say, sayOr } from '../strings.ts'
import { type Checked, check, tampered } from './check.ts'
import { MathPanel } from './math-panel.tsx'
import { type Source, sourceOf, sourceOfFile } from './source.ts'

/** Slow enough to follow with the eye, quick enough not to wait for. */
const STEP_MS = 220

export function VerifyPage({ event }: { event: string | null }) {
  const [input, setInput] = useState(event ?? '')
  const [is_busy, setBusy] = useState(false)
  const [why, setWhy] = useState<string | null>(null)
  const [checked, setChecked] = useState<Checked | null>(null)
  const newest = useRef(0)

  const run = async (source: () => Promise<Source>) => {
    const mine = ++newest.current
    setBusy(true)
    setWhy(null)
    setChecked(null)
    try {
      const result = await check(await source())
      if (mine === newest.current) setChecked(result)
    } catch (error) {
      if (mine === newest.current) setWhy((error as Error).message)
    } finally {
      if (mine === newest.current) setBusy(false)
    }
  }
  const runFile = (file: File) => {
    setInput('')
    void run(() => sourceOfFile(file))
  }

  useEffect(() => {
    if (event !== null) void run(() => sourceOf(event))
  }, [])
  useDrop(runFile)

  return (
    <>
      <Header page="verify" />
      <main id="main" class="verify">
        <h1>{say('verify.title')}</h1>
        <p class="lead">{say('verify.lead')}</p>
        <form
          class="card verify-form"
          onSubmit={(submitted) => {
            submitted.preventDefault()
            void run(() => sourceOf(input))
          }}
        >
          <label for="verify-input">{say('verify.input')}</label>
          <textarea
            id="verify-input"
            rows={input.length > 200 ? 8 : 2}
            value={input}
            placeholder={say('verify.placeholder')}
            onInput={(typed) => setInput(typed.currentTarget.value)}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
          />
          <div class="row">
            <button type="submit" class="button button-primary" aria-disabled={is_busy}>
              {say(is_busy ? 'verify.checking' : 'verify.check')}
            </button>
            <label class="button file-button">
              {say('verify.file')}
              <input
                type="file"
                accept=".json,application/json"
                class="sr-only"
                onChange={(chosen) => {
                  const file = chosen.currentTarget.files?.[0]
                  if (file !== undefined) runFile(file)
                }}
              />
            </label>
          </div>
          <p class="fine">{say('verify.drop')}</p>
          {why !== null && (
            <p class="bad" role="alert">
              {why}
            </p>
          )}
        </form>
        {checked !== null && (
          <Report
            key={newest.current}
            checked={checked}
            onTamper={() => {
              const text = tampered(checked.text)
              setInput(text)
              void run(() => Promise.resolve({ text, is_ours: checked.keys !== 'foreign' }))
            }}
          />
        )}
        <p class="verify-offline">
          <a href="/api/v1/verify/offline.html" download="livedraw-verify.html">
            {say('verify.offline')}
          </a>
          {' — '}
          {say('verify.offline_lead')}
        </p>
      </main>
    </>
  )
}

/** The whole page takes a dropped file. */
function useDrop(onFile: (file: File) => void) {
  useEffect(() => {
    const over = (event: DragEvent) => event.preventDefault()
    const drop = (event: DragEvent) => {
      event.preventDefault()
      const file = event.dataTransfer?.files[0]
      if (file !== undefined) onFile(file)
    }
    addEventListener('dragover', over)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('dragover', over)
      removeEventListener('drop', drop)
    }
  }, [])
}

function Report({ checked, onTamper }: { checked: Checked; onTamper: () => void }) {
  const { verdict, transcript } = checked
  const shown = useOneByOne(verdict.steps.length)
  const is_done = shown === verdict.steps.length
  return (
    <>
      <section class="card" aria-label={say('verify.steps')}>
        <ol class="steps">
          {verdict.steps.map((step, i) => (
            <StepLine key={step.id} step={step} is_shown={i < shown} />
          ))}
        </ol>
        {is_done && <Answer checked={checked} />}
      </section>
      <Announcer text={is_done ? answerText(checked) : ''} />
      {is_done && (
        <>
          {transcript !== undefined && verdict.status !== 'failed' && <MathPanel transcript={transcript} />}
          <Notes checked={checked} onTamper={onTamper} />
        </>
      )}
    </>
  )
}

function useOneByOne(step_count: number): number {
  const [shown, setShown] = useState(prefersStill() ? step_count : 0)
  useEffect(() => {
    if (shown >= step_count) return
    const timer = setTimeout(() => setShown(shown + 1), STEP_MS)
    return () => clearTimeout(timer)
  }, [shown, step_count])
  return shown
}

const MARKS = { ok: '✓', failed: '✗', pending: '…', skipped: '–' } as const

function StepLine({ step, is_shown }: { step: Step; is_shown: boolean }) {
  const status = is_shown ? step.status : 'waiting'
  return (
    <li class={`step step-${status}`} data-step={step.id} data-status={status}>
      <span class="step-mark" aria-hidden="true">
        {is_shown ? MARKS[step.status] : ''}
      </span>
      <span class="step-text">{sayOr(`verify.step.${step.id}`, step.id)}</span>
      <span class="step-status">
        {say(`verify.status.${status}`)}
        {is_shown && step.code !== undefined && <code>{step.code}</code>}
      </span>
    </li>
  )
}

function answerText({ verdict }: Checked): string {
  if (verdict.status === 'verified') return `${say('verify.verified')}. ${say('verify.verified_lead')}`
  if (verdict.status === 'pending') return `${say('verify.pending')}. ${say('verify.pending_lead')}`
  return `${say('verify.mismatch')} ${verdict.code}. ${sayOr(`verify.code.${verdict.code}`, '')}`
}

function Answer({ checked: { verdict, transcript } }: { checked: Checked }) {
  const { status, code, trust } = verdict
  const title = status === 'failed' ? say('verify.mismatch') : say(`verify.${status}`)
  const lead = status === 'failed' ? sayOr(`verify.code.${code}`, '') : say(`verify.${status}_lead`)
  return (
    <div class={`answer answer-${status}`}>
      <p class="answer-title">
        {title} {status === 'failed' && <code>{code}</code>}
      </p>
      <p>{lead}</p>
      {status !== 'failed' && transcript !== undefined && <OutcomeLine transcript={transcript} />}
      {trust !== null && <Trust label={trust} />}
    </div>
  )
}

function OutcomeLine({
  transcript: { config, outcome },
}: {
  transcript: NonNullable<Checked['transcript']>
}) {
  const segment = (config['segments'] as { label?: string; id: string }[] | undefined)?.[outcome?.['index']]
  if (segment === undefined) return null
  return (
    <p class="answer-outcome">
      {say('verify.outcome')}: <strong>{segment.label ?? segment.id}</strong>
    </p>
  )
}

/** An address of the text in this browser; nothing is sent. */
function useDownload(text: string): string {
  const address = useMemo(() => URL.createObjectURL(new Blob([text], { type: 'application/json' })), [text])
  useEffect(() => () => URL.revokeObjectURL(address), [address])
  return address
}

function Notes({ checked, onTamper }: { checked: Checked; onTamper: () => void }) {
  const { text, verdict, transcript, transcript_hash, keys, kids, was_compared, left_open } = checked
  const download = useDownload(text)
  const moves = (transcript?.postpones ?? []).filter(({ closesAt }) => closesAt !== undefined).length
  return (
    <section class="card notes">
      <p class="row">
        {transcript !== undefined && (
          <a class="button" href={download} download={`transcript-${transcript_hash.slice(0, 12)}.json`}>
            {say('verify.download')}
          </a>
        )}
        {verdict.status !== 'failed' && (
          <button type="button" class="button" onClick={onTamper} title={say('verify.tamper_lead')}>
            {say('verify.tamper')}
          </button>
        )}
      </p>
      <p class="fine">
        {say('verify.hash')} <Hash value={transcript_hash} label={say('verify.hash')} />
      </p>
      <p class="fine">{say(`verify.keys_${keys === 'used' ? 'note' : keys}`)}</p>
      {kids.length > 0 && (
        <p class="fine">
          {kids.map((kid) => (
            <code key={kid}>{kid} </code>
          ))}
        </p>
      )}
      {moves > 0 && <p class="fine">{count('verify.moved', moves)}</p>}
      {was_compared && <p class="fine">{say('verify.stored_note')}</p>}
      {left_open.length > 0 && (
        <div class="fine">
          <strong>{say('verify.left_open')}</strong>
          <ul>
            {left_open.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </div>
      )}
    </section>
  )
}
