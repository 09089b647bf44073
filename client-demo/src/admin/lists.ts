/** The lists of the desk as the page shows them: which filters, which columns. The server decides what is in a row. */
import type { StringKey } from '../strings.ts'

export type ListName = 'games' | 'game-submissions' | 'winning-numbers' | 'game-history' | 'winner-history'
export type Row = Record<string, unknown>

export type Filter =
  | { name: string; label: StringKey; kind: 'text' | 'time' }
  | { name: string; label: StringKey; kind: 'choice'; choices: readonly string[] }
  | { name: string; label: StringKey; kind: 'flag' }

export type List = {
  name: ListName
  label: StringKey
  filters: readonly Filter[]
  columns: readonly string[]
}

const text = (name: string): Filter => ({ name, label: `admin.filter.${name}` as StringKey, kind: 'text' })
const flag = (name: string): Filter => ({ name, label: `admin.filter.${name}` as StringKey, kind: 'flag' })
const choice = (name: string, ...choices: string[]): Filter => ({
  name,
  label: `admin.filter.${name}` as StringKey,
  kind: 'choice',
  choices,
})
const SPAN: readonly Filter[] = [
  { name: 'from', label: 'admin.filter.from', kind: 'time' },
  { name: 'to', label: 'admin.filter.to', kind: 'time' },
]

export const LISTS: readonly List[] = [
  {
    name: 'games',
    label: 'admin.games',
    filters: [
      choice('status', 'draft', 'scheduled', 'open', 'closed', 'drawing', 'drawn', 'settled', 'cancelled'),
      choice('mode', 'guess', 'guess_then_draw', 'draw'),
      text('title'),
      text('creator_id'),
      text('reel_id'),
      flag('is_active'),
      ...SPAN,
    ],
    columns: [
      'title',
      'status',
      'mode',
      'creator_id',
      'submission_count',
      'participant_count',
      'number_of_winners',
      'opens_at',
      'closes_at',
      'reel_id',
      'id',
    ],
  },
  {
    name: 'game-submissions',
    label: 'admin.submissions',
    filters: [text('game_id'), text('user_id'), flag('is_in_force'), ...SPAN],
    columns: ['title', 'seq', 'user_id', 'guess', 'is_in_force', 'entry_index', 'created_at', 'game_id'],
  },
  {
    name: 'winning-numbers',
    label: 'admin.numbers',
    filters: [text('game_id'), ...SPAN],
    columns: ['title', 'position', 'winning_number', 'hash_value', 'created_at', 'draw_id', 'game_id'],
  },
  {
    name: 'game-history',
    label: 'admin.history',
    filters: [text('game_id'), ...SPAN],
    columns: [
      'title',
      'winning_numbers',
      'submission_count',
      'number_of_winners',
      'not_awarded',
      'closes_at',
      'drawn_at',
      'commit_hash',
      'verify',
      'game_id',
    ],
  },
  {
    name: 'winner-history',
    label: 'admin.winners',
    filters: [text('game_id'), text('user_id'), flag('is_alternate'), ...SPAN],
    columns: [
      'title',
      'place',
      'user_id',
      'guess',
      'is_alternate',
      'reward_type',
      'reveal_at',
      'draw_id',
      'game_id',
    ],
  },
]
