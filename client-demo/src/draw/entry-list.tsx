/** The sealed list, by pseudonym, page by page. */
import { useState } from 'preact/hooks'
import type { Page } from '../shared/api.ts'
import { type DrawView, type Leaf, readEntries } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { whyText } from '../shared/refusal.ts'
import { numberText, say } from '../strings.ts'

const PUBLIC = new Set(['drawn', 'settled'])
const PAGE_SIZE = 25

export function EntryList({ draw }: { draw: DrawView }) {
  const is_public = PUBLIC.has(draw.status)
  const [from, setFrom] = useState(0)
  const { value, refusal } = useLoaded<Page<Leaf> | null>(
    async () => (is_public ? readEntries(draw.draw_id, String(from), PAGE_SIZE) : null),
    [draw.draw_id, is_public, from],
  )
  return (
    <section class="card" aria-labelledby="entries">
      <h2 id="entries">{say('draw.list')}</h2>
      {!is_public && <p class="empty">{say('draw.list_sealed')}</p>}
      {refusal !== undefined && <p class="why">{whyText(refusal)}</p>}
      {value != null && (
        <>
          <div class="table-scroll">
            <table class="odds entries">
              <thead>
                <tr>
                  <th scope="col">{say('draw.entry')}</th>
                  <th scope="col">{say('draw.pseudonym')}</th>
                  <th scope="col">{say('draw.facts')}</th>
                </tr>
              </thead>
              <tbody>
                {value.data.map((leaf) => (
                  <tr key={leaf.i}>
                    <th scope="row">{numberText(leaf.i)}</th>
                    <td>
                      <code title={leaf.e}>{leaf.e.slice(0, 16)}…</code>
                    </td>
                    <td>{factsText(leaf)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="row pager">
            <button
              type="button"
              class="button"
              aria-disabled={from === 0}
              onClick={() => setFrom(Math.max(0, from - PAGE_SIZE))}
            >
              {say('draw.previous')}
            </button>
            <span class="fine">
              {say('draw.page', {
                from: from + 1,
                to: from + value.data.length,
                n: draw.entry_count,
              })}
            </span>
            <button
              type="button"
              class="button"
              aria-disabled={value.next_cursor === null}
              onClick={() => value.next_cursor !== null && setFrom(from + PAGE_SIZE)}
            >
              {say('draw.next')}
            </button>
          </p>
        </>
      )}
    </section>
  )
}

/** Facts of a leaf in words: a guess (`g`), the number of a ticket (`t`), the rule that added it (`b`), how it was had (`via`), luck of the browser (`c`). */
const WORDS: Record<string, (value: unknown) => string> = {
  g: (value) => numberText(Number(value)),
  t: (value) => say('draw.ticket_is', { n: String(value) }),
  b: (value) => say('guess.bonus', { label: String(value) }),
  via: (value) => (value === 'paid' ? '' : say('draw.given')),
  c: (value) => String(value).slice(0, 8),
}

/** What a leaf says beside its pseudonym and place. */
function factsText({ e: _e, i: _i, ...facts }: Leaf): string {
  const words = Object.entries(facts).map(
    ([key, value]) => WORDS[key]?.(value) ?? `${key} ${JSON.stringify(value)}`,
  )
  return words.filter((word) => word !== '').join(' · ') || '—'
}
