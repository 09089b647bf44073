/** The play page: a lobby, or one wheel when the address names it. */
import { render } from 'preact'
import { Lobby } from './lobby.tsx'
import { PlayWheel } from './play-wheel.tsx'

const query = new URLSearchParams(location.search)
const tenant = query.get('tenant') ?? 'demo'
const wheel = query.get('wheel')

const app = document.getElementById('app')!
app.replaceChildren()
render(wheel === null ? <Lobby tenant={tenant} /> : <PlayWheel tenant={tenant} wheel={wheel} />, app)
