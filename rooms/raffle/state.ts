/**
 * What anybody in the room of a raffle sees, and how a snapshot and committed events become it. Pure: no clock, no IO.
 * The order of the fields is the protocol (colyseus.md H45): append, never reorder, never remove. A winner enters it when
 * the win is shown; before that there is a time without a name.
 */
import { type SchemaType, schema, t } from '@colyseus/schema'
import type { GameEvent } from '../../src/db/tx.ts'
import type { RaffleBoard } from '../../src/games/raffle/read.ts'

export const RaffleDrawView = schema(
  {
    drawId: t.string().default(''),
    name: t.string().default(''),
    status: t.string().default(''),
    commitHash: t.string().default(''),
    drawAt: t.string().default(''),
    entries: t.uint32().default(0),
    /** '' until the list is sealed. */
    entriesRoot: t.string().default(''),
    places: t.uint32().default(0),
    /** When everything is shown; '' before the draw. */
    settleAt: t.string().default(''),
    /** The draw whose open places it draws again, or ''. */
    redrawOf: t.string().default(''),
    cancelReason: t.string().default(''),
  },
  'RaffleDrawView',
)

export const RaffleWinnerView = schema(
  {
    drawId: t.string().default(''),
    place: t.uint32().default(0),
    /** A pseudonym, never the user id. */
    player: t.string().default(''),
    ticketNumber: t.string().default(''),
    /** Of the draw's config; '' for an alternate. */
    prize: t.string().default(''),
    isAlternate: t.boolean().default(false),
    status: t.string().default(''),
    revealAt: t.string().default(''),
  },
  'RaffleWinnerView',
)

export const RaffleState = schema(
  {
    /** That of the raffle: scheduled, open, closed, drawing, drawn, settled or cancelled. */
    phase: t.string().default('scheduled'),
    /** The server's clock, epoch milliseconds; moves at most once a second. */
    serverTime: t.int64().default(0),
    /** Sequence number of the last event in this state. */
    version: t.int64().default(0),
    /** Of the first draw. */
    commitHash: t.string().default(''),
    trust: t.string().default(''),
    /** ISO. */
    opensAt: t.string().default(''),
    closesAt: t.string().default(''),
    players: t.uint32().default(0),
    spectators: t.uint32().default(0),
    total: t.uint32().default(0),
    sold: t.uint32().default(0),
    draws: t.array(RaffleDrawView),
    /** Shown so far, draw by draw, in the order of places. */
    winners: t.array(RaffleWinnerView),
    /** Neither given out nor held. */
    left: t.uint32().default(0),
    title: t.string().default(''),
    /** Minor units. */
    ticketPrice: t.uint32().default(0),
    currency: t.string().default(''),
    /** SHA-256 of the seed of the numbers that win at once, or ''. */
    instantHash: t.string().default(''),
    /** The newest signed checkpoint of the tenant's fairness log. */
    checkpoint: t.string().default(''),
  },
  'RaffleState',
)
export type RaffleState = SchemaType<typeof RaffleState>

type WinnerFacts = {
  place: number
  player: string
  prize: string | null
  is_alternate: boolean
  reveal_at: string
  ticket_number?: string
  status?: string
}

/** Makes the state what a snapshot says. */
export function loadRaffle(state: RaffleState, { version, raffle, draws }: RaffleBoard): void {
  state.phase = raffle.status
  state.commitHash = raffle.commit_hash
  state.trust = raffle.trust
  state.opensAt = raffle.opens_at
  state.closesAt = raffle.closes_at
  state.total = raffle.total_tickets
  state.sold = raffle.sold_tickets
  state.left = raffle.tickets_left
  state.title = raffle.name
  state.ticketPrice = raffle.ticket_price
  state.currency = raffle.currency
  state.instantHash = raffle.instant_hash ?? ''
  state.draws.splice(0, state.draws.length)
  state.winners.splice(0, state.winners.length)
  for (const draw of draws) {
    state.draws.push(
      new RaffleDrawView({
        drawId: draw.draw_id,
        name: draw.draw_name,
        status: draw.status,
        commitHash: draw.commit_hash,
        drawAt: draw.draw_at,
        entries: draw.entry_count,
        entriesRoot: draw.entries_root ?? '',
        places: draw.place_count,
        settleAt: draw.settle_at ?? '',
        redrawOf: draw.redraw_of ?? '',
        cancelReason: draw.cancelled?.reason ?? '',
      }),
    )
    for (const winner of draw.winners) addWinner(state, draw.draw_id, winner as WinnerFacts)
  }
  state.version = version
}

