/** The door of the desks: a bearer token is pasted, looked at, tried on the server, and kept in its tab. */
import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { say } from '../strings.ts'
import { type Bearer, keepBearer, readBearer } from './bearer.ts'
import { asRefusal, whyText } from './refusal.ts'
import { readTenant } from './tenant.ts'

type TokenFormProps = {
  label: string
  /** Why the last token does not hold any more; '' when there was none. */
  first_why: string
  /** What the owner of this token cannot do here, as a sentence; undefined when there is something to do. */
  refuses: (bearer: Bearer) => string | undefined
  onBearer: (bearer: Bearer) => void
  /** Where a token comes from; stands under the form. */
  children: ComponentChildren
}

export function TokenForm({ label, first_why, refuses, onBearer, children }: TokenFormProps) {
  const id = useId()
  const [text, setText] = useState('')
  const [why, setWhy] = useState(first_why)
  const submit = async (event: Event) => {
    event.preventDefault()
    const bearer = readBearer(text)
    if (bearer === undefined) return setWhy(say('token.none'))
    const refused = refuses(bearer)
    if (refused !== undefined) return setWhy(refused)
    try {
      await readTenant(bearer.token)
    } catch (error) {
      const refusal = asRefusal(error)
      return setWhy(refusal.code === 'unauthorized' ? say('token.refused') : whyText(refusal))
    }
    keepBearer(bearer)
    onBearer(bearer)
  }
  return (
    <>
      <form class="words" onSubmit={(event) => void submit(event)} noValidate>
        <label for={id}>{label}</label>
        <input
          id={id}
          type="password"
          autoComplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          aria-invalid={why !== ''}
          aria-describedby={`${id}-hint`}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p id={`${id}-hint`} class="fine">
          {say('token.hint')}
        </p>
        {why !== '' && (
          <p class="why" role="alert">
            {why}
          </p>
        )}
        <button type="submit" class="button button-primary">
          {say('token.enter')}
        </button>
      </form>
      {children}
    </>
  )
}
