/** The link that a demo prints at its start: its code becomes an operator's token, once, and leads to the desk. */
import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { API, ask } from '../shared/api.ts'
import { keepBearer } from '../shared/bearer.ts'
import { asRefusal } from '../shared/refusal.ts'
import { Header } from '../shared/ui.tsx'
import { say } from '../strings.ts'

const DESK = '/admin'

/** The code stands behind the `#`: no server, proxy or log ever sees it in an address. */
function takeCode(): string {
  const code = location.hash.slice(1)
  history.replaceState(null, '', location.pathname)
  return code
}

function Enter({ code }: { code: string }) {
  const [text, setText] = useState(say('app.loading'))
  useEffect(() => {
    ask<{ token: string }>('POST', `${API}/admin-link`, { body: { code } }).then(
      (made) => {
        keepBearer(made)
        location.replace(DESK)
      },
      (error: unknown) => {
        const { code: why } = asRefusal(error)
        setText(say(why === 'network' || why === 'timeout' ? 'why.network' : 'enter.over'))
      },
    )
  }, [])
  return (
    <>
      <Header page="enter" />
      <main id="main">
        <section class="card notice" role="status">
          <h1>{say('enter.title')}</h1>
          <p>{text}</p>
          <p class="fine">
            <code>npm run token -- --tenant demo --sub me --role operator</code>
          </p>
        </section>
      </main>
    </>
  )
}

const app = document.getElementById('app')!
app.replaceChildren()
render(<Enter code={takeCode()} />, app)
