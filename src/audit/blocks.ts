/** The blocks of invariants.sql. */
import { readFileSync } from 'node:fs'

export type Block = {
  id: string
  title: string
  /** One select, without its semicolon. */
  sql: string
  /** The tables it reads, in the order in which it names them. */
  tables: string[]
}

export type Invariants = {
  blocks: Block[]
  /** Tables of games that are still to come: only their absence excuses a block. */
  laterTables: ReadonlySet<string>
}

const FILE = new URL('./invariants.sql', import.meta.url)

/** Reads the invariants. Throws when a block has no name, no sentence or more than one statement. */
export function readInvariants(text: string = readFileSync(FILE, 'utf8')): Invariants {
  const [, ...parts] = `\n${text}`.split(/\n-- @/)
  const laterTables = new Set<string>()
  const blocks: Block[] = []
  for (const part of parts) {
    const [head = '', ...rest] = part.split('\n')
    const [id = '', ...title] = head.trim().split(' ')
    if (id === 'LATER') {
      for (const table of title) laterTables.add(table)
      continue
    }
    blocks.push(blockOf(id, title.join(' '), rest.join('\n')))
  }
  return { blocks, laterTables }
}

function blockOf(id: string, title: string, body: string): Block {
  const sql = body.replace(/^\s*--.*$/gm, '').trim()
  if (!/^[A-Z]\d+$/.test(id) || title === '')
    throw new Error(`an invariant needs a name and a sentence: ${id} ${title}`)
  if (!/^select\b[^;]*;$/.test(sql)) throw new Error(`invariant ${id} is not one select statement`)
  return { id, title, sql: sql.slice(0, -1), tables: tablesOf(sql) }
}

/** Names that follow `from` or `join` and are tables of ours: no catalogue, no function, no lateral, no subquery. */
function tablesOf(sql: string): string[] {
  const named = [
    ...sql.matchAll(/(?<!distinct )\b(?:from|join)\s+([a-z_][a-z_0-9]*)(?!\s*\(|[a-z_0-9.])/g),
  ].map((match) => match[1]!)
  return [...new Set(named)].filter((name) => !/^(pg_|lateral$|unnest$|select$)/.test(name))
}
