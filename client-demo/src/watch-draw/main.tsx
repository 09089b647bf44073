/** The big screen of a draw: no login, its countdown, its list, its winners in step. */
import { render } from 'preact'
import { WatchDrawPage } from './watch-draw-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<WatchDrawPage tenant={query.get('tenant') ?? 'demo'} game_id={query.get('game') ?? undefined} />, app)
