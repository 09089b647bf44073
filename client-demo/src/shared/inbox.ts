/** The inbox of whoever has a token, for pages about claims: it says that something moved, the API says what. */
import { connectLive, type Link, type Live, type Loose } from './live.ts'

export type InboxEvents = {
  link(link: Link): void
  /** Claims that something was told about, none for other news; null when it may be any. */
  moved(claim_ids: ReadonlySet<string> | null): void
}

/** Follows the inbox; see connectLive. After each break anything may have moved. */
export function followInbox(token: () => Promise<string>, { link, moved }: InboxEvents): Live {
  let is_first = true
  return connectLive('inbox', {}, token, {
    link,
    state: () => {},
    messages: {
      changed(message) {
        const { notifications, is_complete } = message as { notifications: Loose[]; is_complete: boolean }
        if (!is_complete) return moved(null)
        const ids = notifications.flatMap((note) => (note['data'] as Loose)['claim_id'] ?? [])
        if (notifications.length > 0) moved(new Set(ids))
      },
    },
    ready() {
      if (!is_first) moved(null)
      is_first = false
    },
  })
}
