/** The big screen of a draw: no login, its countdown, its list, its winners in step. */
import { render } from 'preact'
import { WatchDrawPage, type Watched } from './watch-draw-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
const [guess, raffle] = [query.get('game'), query.get('raffle')]
const watched: Watched | undefined =
  raffle !== null
    ? { kind: 'raffle', game: raffle }
    : guess !== null
      ? { kind: 'guess', game: guess }
      : undefined
render(<WatchDrawPage tenant={query.get('tenant') ?? 'demo'} watched={watched} />, app)
