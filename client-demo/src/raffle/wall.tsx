/** The wall of tickets: every number, free, held, gone or mine, live; a page of them at a time. */
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { numberText, say } from '../strings.ts'
import { type Mark, PAGE_SIZE, type RafflePlay, type RaffleUser } from './raffle.ts'

/** Room for a number of so many digits, in pixels. */
const cellPx = (digits: number) => (digits <= 3 ? 30 : 22 + digits * 9)
const COLUMNS = [10, 5, 4, 2]

type Kind = 'free' | 'picked' | 'mine' | 'mine-held' | Mark
type Parts = { play: RafflePlay; state: RaffleUser; children: ComponentChildren }

export function Wall({ play, state, children }: Parts) {
  const { from, view, marks, picked, tickets, held } = state
  const total = view!.total
  const to = Math.min(total, from + PAGE_SIZE - 1)
  const { grid, columns } = useColumns(String(to).length)
  const [active, setActive] = useState(from)
  const own = new Set(
    tickets.filter(({ status }) => status !== 'refunded').map(({ ticket_number }) => Number(ticket_number)),
  )
  const own_held = new Set(held?.numbers.map(Number))
  const focused = active < from || active > to ? from : active
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i)
  const rows = Array.from({ length: Math.ceil(numbers.length / columns) }, (_, i) =>
    numbers.slice(i * columns, (i + 1) * columns),
  )
  const is_open = view!.phase === 'open'

  const stateOf = (number: number): Kind => {
    if (own.has(number)) return 'mine'
    if (own_held.has(number)) return 'mine-held'
    const mark = marks?.get(number)
    if (mark !== undefined) return mark
    return picked.includes(number) ? 'picked' : 'free'
  }
  const wanted = useRef<number | null>(null)
  useLayoutEffect(() => {
    if (wanted.current === null) return
    grid.current?.querySelector<HTMLElement>(`[data-number="${wanted.current}"]`)?.focus()
    wanted.current = null
  })
  const goTo = (number: number) => {
    const target = Math.min(total, Math.max(1, number))
    wanted.current = target
    setActive(target)
    if (target < from || target > to) play.look(pageOf(target))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const steps: Record<string, number> = {
      ArrowRight: focused + 1,
      ArrowLeft: focused - 1,
      ArrowDown: focused + columns,
      ArrowUp: focused - columns,
      Home: from,
      End: to,
      PageDown: focused + PAGE_SIZE,
      PageUp: focused - PAGE_SIZE,
    }
    const target = steps[event.key]
    if (target === undefined) return
    event.preventDefault()
    goTo(target)
  }

  return (
    <section class="card wall" aria-labelledby="wall">
      <div class="wall-head">
        <h2 id="wall">{say(is_open ? 'raffle.wall' : 'raffle.wall_all')}</h2>
        <ul class="wall-legend" aria-hidden="true">
          {(['free', 'picked', 'held', 'gone', 'mine'] as const).map((kind) => (
            <li key={kind}>
              <span class={`swatch number-${kind}`} /> {say(`raffle.number.${kind}`)}
            </li>
          ))}
        </ul>
      </div>
      {total > PAGE_SIZE && <Pager play={play} from={from} to={to} total={total} />}
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: arrows move in it, which is ARIA's grid.
        role="grid"
        aria-labelledby="wall"
        aria-busy={marks === null}
        aria-describedby="wall-help"
        class={marks === null ? 'numbers is-loading' : 'numbers'}
        ref={grid}
        onKeyDown={onKeyDown}
      >
        <tbody>
          {rows.map((row) => (
            <tr key={row[0]}>
              {row.map((number) => {
                const kind = stateOf(number)
                const is_pickable = is_open && (kind === 'free' || kind === 'picked')
                return (
                  <td key={number}>
                    <button
                      type="button"
                      class={`number number-${kind}`}
                      data-number={number}
                      tabIndex={number === focused ? 0 : -1}
                      aria-pressed={kind === 'picked'}
                      aria-disabled={!is_pickable}
                      aria-label={say('raffle.number', { n: number, state: say(`raffle.number.${kind}`) })}
                      onFocus={() => setActive(number)}
                      onClick={() => is_open && play.toggle(number)}
                    >
                      {number}
                    </button>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="fine" id="wall-help">
        {say(is_open ? 'raffle.wall_help' : 'raffle.wall_closed')}
      </p>
      {children}
    </section>
  )
}

const pageOf = (number: number): number => number - ((number - 1) % PAGE_SIZE)

function Pager({ play, from, to, total }: { play: RafflePlay; from: number; to: number; total: number }) {
  const [text, setText] = useState('')
  const wanted = Number(text)
  const is_fine = Number.isInteger(wanted) && wanted >= 1 && wanted <= total
  return (
    <div class="row wall-pager">
      <button
        type="button"
        class="button"
        aria-disabled={from === 1}
        aria-label={say('raffle.previous')}
        onClick={() => from > 1 && play.look(from - PAGE_SIZE)}
      >
        ‹
      </button>
      <span class="fine" role="status">
        {say('raffle.window', { from, to, n: total })}
      </span>
      <button
        type="button"
        class="button"
        aria-disabled={to === total}
        aria-label={say('raffle.next')}
        onClick={() => to < total && play.look(from + PAGE_SIZE)}
      >
        ›
      </button>
      <form
        class="wall-find"
        onSubmit={(event) => {
          event.preventDefault()
          if (is_fine) play.look(pageOf(wanted))
        }}
      >
        <input
          type="number"
          inputMode="numeric"
          min={1}
          max={total}
          value={text}
          aria-label={say('raffle.find')}
          placeholder={numberText(total)}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="button" aria-disabled={!is_fine}>
          {say('raffle.find_button')}
        </button>
      </form>
    </div>
  )
}

/** As many columns as fit, so that each step of ten stays in sight. */
function useColumns(digits: number) {
  const grid = useRef<HTMLTableElement>(null)
  const [columns, setColumns] = useState(COLUMNS[0]!)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const width = entry!.contentRect.width
      setColumns(COLUMNS.find((each) => each * cellPx(digits) <= width) ?? COLUMNS.at(-1)!)
    })
    observer.observe(grid.current!)
    return () => observer.disconnect()
  }, [digits])
  return { grid, columns }
}
