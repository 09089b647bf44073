/** A shared win as a page, for people and for what previews links. Works without scripts. Pure. */
import type { Card } from './share.ts'

/** The page of a card. Everything in it is escaped; its picture is for previews only, for pages of ours load nothing foreign. */
export function sharePage(card: Card): string {
  const what = card.is_locked ? 'A locked prize' : (card.display_value ?? card.prize_name ?? 'A prize')
  const title = `${card.player} ${card.is_winner ? 'won' : 'has'}: ${what}`
  const text = card.is_locked
    ? `Won at ${card.game_name}. What it is shows when it is opened.`
    : `${card.prize_name ?? what}, won at ${card.game_name}.`
  const proof =
    card.verify_page_url === null
      ? ''
      : `<p><a href="${escaped(card.verify_page_url)}">Check that the draw was fair</a></p>`
  const meta = [
    ['og:type', 'website'],
    ['og:site_name', 'Livedraw'],
    ['og:title', title],
    ['og:description', text],
    ...(card.prize_image === null ? [] : [['og:image', card.prize_image]]),
  ].map(([name, content]) => `<meta property="${name}" content="${escaped(content!)}">`)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="twitter:card" content="summary">
${meta.join('\n')}
<title>${escaped(title)}</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;margin:0;min-height:100vh;display:grid;place-items:center;background:#101418;color:#f2f4f6}
main{max-width:28rem;margin:1rem;padding:2rem;border-radius:1rem;background:#1b2229;border-top:.5rem solid ${colorOf(card)}}
h1{margin:.25rem 0;font-size:1.75rem;overflow-wrap:anywhere}
a{color:#9fd3ff}
</style>
</head>
<body>
<main>
<p>${escaped(card.player)} ${card.is_winner ? 'won' : 'has'}</p>
<h1>${escaped(what)}</h1>
<p>${escaped(text)}</p>
${card.rarity === null ? '' : `<p>Rarity: ${escaped(card.rarity)}</p>`}
<p><time datetime="${escaped(card.won_at)}">${escaped(card.won_at.slice(0, 10))}</time></p>
${proof}
</main>
</body>
</html>
`
}

function colorOf({ prize_color }: Card): string {
  return /^#[0-9A-Fa-f]{6}$/.test(prize_color ?? '') ? prize_color! : '#8dc63f'
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
