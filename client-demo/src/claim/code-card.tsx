/** The code that the winner shows: a picture for cameras, and its text for whoever has none. */
import { useState } from 'preact/hooks'
import { type ClaimParts, useObjectUrl } from '../shared/claim-parts.tsx'
import { makeCode } from '../shared/claims-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { CopyButton } from '../shared/ui.tsx'
import { say } from '../strings.ts'

export function CodeCard({ claim, token }: Pick<ClaimParts, 'claim' | 'token'>) {
  const [times, setTimes] = useState(0)
  const { value: code, refusal } = useLoaded(() => makeCode(token, claim.claim_id), [claim.claim_id, times])
  const url = useObjectUrl(code?.picture)
  return (
    <div class="claim-code">
      <p>{say('code.says')}</p>
      {url === undefined ? (
        <div class="code-picture skeleton" role="status">
          {refusal === undefined ? say('app.loading') : whyText(refusal)}
        </div>
      ) : (
        <img class="code-picture" src={url} width={400} height={400} alt={say('code.alt')} />
      )}
      <p class="row">
        <button type="button" class="button" onClick={() => setTimes(times + 1)}>
          {say('code.new')}
        </button>
        {url !== undefined && (
          <a class="button" href={url} download="reward-code.svg">
            {say('code.save')}
          </a>
        )}
      </p>
      {code !== undefined && code.text !== '' && (
        <details class="details">
          <summary>{say('code.as_text')}</summary>
          <p class="fine">{say('code.as_text_says')}</p>
          <p class="code-text">
            <code>{code.text}</code>
            <CopyButton text={code.text} label={say('code.as_text')} />
          </p>
        </details>
      )}
    </div>
  )
}
