/** What a game that closes brings: one record. Everything else of its life is src/draws. */
import type { z } from 'zod'
import type { Tx } from '../db/tx.ts'
import type { Kind } from '../fairness/commit.ts'
import type { WordSource } from '../fairness/rolls.ts'
import type { Config, Leaf } from '../fairness/transcript.ts'
import type { CancelReason, Fallback, Reveal } from './lifecycle.ts'
import type { DrawRow, WinnerRow } from './store.ts'

/** What a leaf says beside the entrant and its index, which the draw adds: `g`, `p`, `t` and the like. */
export type LeafFacts = Record<string, string | number | number[]>

/** One entry before it has its place in the list. */
export type NewEntry = { user_id: string; ref_id: string; facts: LeafFacts }

/** The list as far as an outcome needs it. A `list` may be sparse: see `reads`. */
export type DecidedOver = { n: number; list?: Leaf[] }

/** Keeps, of leaves that come in order and a part at a time, those that the outcome can depend on. */
export type Narrowing = { see(leaf: Leaf): void; leaves(): Leaf[] }

/** One place of the outcome, in order: prizes first, then alternates. */
export type Place = { entry_index: number; prize: string | null }

export type DrawGame<C extends Config = Config> = {
  /** What rows of `draws` call it. */
  readonly game: string
  /** Of its context and commitment (fair-1.md section 6). */
  readonly kind: Kind
  /** Checks the config before it is committed to. */
  readonly configSchema: z.ZodType<C>
  /** Between the close and the beacon round at least (fair-1.md section 7.3). */
  readonly margin_ms: number
  readonly fallback: Fallback
  reveal(config: C): Reveal
  /**
   * Which leaves `decide` looks at: none, all, or only those that it samples first. A game that says `drawn` is given a
   * list in which other leaves are missing.
   */
  reads(config: C): 'none' | 'drawn' | 'all'
  /**
   * For games that read all leaves: which of them to keep, so that a long list is looked at in parts and decided over few.
   * The outcome over those must be that over all. Null where that cannot be.
   */
  narrows?(config: C, rolls: WordSource): Narrowing | null
  /** The outcome. Pure: the same arguments give the same bytes. */
  decide(config: C, entries: DecidedOver, rolls: WordSource): Record<string, unknown>
  /** For games that read drawn leaves: how many at least, and whether these, in drawn order, decide it. */
  drawCount(config: C): number
  isEnough?(config: C, drawn: readonly Leaf[]): boolean
  places(config: C, outcome: Record<string, any>): Place[]
  /** When the server may begin to copy a list: as soon as it can be known (absent), or once the draw closes. */
  readonly fills?: 'at_close'
  /** The next entries of a list that the server copies, after a cursor of its own; `after` null when it is complete. */
  entries?(
    tx: Tx,
    draw: DrawRow,
    after: string | null,
    limit: number,
  ): Promise<{ entries: NewEntry[]; after: string | null }>
  /** After each move, in its transaction: what the game's own rows say of it. */
  moved?(tx: Tx, draw: DrawRow): Promise<void>
  /** When the winners are stored: rows of their own for what becomes of them. */
  drawn?(tx: Tx, draw: DrawRow, winners: readonly WinnerRow[]): Promise<void>
  /** When everything is shown: grants the prizes, once. */
  award(tx: Tx, draw: DrawRow, winners: readonly WinnerRow[]): Promise<void>
  /** When it is cancelled: gives back what was paid. */
  refund(tx: Tx, draw: DrawRow, reason: CancelReason): Promise<void>
  /** Takes a winner off a place: that of a user (the winner's wish), or one that staff names with a reason. */
  forfeit?(
    tx: Tx,
    draw: DrawRow,
    who: { place: number | null; user_id: string | null; reason: string | null },
  ): Promise<{ place: number; status: string; promoted_place: number | null }>
  /** Places of a settled draw that nobody stands on and no alternate can take. */
  vacancies?(tx: Tx, draw: DrawRow): Promise<number[]>
  /** A draw of its own for such places: its name, config and times. Its list is copied by `entries`. */
  redraw?(tx: Tx, draw: DrawRow, places: readonly number[]): Promise<NewDrawInput>
  /** What people see of a winner beside pseudonym and prize: the number of a ticket. */
  shown?(tx: Tx, winners: readonly WinnerRow[], draw: DrawRow): Promise<Record<string, unknown>[]>
}

export type NewDrawInput = {
  /** Where the game has a row of its own for it; made here otherwise. */
  id?: string
  game_id: string
  draw_name: string
  config: Config
  opens_at: Date
  closes_at: Date
  draw_at: Date
  after_draw_id?: string
  redraw_of?: string
  /** The server copies the list (`DrawGame.entries`) instead of taking entries. */
  is_copied?: boolean
}

export type DrawGames = ReadonlyMap<string, DrawGame<any>>

/** The registry as a map; a name stands once. */
export function drawGames(games: readonly DrawGame<any>[]): DrawGames {
  const map = new Map(games.map((each) => [each.game, each]))
  if (map.size !== games.length) throw new Error('two games have one name')
  return map
}
