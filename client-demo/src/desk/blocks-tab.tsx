/** Creators who are stopped for a while, and their appeals. */
import { useState } from 'preact/hooks'
import { decideBlock, readBlocks, type StaffBlock } from '../shared/claims-api.ts'
import { usePaged } from '../shared/loading.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { Unavailable } from '../shared/ui.tsx'
import { say } from '../strings.ts'
import type { DeskParts } from './desk-page.tsx'
import { BlockFacts } from './record-tab.tsx'

type Props = DeskParts & { is_deciding: boolean }

export function BlocksTab({ is_deciding, ...parts }: Props) {
  const { bearer, news } = parts
  const { items, refusal, has_more, more, reload } = usePaged(
    (cursor) => readBlocks(bearer.token, cursor),
    [bearer, news.times],
  )
  if (items === undefined) return <Unavailable refusal={refusal} retry={reload} />
  return (
    <>
      {items.length === 0 && <p class="empty">{say('block.empty')}</p>}
      <ul class="claim-list records">
        {items.map((block) => (
          <li key={block.block_id} class="card record">
            <h3>
              {block.name}{' '}
              <span class={`tag ${block.is_holding ? '' : 'tag-closed'}`}>
                {say(block.is_holding ? 'block.holds' : 'block.over')}
              </span>
            </h3>
            <BlockFacts block={block} tenant={parts.tenant} />
            {is_deciding && block.is_holding && block.appeal !== null && block.decision === null && (
              <DecideBlock {...parts} block={block} reload={reload} />
            )}
          </li>
        ))}
      </ul>
      {has_more && (
        <button type="button" class="button more" onClick={more}>
          {say('prizes.more')}
        </button>
      )}
    </>
  )
}

function DecideBlock({ bearer, tell, block, reload }: DeskParts & { block: StaffBlock; reload: () => void }) {
  const id = `note-${block.block_id}`
  const [note, setNote] = useState('')
  const [is_busy, setBusy] = useState(false)
  const [why, setWhy] = useState('')
  const decide = async (decision: 'lifted' | 'upheld') => {
    if (is_busy) return
    setBusy(true)
    setWhy('')
    try {
      await decideBlock(bearer.token, block.block_id, decision, note.trim())
      tell(say(`block.decision.${decision}`))
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
    }
    reload()
    setBusy(false)
  }
  return (
    <div class="words">
      <label for={id}>{say('queue.note')}</label>
      <textarea
        id={id}
        rows={2}
        maxLength={2_000}
        value={note}
        onInput={(event) => setNote(event.currentTarget.value)}
      />
      <p class="row">
        <button type="button" class="button" aria-disabled={is_busy} onClick={() => void decide('lifted')}>
          {say('block.lift')}
        </button>
        <button type="button" class="button" aria-disabled={is_busy} onClick={() => void decide('upheld')}>
          {say('block.uphold')}
        </button>
      </p>
      {why !== '' && (
        <p class="why" role="alert">
          {why}
        </p>
      )}
    </div>
  )
}
