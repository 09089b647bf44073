/** Raffles as the lobby lists them. */
import type { Tx } from '../../db/tx.ts'
import type { LobbyEntry } from '../lobby.ts'
import { type CampaignRow, loadListed } from './store.ts'

export function raffleEntry(
  raffle: Pick<
    CampaignRow,
    'id' | 'campaign_slug' | 'campaign_name' | 'campaign_status' | 'is_public' | 'end_time'
  >,
): LobbyEntry {
  return {
    game_id: raffle.id,
    kind: 'raffle',
    slug: raffle.campaign_slug,
    name: raffle.campaign_name,
    status: raffle.campaign_status,
    is_public: raffle.is_public,
    closes_at: raffle.end_time.toISOString(),
  }
}

/** More at once than anybody chooses from. */
const COUNT_MAX = 200

/** Every raffle from its publication to its last winner. */
export async function readRaffleEntries(tx: Tx): Promise<LobbyEntry[]> {
  return (await loadListed(tx, COUNT_MAX)).map(raffleEntry)
}
