/** "Was my entry really in?": a receipt or a number in, an inclusion proof out, checked in this browser. */
import { useEffect, useState } from 'preact/hooks'
import { receiptsOf } from '../guess/game.ts'
import { type DrawView, readMine, readProof } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { readTickets } from '../shared/raffle-api.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { keptGuest } from '../shared/session.ts'
import { numberText, say } from '../strings.ts'
import type { Check } from './check.ts'

/** An entry of the reader, whose place on the list is null until it is fixed. */
type Own = {
  id: string
  label: string
  seq: number
  entry_index: number | null
  salt: string | null
  receipt: string | undefined
  is_in_force: boolean
}

async function readOwn(draw: DrawView, token: string): Promise<Own[]> {
  if (draw.game === 'guess' || draw.game === 'giveaway') {
    const receipts = receiptsOf()
    return (await readMine(token, draw.game_id)).map(({ submission_id, ...guess }) => ({
      ...guess,
      id: submission_id,
      label: say('find.mine', { n: guess.entry_index ?? guess.seq }),
      receipt: receipts[submission_id],
    }))
  }
  if (draw.game !== 'raffle') return []
  // A later draw has a list of its own, in which the tickets stand elsewhere.
  const tickets = (await readTickets(token, draw.game_id)).data.filter(
    ({ draw_id, entry_index }) => draw_id === draw.draw_id && entry_index !== null,
  )
  return tickets.slice(0, OWN_MAX).map(({ ticket_id, ticket_number, entry_index, salt, receipt }) => ({
    id: ticket_id,
    label: say('find.ticket', { n: ticket_number }),
    seq: entry_index!,
    entry_index,
    salt,
    receipt: receipt ?? undefined,
    is_in_force: true,
  }))
}

/** More buttons than these are no help. */
const OWN_MAX = 20

type Answer = { checks: Check[]; entry_index: number; entry: Record<string, unknown> } | { why: string }

export function FindEntry({ draw, tenant, entry }: { draw: DrawView; tenant: string; entry: number | null }) {
  const [text, setText] = useState(entry === null ? '' : String(entry))
  const [answer, setAnswer] = useState<Answer | null>(null)
  const [is_busy, setBusy] = useState(false)
  const me = keptGuest(tenant)
  const { value: mine, refusal } = useLoaded<Own[]>(
    async () => (me === undefined ? [] : readOwn(draw, me.token)),
    [draw.draw_id, draw.status],
  )
  const is_sealed = draw.entries_root !== null
  const find = async (wish: string) => {
    if (is_busy || wish.trim() === '') return
    setBusy(true)
    setAnswer(await findEntry(draw, wish, mine ?? [], me))
    setBusy(false)
  }
  useEffect(() => {
    // With what is known of the reader's own entries, or without when it cannot be had.
    if (entry !== null && is_sealed && (mine !== undefined || refusal !== undefined)) void find(String(entry))
  }, [is_sealed, mine, refusal])
  const own = (mine ?? []).filter(({ entry_index, is_in_force }) => entry_index !== null && is_in_force)

  return (
    <section class="card find" aria-labelledby="find">
      <h2 id="find">{say('find.title')}</h2>
      <p class="fine">{say('find.lead')}</p>
      {!is_sealed ? (
        <p class="empty">{say('find.open')}</p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            void find(text)
          }}
        >
          <label for="find-text">{say('find.label')}</label>
          <textarea
            id="find-text"
            rows={2}
            value={text}
            spellcheck={false}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <p class="row">
            <button type="submit" class="button button-primary" aria-disabled={is_busy}>
              {say('find.button')}
            </button>
            {own.map(({ id, label, entry_index, receipt }) => (
              <button
                key={id}
                type="button"
                class="button"
                onClick={() => {
                  const wish = receipt ?? String(entry_index)
                  setText(wish)
                  void find(wish)
                }}
              >
                {label}
              </button>
            ))}
          </p>
        </form>
      )}
      <div role="status">{answer !== null && <Found answer={answer} />}</div>
    </section>
  )
}

function Found({ answer }: { answer: Answer }) {
  if ('why' in answer) return <p class="why">{answer.why}</p>
  const is_ok = answer.checks.every((check) => check.is_ok)
  return (
    <div class={`answer ${is_ok ? 'answer-verified' : 'answer-failed'}`}>
      <p class="answer-title">{say(is_ok ? 'find.in' : 'find.out', { n: numberText(answer.entry_index) })}</p>
      <ul class="find-checks">
        {answer.checks.map(({ name, is_ok: holds }) => (
          <li key={name} class={holds ? 'good' : 'bad'}>
            {say(`find.check.${name}`)}
          </li>
        ))}
      </ul>
      <code class="bytes">{JSON.stringify(answer.entry)}</code>
    </div>
  )
}

async function findEntry(
  draw: DrawView,
  wish: string,
  mine: readonly Own[],
  me: { token: string; user_id: string } | undefined,
): Promise<Answer> {
  try {
    const { checkEntry, readReceipt } = await import('./check.ts')
    const is_number = /^\s*\d{1,9}\s*$/.test(wish)
    const receipt = is_number ? undefined : readReceipt(wish)
    if (!is_number && receipt === undefined) return { why: say('find.unreadable') }
    if (receipt !== undefined && receipt.commitHash !== draw.commit_hash) return { why: say('find.foreign') }
    const own = mine.find((each) => (receipt ? each.seq === receipt.seq : each.entry_index === Number(wish)))
    const index = is_number ? Number(wish) : (receipt!.i ?? own?.entry_index)
    if (index == null) return { why: say(own ? 'find.replaced' : 'find.no_place') }
    const proof = await readProof(draw.draw_id, index, me?.token)
    const mine_known = own?.salt != null && own.entry_index === index && me !== undefined
    const checks = await checkEntry({
      draw,
      proof,
      ...(receipt && { jws: wish, receipt }),
      ...(mine_known && { me: { user_id: me.user_id, salt: own.salt! } }),
    })
    return { checks, entry_index: index, entry: proof.entry }
  } catch (error) {
    return { why: whyText(asRefusal(error)) }
  }
}
