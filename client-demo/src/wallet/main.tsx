/** The wallet of the player of this tab. */
import { render } from 'preact'
import { WalletPage } from './wallet-page.tsx'

const query = new URLSearchParams(location.search)
const app = document.getElementById('app')!
app.replaceChildren()
render(<WalletPage tenant={query.get('tenant') ?? 'demo'} />, app)
