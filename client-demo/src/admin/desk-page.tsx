/** The operator's desk: five lists of guess games with filters, pages and files. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Bearer, forgetBearer, keptBearer } from '../shared/bearer.ts'
import { drawAddress, verifyDrawAddress } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { asRefusal, whyText } from '../shared/refusal.ts'
import { watches } from '../shared/rights.ts'
import { TokenForm } from '../shared/token-form.tsx'
import { Announcer, Header, Tabs } from '../shared/ui.tsx'
import { LANGUAGE, numberText, say, sayOr } from '../strings.ts'
import { PAGE_SIZE, type Query, readFile, readPage } from './desk.ts'
import { type Filter, LISTS, type List, type ListName, type Row } from './lists.ts'

export function DeskPage() {
  const [seat, setSeat] = useState<Bearer | undefined>(keptBearer)
  const [why, setWhy] = useState('')
  const leave = (reason: string) => {
    forgetBearer()
    setWhy(reason)
    setSeat(undefined)
  }
  return (
    <>
      <Header page="admin">
        {seat !== undefined && (
          <button type="button" class="button" onClick={() => leave('')}>
            {say('admin.leave')}
          </button>
        )}
      </Header>
      <main id="main" class="admin">
        <header class="desk-head">
          <h1>{say('admin.title')}</h1>
          <p class="lead">{say('admin.lead')}</p>
          <p class="row">
            {say('admin.to_desk')}{' '}
            <a class="button" href="/desk">
              {say('desk.title')}
            </a>
          </p>
        </header>
        {seat === undefined ? (
          <section class="card desk-door">
            <TokenForm
              label={say('admin.token')}
              first_why={why}
              refuses={(bearer) => (watches(bearer) ? undefined : say('admin.forbidden'))}
              onBearer={setSeat}
            >
              <p class="fine">
                {say('admin.how')} <code>npm run token -- --tenant demo --sub me --role operator</code>
              </p>
            </TokenForm>
          </section>
        ) : (
          <Desk seat={seat} onLeave={leave} />
        )}
      </main>
    </>
  )
}

type DeskParts = { seat: Bearer; onLeave: (why: string) => void }

function Desk({ seat, onLeave }: DeskParts) {
  const [chosen, setChosen] = useState<ListName>('games')
  // Filters stay with their list while another one is looked at.
  const [queries, setQueries] = useState<Partial<Record<ListName, Query>>>({})
  const ask = (list: ListName, query: Query) => setQueries((all) => ({ ...all, [list]: query }))
  const tabs = LISTS.map((list) => ({
    id: list.name,
    label: say(list.label),
    panel: (
      <ListPanel
        key={list.name}
        list={list}
        seat={seat}
        query={queries[list.name] ?? {}}
        onQuery={(query) => ask(list.name, query)}
        onGame={(game_id, to) => {
          ask(to, { game_id })
          setChosen(to)
        }}
        onLeave={onLeave}
      />
    ),
  }))
  const until = new Intl.DateTimeFormat(LANGUAGE, { timeStyle: 'short' }).format(seat.expires_at_ms)
  return (
    <section class="card desk-card">
      <p class="fine">
        {say('admin.seat', {
          user: seat.user_id,
          roles: seat.roles.join(', '),
          tenant: seat.tenant,
          when: until,
        })}
      </p>
      <Tabs
        tabs={tabs}
        chosen={chosen}
        onChoose={(id) => setChosen(id as ListName)}
        label={say('admin.tabs')}
      />
    </section>
  )
}

type PanelParts = DeskParts & {
  list: List
  query: Query
  onQuery: (query: Query) => void
  onGame: (game_id: string, to: ListName) => void
}

function ListPanel({ list, seat, query, onQuery, onGame, onLeave }: PanelParts) {
  // Where each page that was looked at begins; the last one is shown.
  const [cursors, setCursors] = useState<(string | null)[]>([null])
  const [said, setSaid] = useState('')
  const asked = JSON.stringify(query)
  useEffect(() => setCursors([null]), [asked])
  const cursor = cursors.at(-1) ?? null
  const { value, refusal, reload } = useLoaded(
    () => readPage(seat.token, list.name, { ...query, ...(cursor !== null && { cursor }) }),
    [seat.token, list.name, asked, cursor],
  )
  useEffect(() => {
    if (refusal?.code === 'unauthorized') onLeave(say('admin.ended'))
    if (refusal?.code === 'forbidden') onLeave(say('admin.forbidden'))
  }, [refusal])
  const first = (cursors.length - 1) * PAGE_SIZE
  const rows = value?.data ?? []
  const pageText =
    rows.length === 0
      ? say('admin.empty')
      : say('admin.page', { from: numberText(first + 1), to: numberText(first + rows.length) })
  useEffect(() => {
    if (value !== undefined) setSaid(`${say(list.label)}: ${pageText}`)
  }, [value])
  return (
    <>
      <Filters list={list} query={query} onQuery={onQuery} />
      <div class="row desk-tools">
        <p class="fine" id={`page-${list.name}`}>
          {value === undefined ? say('app.loading') : pageText}
        </p>
        <span class="row">
          <button type="button" class="button" onClick={reload}>
            {say('admin.reload')}
          </button>
          <Download list={list} seat={seat} query={query} onSaid={setSaid} />
        </span>
      </div>
      {refusal !== undefined && (
        <p class="why" role="alert">
          {whyText(refusal)}
        </p>
      )}
      {rows.length > 0 && <Rows list={list} rows={rows} onGame={onGame} />}
      <div class="row pager">
        <button
          type="button"
          class="button"
          aria-disabled={cursors.length === 1}
          onClick={() => cursors.length > 1 && setCursors(cursors.slice(0, -1))}
        >
          {say('draw.previous')}
        </button>
        <button
          type="button"
          class="button"
          aria-disabled={value?.next_cursor == null}
          onClick={() => value?.next_cursor != null && setCursors([...cursors, value.next_cursor])}
        >
          {say('draw.next')}
        </button>
      </div>
      <Announcer text={said} />
    </>
  )
}

function Filters({ list, query, onQuery }: Pick<PanelParts, 'list' | 'query' | 'onQuery'>) {
  const form = useRef<HTMLFormElement>(null)
  const submit = (event: Event) => {
    event.preventDefault()
    const wishes: Query = {}
    for (const [name, value] of new FormData(form.current!)) {
      const text = String(value).trim()
      if (text === '') continue
      const kind = list.filters.find((each) => each.name === name)?.kind
      wishes[name] = kind === 'time' ? new Date(text).toISOString() : text
    }
    onQuery(wishes)
  }
  return (
    // Made anew when a filter comes from elsewhere, so that its fields show it.
    <form
      key={JSON.stringify(query)}
      ref={form}
      class="desk-filters"
      onSubmit={submit}
      aria-label={say('admin.filters')}
    >
      {list.filters.map((filter) => (
        <FilterField key={filter.name} list={list.name} filter={filter} value={query[filter.name] ?? ''} />
      ))}
      <p class="row">
        <button type="submit" class="button button-primary">
          {say('admin.apply')}
        </button>
        {Object.keys(query).length > 0 && (
          <button type="button" class="button" onClick={() => onQuery({})}>
            {say('admin.clear')}
          </button>
        )}
      </p>
    </form>
  )
}

function FilterField({ list, filter, value }: { list: string; filter: Filter; value: string }) {
  const id = `filter-${list}-${filter.name}`
  return (
    <div class="desk-filter">
      <label for={id}>{say(filter.label)}</label>
      {filter.kind === 'text' ? (
        <input
          id={id}
          name={filter.name}
          type="text"
          defaultValue={value}
          autocomplete="off"
          spellcheck={false}
        />
      ) : filter.kind === 'time' ? (
        <input id={id} name={filter.name} type="datetime-local" defaultValue={localTime(value)} />
      ) : (
        <select id={id} name={filter.name} defaultValue={value}>
          <option value="" selected={value === ''}>
            {say('admin.any')}
          </option>
          {choicesOf(filter).map((each) => (
            <option key={each} value={each} selected={value === each}>
              {filter.kind === 'flag' ? say(each === 'true' ? 'admin.yes' : 'admin.no') : wordOf(each)}
            </option>
          ))}
        </select>
      )}
    </div>
  )
}

function choicesOf(filter: Filter): readonly string[] {
  if (filter.kind === 'flag') return ['true', 'false']
  return filter.kind === 'choice' ? filter.choices : []
}

/** An instant as a field of local time takes it. */
function localTime(iso: string): string {
  if (iso === '') return ''
  const at = new Date(iso)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

type DownloadParts = Pick<PanelParts, 'list' | 'seat' | 'query'> & { onSaid: (text: string) => void }

function Download({ list, seat, query, onSaid }: DownloadParts) {
  const [count, setCount] = useState<number | null>(null)
  const [why, setWhy] = useState<string | null>(null)
  const run = async () => {
    if (count !== null) return
    setWhy(null)
    setCount(0)
    try {
      const { csv, is_cut } = await readFile(seat.token, list.name, query, setCount)
      save(csv, `${list.name}.csv`)
      onSaid(say(is_cut ? 'admin.file_cut' : 'admin.file_done', { name: `${list.name}.csv` }))
      if (is_cut) setWhy(say('admin.file_cut', { name: `${list.name}.csv` }))
    } catch (error) {
      setWhy(whyText(asRefusal(error)))
    } finally {
      setCount(null)
    }
  }
  return (
    <>
      <button
        type="button"
        class="button button-primary"
        aria-disabled={count !== null}
        onClick={() => void run()}
      >
        {count === null ? say('admin.csv') : say('admin.csv_busy')}
      </button>
      {why !== null && (
        <span class="bad" role="alert">
          {why}
        </span>
      )}
    </>
  )
}

function save(file: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

function Rows({ list, rows, onGame }: Pick<PanelParts, 'list' | 'onGame'> & { rows: Row[] }) {
  return (
    // A wide table scrolls by itself; its buttons lead the keyboard through it.
    <section class="table-scroll" aria-label={say(list.label)}>
      <table class="desk-table">
        <thead>
          <tr>
            {list.columns.map((name) => (
              <th key={name} scope="col">
                {sayOr(`admin.col.${name}`, name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={String(row['id'] ?? `${row['game_id']}-${row['place'] ?? row['position'] ?? i}`)}>
              {list.columns.map((name, place) =>
                place === 0 ? (
                  <th key={name} scope="row">
                    {String(row[name])}
                    {row['is_active'] === false && <span class="tag">{say('admin.deleted')}</span>}
                  </th>
                ) : (
                  <td key={name}>
                    <Cell list={list.name} name={name} row={row} onGame={onGame} />
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

const WORDS = new Set(['status', 'mode', 'reward_type'])
const wordOf = (text: string): string => sayOr(`admin.word.${text}`, text)

type CellParts = { list: ListName; name: string; row: Row; onGame: PanelParts['onGame'] }

function Cell({ list, name, row, onGame }: CellParts) {
  const value = row[name]
  if (name === 'guess' && row['is_sealed'] === true) return <span class="tag">{say('admin.sealed')}</span>
  if (value === null || value === undefined) return <span class="fine">–</span>
  if (typeof value === 'boolean') return <>{say(value ? 'admin.yes' : 'admin.no')}</>
  if (typeof value === 'number') return <>{numberText(value)}</>
  if (Array.isArray(value)) return <>{value.length === 0 ? '–' : value.map(numberText).join(', ')}</>
  const text = String(value)
  if (name.endsWith('_at')) return <time dateTime={text}>{timeText(text)}</time>
  if (name === 'draw_id')
    return (
      <a class="chip" href={drawAddress(text)}>
        {say('guess.draw_page')}
      </a>
    )
  if (name === 'verify')
    return (
      <a class="chip" href={verifyDrawAddress(text.split('/').at(-1)!)}>
        {say('result.fair')}
      </a>
    )
  if (name === 'id' || name === 'game_id') {
    // From a game to its guesses, and from anything else back to what became of its game.
    const to: ListName = list === 'game-submissions' ? 'game-history' : 'game-submissions'
    const label = say(list === 'game-submissions' ? 'admin.to_history' : 'admin.to_guesses')
    return (
      <button type="button" class="chip" title={text} onClick={() => onGame(text, to)}>
        {label} <span class="sr-only">{String(row['title'])}</span>
      </button>
    )
  }
  if (name.endsWith('_hash') || name === 'hash_value') return <code title={text}>{text.slice(0, 10)}…</code>
  return <>{WORDS.has(name) ? wordOf(text) : text}</>
}

const timeText = (iso: string): string =>
  new Intl.DateTimeFormat(LANGUAGE, { dateStyle: 'short', timeStyle: 'short' }).format(new Date(iso))
