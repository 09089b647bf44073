/** The big screen: no login, one wheel, everything that happens on it. */
import { render } from 'preact'
import { WatchPage } from './watch-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<WatchPage tenant={query.get('tenant') ?? 'demo'} game={query.get('game') ?? undefined} />, app)
