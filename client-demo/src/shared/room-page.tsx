/** The frame of a page that lives from one room: header, state of the line, refusal, and what is there until it came. */
import type { ComponentChildren } from 'preact'
import { say } from '../strings.ts'
import type { Link } from './live.ts'
import { Announcer, Header, LinkPill, type PageName, Refused } from './ui.tsx'

type Props = {
  page: PageName
  link: Link
  onRetry: () => void
  /** What a screen reader says now. */
  said: string
  /** False until the room has told its state. */
  is_loaded: boolean
  /** What the header shows beside the state of the line. */
  aside?: ComponentChildren
  children: ComponentChildren
}

export function RoomPage({ page, link, onRetry, said, is_loaded, aside, children }: Props) {
  return (
    <>
      <Header page={page}>
        {aside}
        <LinkPill link={link} onRetry={onRetry} />
      </Header>
      <main id="main" class={page}>
        {link.status === 'refused' ? (
          <Refused link={link}>
            <a class="button button-primary" href="/">
              {say('lobby.title')}
            </a>
          </Refused>
        ) : is_loaded ? (
          children
        ) : (
          <div class="card skeleton skeleton-wheel" role="status">
            {say('link.connecting')}
          </div>
        )}
      </main>
      <Announcer text={said} />
    </>
  )
}
