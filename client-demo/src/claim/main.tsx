/** What the guest of this tab won and claims: one claim when the address names it, else all of them. */
import { render } from 'preact'
import { ClaimPage } from './claim-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<ClaimPage tenant={query.get('tenant') ?? 'demo'} id={query.get('id')} />, app)