/** Folds events, which follow the state without a gap, into it. Kinds that it does not know only count. */
export function applyToRaffle(state: RaffleState, events: readonly GameEvent[]): void {
  for (const { type, data } of events) {
    if (type.startsWith('draw.')) applyToDraw(state, type, data)
    else applyOne(state, type, data)
  }
  state.version = events[events.length - 1]?.seq ?? state.version
}

function applyOne(state: RaffleState, type: string, data: Record<string, any>): void {
  switch (type) {
    case 'raffle.status':
      state.phase = data['status']
      return
    case 'raffle.tickets':
      state.sold = data['sold_tickets']
      state.left = data['tickets_left']
      return
    case 'raffle.held':
    case 'raffle.released':
      state.left = data['tickets_left']
      return
    case 'raffle.refunded':
      state.sold = data['sold_tickets']
      return
    case 'raffle.winner': {
      const winner = state.winners.find(
        ({ drawId, place }) => drawId === data['draw_id'] && place === data['place'],
      )
      if (winner !== undefined) winner.status = data['status']
    }
  }
}

/** Events of a draw that say what it is doing from then on. */
const STATUSES = new Set([
  'draw.open',
  'draw.closed',
  'draw.drawing',
  'draw.drawn',
  'draw.settled',
  'draw.cancelled',
])

function applyToDraw(state: RaffleState, type: string, data: Record<string, any>): void {
  if (type === 'draw.scheduled') announce(state, data)
  const draw = state.draws.find(({ drawId }) => drawId === data['draw_id'])
  if (draw === undefined) return
  if (type === 'draw.revealed') addWinner(state, draw.drawId, data as WinnerFacts)
  if (type === 'draw.closed') {
    draw.entries = data['entry_count']
    draw.entriesRoot = data['entries_root']
  }
  if (type === 'draw.drawn') {
    draw.places = data['place_count']
    draw.settleAt = data['settle_at']
  }
  if (type === 'draw.cancelled') draw.cancelReason = data['reason']
  if (STATUSES.has(type)) draw.status = type.slice('draw.'.length)
}

/** A redraw joins the draws. */
function announce(state: RaffleState, data: Record<string, any>): void {
  if (state.draws.some(({ drawId }) => drawId === data['draw_id'])) return
  state.draws.push(
    new RaffleDrawView({
      drawId: data['draw_id'],
      name: data['draw_name'],
      status: 'scheduled',
      commitHash: data['commit_hash'],
      drawAt: data['draw_at'],
      redrawOf: data['redraw_of'] ?? '',
    }),
  )
}

/** Told twice, shown once. */
function addWinner(state: RaffleState, draw_id: string, winner: WinnerFacts): void {
  const { place, player, prize, is_alternate, reveal_at, ticket_number, status } = winner
  if (state.winners.some((each) => each.drawId === draw_id && each.place === place)) return
  const added = new RaffleWinnerView({
    drawId: draw_id,
    place,
    player,
    ticketNumber: ticket_number ?? '',
    prize: prize ?? '',
    isAlternate: is_alternate,
    status: status ?? '',
    revealAt: reveal_at,
  })
  const orderOf = (id: string) => state.draws.findIndex(({ drawId }) => drawId === id)
  const after = state.winners.findIndex(
    (each) => orderOf(each.drawId) > orderOf(draw_id) || (each.drawId === draw_id && each.place > place),
  )
  if (after < 0) state.winners.push(added)
  else state.winners.splice(after, 0, added)
}
