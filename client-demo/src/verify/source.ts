/** From what people paste to the text of a transcript. */
import { TEXT_BYTES_MAX } from '../../../src/fairness/verify.ts'
import { API } from '../shared/api.ts'
import { refusalOf, ServerRefusal, whyText } from '../shared/refusal.ts'
import { say } from '../strings.ts'

/** A document to check. `is_ours`: it was fetched from this server, so this server's keys are the ones to use. */
export type Source = { text: string; is_ours: boolean }

const EVENT_ID = /^[A-Za-z0-9._:-]{1,128}$/

/**
 * Reads an id, a link to this server or to another one, or the document itself. Throws an Error whose message is
 * for people.
 */
export async function sourceOf(input: string): Promise<Source> {
  const given = input.trim()
  if (given.startsWith('{')) return { text: given, is_ours: true }
  if (EVENT_ID.test(given)) return fetched(`${API}/verify/${encodeURIComponent(given)}`, true)
  const url = given.startsWith('/') ? URL.parse(given, location.href) : URL.parse(given)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new Error(say('verify.unreadable'))
  const event = url.searchParams.get('event')
  const address = event === null ? url.href : `${url.origin}${API}/verify/${encodeURIComponent(event)}`
  return fetched(address, url.origin === location.origin)
}

/** A file that was chosen or dropped. */
export async function sourceOfFile(file: File): Promise<Source> {
  if (file.size > TEXT_BYTES_MAX) throw new Error(say('verify.too_large'))
  // An editor's last line feed is not part of the document.
  return { text: (await file.text()).trim(), is_ours: true }
}

async function fetched(address: string, is_ours: boolean): Promise<Source> {
  try {
    const answer = await fetch(address, { headers: { accept: 'application/json' } }).catch((error: Error) => {
      throw new ServerRefusal('network', error.message)
    })
    const text = (await answer.text()).trim()
    if (answer.ok) return { text, is_ours }
    throw refusalOf(parsed(text), 'internal')
  } catch (error) {
    throw new Error(say('verify.fetch_failed', { why: whyText(error as ServerRefusal) }))
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
