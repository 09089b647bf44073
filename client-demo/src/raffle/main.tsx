/** The page of raffles: one when the address names it, else those that are not over. */
import { render } from 'preact'
import { RaffleList, RafflePage } from './raffle-page.tsx'

const query = new URLSearchParams(location.search)
const tenant = query.get('tenant') ?? 'demo'
const game = query.get('game')
const app = document.getElementById('app')!
app.replaceChildren()
render(game === null ? <RaffleList tenant={tenant} /> : <RafflePage tenant={tenant} game={game} />, app)
