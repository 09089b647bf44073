/** The public page of one draw. */
import { render } from 'preact'
import { DrawPage } from './draw-page.tsx'

const query = new URLSearchParams(location.search)
const entry = query.get('entry')
const app = document.getElementById('app')!
app.replaceChildren()
render(
  <DrawPage
    id={query.get('id') ?? ''}
    tenant={query.get('tenant') ?? 'demo'}
    entry={entry !== null && /^\d{1,9}$/.test(entry) ? Number(entry) : null}
  />,
  app,
)
