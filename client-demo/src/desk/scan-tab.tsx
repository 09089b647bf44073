/** Scanning the code of a winner: by camera, from a file, or as text. It works once. */
import { useRef, useState } from 'preact/hooks'
import { Words } from '../shared/claim-parts.tsx'
import { type Claim, scanCode } from '../shared/claims-api.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { say } from '../strings.ts'
import { canDetect, hasCamera, readCodeFile, useCamera } from './codes.ts'
import type { DeskParts } from './desk-page.tsx'

type Props = DeskParts & { onOpen: (claim_id: string) => void }

/** As the server: longer than any code. */
const CODE_LENGTH_MAX = 1_000

export function ScanTab({ bearer, tell, onOpen }: Props) {
  const [is_busy, setBusy] = useState(false)
  const [done, setDone] = useState<Claim | null>(null)
  const [why, setWhy] = useState('')
  const camera = useCamera((code) => void scan(code))
  const file = useRef<HTMLInputElement>(null)

  async function scan(code: string): Promise<boolean> {
    setBusy(true)
    setDone(null)
    setWhy('')
    try {
      const claim = await scanCode(bearer.token, code)
      setDone(claim)
      tell(say('scan.said', { title: claim.title, name: claim.winner }))
      return true
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
      return false
    } finally {
      setBusy(false)
    }
  }

  async function read() {
    const [chosen] = file.current!.files!
    file.current!.value = ''
    if (chosen === undefined || is_busy) return
    const code = await readCodeFile(chosen)
    if (code !== undefined) return void (await scan(code))
    setDone(null)
    setWhy(say(canDetect() ? 'scan.none_found' : 'scan.no_detector'))
  }

  return (
    <div class="scan">
      <p class="lead">{say('scan.lead')}</p>
      {hasCamera() ? (
        <div class="scan-camera">
          {camera.is_on && <video ref={camera.video} muted playsInline aria-label={say('scan.video')} />}
          <button
            type="button"
            class="button button-primary"
            onClick={camera.is_on ? camera.stop : camera.start}
          >
            {say(camera.is_on ? 'scan.stop' : 'scan.start')}
          </button>
          {camera.is_refused && (
            <p class="why" role="alert">
              {say('scan.refused')}
            </p>
          )}
        </div>
      ) : (
        <p class="fine">{say('scan.no_detector')}</p>
      )}
      <Words
        label={say('scan.text')}
        send={say('scan.hand_over')}
        length_max={CODE_LENGTH_MAX}
        hint={say('scan.text_hint')}
        is_busy={is_busy}
        onSend={scan}
      />
      <label class="button file-button">
        {say('scan.file')}
        <input ref={file} type="file" class="sr-only" accept="image/*" onChange={() => void read()} />
      </label>
      {why !== '' && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
      {done !== null && (
        <section class="outcome is-won" aria-labelledby="scan-done">
          <h2 id="scan-done" class="outcome-title">
            {say('scan.done')}
          </h2>
          <p class="outcome-text">{done.title}</p>
          <p class="outcome-meta">{say('desk.place_of', { n: done.place, name: done.winner })}</p>
          <button type="button" class="chip" onClick={() => onOpen(done.claim_id)}>
            {say('claim.open')}
          </button>
        </section>
      )}
    </div>
  )
}
