/** The verify page: what is pasted, dropped, or named in the address. */
import { render } from 'preact'
import { VerifyPage } from './verify-page.tsx'

const app = document.getElementById('app')!
app.replaceChildren()
render(<VerifyPage event={new URLSearchParams(location.search).get('event')} />, app)
