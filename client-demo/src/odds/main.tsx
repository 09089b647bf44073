/** What the wheels of a tenant rolled beside what they promise; for anybody, without a login. */
import { render } from 'preact'
import { OddsPage } from './odds-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<OddsPage tenant={query.get('tenant') ?? 'demo'} asked={query.get('wheel') ?? undefined} />, app)
