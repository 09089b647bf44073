/** The demo shop, for the player of this tab. */
import { render } from 'preact'
import { ShopPage } from './shop-page.tsx'

const query = new URLSearchParams(location.search)
const prize = Number(query.get('prize'))
const app = document.getElementById('app')!
app.replaceChildren()
render(
  <ShopPage
    tenant={query.get('tenant') ?? 'demo'}
    play_id={Number.isSafeInteger(prize) && prize > 0 ? prize : null}
  />,
  app,
)
