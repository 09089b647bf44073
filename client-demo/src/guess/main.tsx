/** The page of guess games: one when the address names it, else those that can be played. */
import { render } from 'preact'
import { GuessList, GuessPage } from './guess-page.tsx'

const query = new URLSearchParams(location.search)
const tenant = query.get('tenant') ?? 'demo'
const game_id = query.get('game')
const app = document.getElementById('app')!
app.replaceChildren()
render(
  game_id === null ? <GuessList tenant={tenant} /> : <GuessPage tenant={tenant} game_id={game_id} />,
  app,
)
