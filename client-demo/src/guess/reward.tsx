/** What can be won: picture, words and link, each of which may be missing or broken (S0-21). */
import { useState } from 'preact/hooks'
import { readCreator } from '../shared/claims-api.ts'
import type { GameView } from '../shared/guess-api.ts'
import { useLoaded } from '../shared/loading.ts'
import { percentText, say, sayOr } from '../strings.ts'

/** Only pages: whatever else an address may be, it is not linked to. */
const isPage = (url: string | null): url is string => url !== null && /^https?:\/\//i.test(url)

export function Reward({ game, tenant }: { game: GameView; tenant: string }) {
  const { reward, image_url, link_url, description, rule_says, tie_says, creator_name } = game
  const [is_broken, setBroken] = useState(false)
  return (
    <section class="reward" aria-label={say('reward.title')}>
      <div class="reward-art">
        {isPage(image_url) && !is_broken ? (
          <img
            src={image_url}
            alt={reward.text ?? game.title}
            referrerpolicy="no-referrer"
            onError={() => setBroken(true)}
          />
        ) : (
          <Gift />
        )}
      </div>
      <div class="reward-text">
        <p class="reward-name">{reward.text ?? sayOr(`reward.${reward.type}`, reward.type)}</p>
        <p class="fine">
          {say(game.number_of_winners === 1 ? 'reward.one' : 'reward.many', { n: game.number_of_winners })}{' '}
          {rule_says ?? ''} {tie_says}
        </p>
        {reward.is_claimed && <KeptPromises name={creator_name} tenant={tenant} />}
        {description !== null && <p>{description}</p>}
        {isPage(link_url) && (
          <a class="chip" href={link_url} target="_blank" rel="noopener noreferrer nofollow">
            {say('reward.link', { host: new URL(link_url).host })}
          </a>
        )}
      </div>
    </section>
  )
}

/** Where somebody has to hand something over: how often he did (S0-19). */
function KeptPromises({ name, tenant }: { name: string; tenant: string }) {
  const { value } = useLoaded(() => readCreator(tenant, name), [tenant, name])
  if (value === undefined) return null
  const { completed_count: kept, failed_count, fulfilment_bps } = value
  return (
    <p class="fine">
      {fulfilment_bps === null
        ? say('reward.creator_new', { name })
        : say('reward.creator', {
            name,
            kept,
            all: kept + failed_count,
            rate: percentText(fulfilment_bps / 10_000),
          })}
    </p>
  )
}

function Gift() {
  return (
    <svg viewBox="0 0 64 64" class="gift" aria-hidden="true">
      <rect x="10" y="28" width="44" height="28" rx="4" fill="#5b3df5" />
      <rect x="6" y="20" width="52" height="11" rx="3" fill="#7a60ff" />
      <rect x="28" y="20" width="8" height="36" fill="#ffb000" />
      <path d="M32 20c-12 0-16-12-8-13 6-1 8 8 8 13Zm0 0c12 0 16-12 8-13-6-1-8 8-8 13Z" fill="#ffb000" />
    </svg>
  )
}
