// Reads the two vector files that stand beside these tests, and the few helpers that every vector test needs.
import { readFileSync } from 'node:fs'
import { fromHex, toHex, utf8 } from '../../src/fairness/bytes.ts'
import { NOBLE_HASH } from '../../src/fairness/hash.ts'
import { leafHashOf, merkleRoot } from '../../src/fairness/merkle.ts'

const read = (name: string) => JSON.parse(readFileSync(new URL(`./vectors/${name}`, import.meta.url), 'utf8'))

export const fairVectors = read('fair-1-vectors.json')
export const publicVectors = read('public-vectors.json')

export type Case = Record<string, any>

/** The cases of a group of fair-1-vectors.json. */
export function cases(group: string): Case[] {
  return fairVectors.groups[group].cases
}

/** Every group name, so that a test can show that none was forgotten. */
export const GROUP_NAMES: string[] = Object.keys(fairVectors.groups)

/** The stand-in for the entrant hash that the vectors use. */
export function entrant(i: number): string {
  return toHex(NOBLE_HASH.sha256(utf8(`entrant ${i}`)))
}

/** Leaves of the vectors that say only how they are made. */
export function leaves(n: number, more: (i: number) => object = () => ({})): Case[] {
  return Array.from({ length: n }, (_, i) => ({ e: entrant(i), i, ...more(i) }))
}

/** Hex root over leaf documents. */
export function rootOfLeaves(list: readonly object[]): string {
  return toHex(merkleRoot(list.map((leaf) => leafHashOf(leaf))))
}

export const bytes = fromHex
export const fromBase64Text = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
