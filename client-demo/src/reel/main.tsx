/** The reel player. */
import { render } from 'preact'
import { ReelPage } from './reel-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<ReelPage tenant={query.get('tenant') ?? 'demo'} reel_id={query.get('reel') ?? 'demo-reel'} />, app)
