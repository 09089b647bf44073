/**
 * Who is there: players and spectators of a game over all of its rooms in this process. Rooms register
 * themselves and are asked for their size when somebody wants to know, so a count cannot drift, a join costs
 * nothing, and a crowd of 10,000 costs one sum over a few rooms a second (P-31).
 */

export type Crowd = { players: number; spectators: number }

type Place = { readonly clients: { readonly length: number } }

export type Crowds = {
  /** Counts `place`'s clients for a game until the returned function is called. */
  enter(tenantId: string, gameId: string, as: keyof Crowd, place: Place): () => void
  of(tenantId: string, gameId: string): Crowd
}

/** How often a room writes the counts and the clock into its state, whatever happens in between. */
export const COUNT_EVERY_MS = 1_000

/** Makes the registry of one process. */
export function makeCrowds(): Crowds {
  const games = new Map<string, Record<keyof Crowd, Set<Place>>>()

  return {
    enter(tenantId, gameId, as, place) {
      const key = `${tenantId}/${gameId}`
      const places = games.get(key) ?? { players: new Set<Place>(), spectators: new Set<Place>() }
      games.set(key, places)
      places[as].add(place)
      return () => {
        places[as].delete(place)
        if (places.players.size + places.spectators.size === 0 && games.get(key) === places) games.delete(key)
      }
    },

    of(tenantId, gameId) {
      const places = games.get(`${tenantId}/${gameId}`)
      if (places === undefined) return { players: 0, spectators: 0 }
      return { players: sizeOf(places.players), spectators: sizeOf(places.spectators) }
    },
  }
}

function sizeOf(places: ReadonlySet<Place>): number {
  let size = 0
  for (const place of places) size += place.clients.length
  return size
}
