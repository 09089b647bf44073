/** What the desk asks the server: pages of a list, and the whole of it as a file. */
import { API, ask, type Page } from '../shared/api.ts'
import { asRefusal, refusalOf, ServerRefusal } from '../shared/refusal.ts'
import type { ListName, Row } from './lists.ts'

export const PAGE_SIZE = 25

export type Query = Record<string, string>

const address = (list: ListName, query: Query): string => `${API}/admin/${list}?${new URLSearchParams(query)}`

export const readPage = (token: string, list: ListName, query: Query): Promise<Page<Row>> =>
  ask<Page<Row>>('GET', address(list, { limit: String(PAGE_SIZE), ...query }), { token })

const FILE_PAGE = 1_000
/** Longer files are for a machine, which follows the header Link as this does. */
export const FILE_ROWS_MAX = 100_000
const FILE_MS_MAX = 30_000

/** The whole list as one file: its pages one after the other, with one line of names. */
export async function readFile(
  token: string,
  list: ListName,
  query: Query,
  onRows: (count: number) => void,
): Promise<{ csv: Blob; is_cut: boolean }> {
  const parts: string[] = []
  let next: string | null = address(list, { ...query, limit: String(FILE_PAGE), format: 'csv' })
  while (next !== null && parts.length * FILE_PAGE < FILE_ROWS_MAX) {
    const answer = await fileAt(token, next)
    const text = await answer.text()
    parts.push(parts.length === 0 ? text : text.slice(text.indexOf('\r\n') + 2))
    next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1] ?? null
    onRows(parts.length * FILE_PAGE)
  }
  return { csv: new Blob(parts, { type: 'text/csv;charset=utf-8' }), is_cut: next !== null }
}

async function fileAt(token: string, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, accept: 'text/csv' }
  let answer: Response
  try {
    answer = await fetch(path, { headers, signal: AbortSignal.timeout(FILE_MS_MAX) })
  } catch (error) {
    throw (error as Error).name === 'TimeoutError'
      ? new ServerRefusal('timeout', (error as Error).message)
      : asRefusal(error)
  }
  if (!answer.ok) throw refusalOf(await answer.json().catch(() => undefined), 'internal')
  return answer
}
