/** One claim as one who may see it does: its facts, the thread, and every act, each with its refusal beside its form. */

import { say } from '../strings.ts'
import {
  answerComplaint,
  type Claim,
  type Complaint,
  claimReward,
  complain,
  confirmClaim,
  giveUp,
  type Message,
  readClaim,
  readMessages,
  sendMessage,
  sendPicture,
} from './claims-api.ts'
import { makeId } from './random.ts'
import { asRefusal, isPassing, type ServerRefusal, whyText } from './refusal.ts'
import { makeStore, type Store } from './store.ts'

export type Act = 'claim' | 'confirm' | 'give_up' | 'message' | 'picture' | 'complain' | 'answer'

export type ClaimState = {
  claim: Claim | null
  /** Oldest first; null for who may not read them. */
  messages: Message[] | null
  older: string | null
  /** Why there is no claim to show. */
  refusal: ServerRefusal | null
  /** What is under way. */
  busy: Act | null
  /** Part of a picture that was sent, 0 to 1. */
  sent: number
  /** The refusal of an act, as a sentence. */
  why: Partial<Record<Act, string>>
  said: string
}

export type ClaimOf = {
  store: Store<ClaimState>
  load(): Promise<void>
  loadOlder(): Promise<void>
  claim(info: string): Promise<boolean>
  confirm(): Promise<boolean>
  giveUp(): Promise<boolean>
  write(text: string): Promise<boolean>
  show(file: File): Promise<boolean>
  complain(text: string): Promise<boolean>
  answer(text: string): Promise<boolean>
}

export function makeClaim(token: string, id: string): ClaimOf {
  const store = makeStore<ClaimState>({
    claim: null,
    messages: null,
    older: null,
    refusal: null,
    busy: null,
    sent: 0,
    why: {},
    said: '',
  })
  const { get, set } = store
  /** Grows with every reading, so that a late answer to an older one is dropped. */
  let asked = 0
  /** A message whose answer was lost keeps its name: sent again it is still written once. */
  let unsent = { text: '', key: '' }

  async function load(): Promise<void> {
    const question = ++asked
    try {
      const claim = await readClaim(token, id)
      const page = seesAll(claim) ? await readMessages(token, id, null) : null
      if (question !== asked) return
      tell(get(), claim, page?.data ?? [])
      const is_first = get().messages === null
      set({
        claim,
        refusal: null,
        messages: page === null ? null : merged(get().messages ?? [], page.data),
        ...(is_first && { older: page?.next_cursor ?? null }),
      })
    } catch (error) {
      if (question === asked) set({ refusal: asRefusal(error) })
    }
  }

  /** What a screen reader hears of what the other side did. */
  function tell({ claim: before, messages }: ClaimState, claim: Claim, page: Message[]): void {
    if (before === null) return
    const known = new Set(messages?.map(({ message_id }) => message_id))
    const fresh = page.find(({ message_id, is_mine }) => !is_mine && !known.has(message_id))
    if (before.status !== claim.status)
      set({ said: say('claim.said.status', { status: say(`claim.status.${claim.status}`) }) })
    else if (fresh !== undefined && messages !== null)
      set({ said: say('claim.said.message', { who: say(`claim.side.${fresh.side}`), text: fresh.message }) })
    else if (before.proofs.length < claim.proofs.length) set({ said: say('claim.said.picture') })
    else if (before.complaint?.status !== claim.complaint?.status && claim.complaint !== null)
      set({ said: complaintSaid(claim.complaint) })
    else if (before.complaint?.answer !== claim.complaint?.answer) set({ said: say('complaint.said.answer') })
  }

  async function act(name: Act, run: () => Promise<unknown>, said: string): Promise<boolean> {
    if (get().busy !== null) return false
    set({ busy: name, why: { ...get().why, [name]: undefined } })
    try {
      await run()
      await load()
      set({ busy: null, said })
      return true
    } catch (error) {
      const why = whyText(asRefusal(error))
      set({ busy: null, why: { ...get().why, [name]: why }, said: why })
      // It may have moved under the reader's hands.
      if (!isPassing(asRefusal(error))) void load()
      return false
    }
  }

  async function write(text: string): Promise<void> {
    if (unsent.text !== text) unsent = { text, key: makeId() }
    await sendMessage(token, id, text, unsent.key)
    unsent = { text: '', key: '' }
  }

  const here = () => get().claim!
  return {
    store,
    load,
    async loadOlder() {
      const { older } = get()
      if (older === null) return
      const page = await readMessages(token, id, older).catch(() => undefined)
      if (page !== undefined)
        set({ messages: merged(get().messages ?? [], page.data), older: page.next_cursor })
    },
    claim: (info) =>
      act('claim', () => claimReward(token, here().game_id, here().place, info), say('claim.said.claimed')),
    confirm: () => act('confirm', () => confirmClaim(token, id), say('claim.said.confirmed')),
    giveUp: () => act('give_up', () => giveUp(token, here().game_id), say('claim.said.given_up')),
    write: (text) => act('message', () => write(text), say('claim.said.sent')),
    show(file) {
      set({ sent: 0 })
      return act(
        'picture',
        () => sendPicture(token, id, file, (sent) => set({ sent })),
        say('claim.said.picture_sent'),
      )
    },
    complain: (text) => act('complain', () => complain(token, id, text), say('complaint.said.sent')),
    answer: (text) =>
      act(
        'answer',
        () => answerComplaint(token, here().complaint!.complaint_id, text),
        say('complaint.said.answered'),
      ),
  }
}

/** Staff reads what both sides wrote while a complaint is open. */
export function seesAll({ you_are, complaint }: Claim): boolean {
  return you_are !== 'staff' || (complaint !== null && complaint.status !== 'resolved')
}

/** Where a complaint is now, as it is announced. */
export const complaintSaid = ({ status }: Pick<Complaint, 'status'>): string =>
  say('complaint.said.status', { status: say(`complaint.status.${status}`) })

/** Decided against the creator, which leaves the claim disputed for good. */
export const isDecided = ({ status, complaint }: Claim): boolean =>
  status === 'disputed' && complaint?.status === 'resolved'

function merged(known: readonly Message[], page: readonly Message[]): Message[] {
  const all = new Map([...known, ...page].map((message) => [message.message_id, message]))
  return [...all.values()].sort((a, b) => a.message_id - b.message_id)
}
