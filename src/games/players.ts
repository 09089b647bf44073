/** How players are shown to each other. */
import { hash } from 'node:crypto'

const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz'

/** A stable pseudonym of a user in a tenant; says nothing about the user id. */
export function playerName(tenantId: string, userId: string): string {
  const digest = hash('sha256', `livedraw/player\n${tenantId}\n${userId}`, 'hex')
  let name = ''
  for (let i = 0; i < 5; i++)
    name += ALPHABET[Number.parseInt(digest.slice(i * 4, i * 4 + 4), 16) % ALPHABET.length]
  return `player-${name}`
}
