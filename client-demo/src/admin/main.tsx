/** The operator's desk. */
import { render } from 'preact'
import { DeskPage } from './desk-page.tsx'

const app = document.getElementById('app')!
app.replaceChildren()
render(<DeskPage />, app)
