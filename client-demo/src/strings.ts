/**
 * Every sentence that the pages show, in one place. A new language is one more object of this shape in
 * DICTIONARIES. `{name}` is filled in; `.one` and `.other` are chosen by the number.
 */

const en = {
  'app.name': 'Livedraw',
  'app.skip': 'Skip to the content',
  'app.play': 'Play',
  'app.watch': 'Watch',
  'app.verify': 'Verify',
  'app.nav': 'Pages',
  'app.loading': 'Loading…',
  'app.retry': 'Try again',
  'app.copy': 'Copy',
  'app.copied': 'Copied',
  'app.close': 'Close',

  'lobby.title': 'Pick a wheel',
  'lobby.lead': 'Live now. No sign-up: you get a guest name, a few free spins and a proof for every result.',
  'lobby.empty': 'No wheel is live at the moment. This page looks again every few seconds.',
  'lobby.error': 'The list of wheels could not be loaded.',
  'lobby.join': 'Play {name}',
  'lobby.watch': 'Watch',
  'lobby.players.one': '{n} player',
  'lobby.players.other': '{n} players',
  'lobby.spectators.one': '{n} watching',
  'lobby.spectators.other': '{n} watching',
  'lobby.status.live': 'Live',
  'lobby.status.open': 'Live',
  'lobby.status.paused': 'Paused',
  'lobby.status.scheduled': 'Soon',
  'lobby.status.ended': 'Ended',

  'link.connecting': 'Connecting…',
  'link.live': 'Live',
  'link.lost': 'Connection lost. Trying again in {s} s',
  'link.retrying': 'Reconnecting…',
  'link.now': 'Now',
  'link.resumed': 'Connection is back.',
  'link.gone': 'This wheel cannot be joined.',
  'link.offline': 'Your device is offline. The page goes on when it is back.',

  'phase.paused': 'This wheel is paused. It goes on when the operator starts it again.',
  'phase.ended': 'This wheel has ended. Your prizes stay in “My prizes”.',
  'phase.scheduled': 'This wheel opens {when}.',
  'phase.scheduled_unknown': 'This wheel is not open yet.',

  'wheel.label': 'Prize wheel with {n} segments',
  'wheel.widened':
    'Slices narrower than {deg}° are drawn wider so that you can see them. “Odds” has the exact numbers.',
  'wheel.exhausted': 'gone',

  'spin.button': 'Spin',
  'spin.busy': 'Spinning…',
  'spin.chances.one': '{n} spin left',
  'spin.chances.other': '{n} spins left',
  'spin.chances_unknown': 'Counting your spins…',
  'spin.next_expires': 'The next one expires {when}.',
  'spin.awarded.one': 'Welcome! You got {n} spin for today’s visit.',
  'spin.awarded.other': 'Welcome! You got {n} spins for today’s visit.',
  'spin.none_left':
    'No spins left. Come back tomorrow for the next visit’s spins, or add your luck to the shared spin.',
  'spin.pending': 'Your spin was sent and waits for the answer. It is counted once, whatever the line does.',
  'spin.started': 'The wheel is turning.',

  'result.won': 'You won {name}!',
  'result.lost': '{name}.',
  'result.substituted': 'The wheel stopped on {rolled}, which is used up. You won {name} instead.',
  'result.exhausted': 'The wheel stopped on {rolled}, which is used up, and there is no substitute.',
  'result.title.won': 'You won',
  'result.title.lost': 'Not this time',
  'result.status': 'In your prizes: {status}',
  'result.fair': 'Was this fair?',
  'result.spin_no': 'Spin number {n} of your seed',

  'prize_status.locked': 'locked',
  'prize_status.unlocked': 'unlocked',
  'prize_status.applied': 'used',
  'prize_status.expired': 'expired',
  'prize_status.pending': 'being prepared',

  'round.title': 'Shared spin #{no}',
  'round.lead': 'One wheel, one result, everybody at once.',
  'round.closes': 'Spins in',
  'round.join': 'Add my luck',
  'round.joined': 'Your luck is in: entry {n}.',
  'round.why': 'Your browser sends random bytes of its own. They become part of what decides the spin.',
  'round.entries.one': '{n} player added luck',
  'round.entries.other': '{n} players added luck',
  'round.closed': 'Closed. The wheel starts in a moment.',
  'round.spinning': 'The shared wheel is turning.',
  'round.result': 'Shared spin #{no}: {name}.',
  'round.result_title': 'Shared spin #{no} stopped on',
  'round.verify': 'Check this spin',

  'tabs.label': 'More about this wheel',
  'tabs.live': 'Live',
  'tabs.prizes': 'My prizes',
  'tabs.odds': 'Odds',
  'tabs.fairness': 'Fairness',

  'live.empty': 'No spins yet. Yours can be the first.',
  'live.won': '{player} won {name}',
  'live.lost': '{player}: {name}',
  'live.title': 'Latest spins',

  'prizes.empty': 'Nothing here yet. What you win appears here.',
  'prizes.error': 'Your prizes could not be loaded.',
  'prizes.locked_name': 'A locked prize',
  'prizes.expires': 'Expires {when}',
  'prizes.won': 'Won {when}',
  'prizes.check': 'Check',
  'prizes.check_label': 'Check the spin that won {name}',
  'prizes.more': 'Show more',

  'odds.lead':
    'Exact chances of version {version}. They are part of the commitment below: changed odds would be seen.',
  'odds.reward': 'Reward',
  'odds.share': 'Chance',
  'odds.weight': 'Weight',
  'odds.remaining': 'Left',
  'odds.unlimited': '∞',
  'odds.total': 'Weights add up to {total}.',
  'odds.error': 'The odds could not be loaded.',
  'odds.hash': 'Hash of these odds',

  'fair.lead':
    'Before you spin, the server locks in a secret seed and shows you its fingerprint. Your browser then adds a seed of its own. Neither side can change its part afterwards.',
  'fair.current': 'Current seed pair',
  'fair.next': 'Next commitment',
  'fair.commitment': 'Commitment',
  'fair.client_seed': 'Your seed',
  'fair.client_seed_none': 'none yet',
  'fair.nonce': 'Next spin number',
  'fair.checked': 'Checked here: document, hash and signature agree.',
  'fair.check_failed': 'Document, hash and signature do not agree. Do not play; tell the operator.',
  'fair.rotate_title': 'Change your seed and see the secret',
  'fair.rotate_lead':
    'The secret of the current pair is shown, so that all its spins can be checked. The next pair starts with your new seed.',
  'fair.own_seed': 'Your new seed',
  'fair.own_seed_hint': '8 to 64 of A-Z, a-z, 0-9, _ and -. Leave it empty and the browser makes one.',
  'fair.rotate': 'Rotate',
  'fair.rotating': 'Rotating…',
  'fair.revealed': 'Revealed server seed',
  'fair.revealed_of': 'of commitment {hash}',
  'fair.revealed_spins.one': 'It decided {n} spin.',
  'fair.revealed_spins.other': 'It decided {n} spins.',
  'fair.revealed_matches': 'Checked here: its SHA-256 is the fingerprint that was shown before the spins.',
  'fair.revealed_differs': 'Its SHA-256 is not the fingerprint that was shown before the spins.',
  'fair.my_spins': 'My spins',
  'fair.my_spins_empty': 'Your spins appear here, each with its proof.',
  'fair.my_spins_lead':
    'A spin can be checked to the end once the secret of its pair is out. Rotate for that.',
  'fair.spin_pending': 'After rotating',
  'fair.spin_ready': 'Check now',
  'fair.spin_label': 'Check spin {n}: {name}',
  'fair.checkpoint': 'Newest checkpoint of the public log',
  'fair.checkpoint_kept':
    '{size} events. Kept in this browser, so that the log cannot be rewritten for you unseen.',
  'fair.checkpoint_none': 'None received yet.',
  'fair.round': 'Commitment of shared spin #{no}',
  'fair.error': 'The commitments could not be loaded.',
  'fair.none': 'The commitments appear as soon as this wheel is open.',

  'trust.title': 'How far this can be trusted',
  'trust.beacon':
    'Nobody could know or steer this result; it comes from a public beacon after entries closed.',
  'trust.hybrid': 'The operator could not steer this result, but could have withheld it.',
  'trust.commit': 'Fixed before play by the operator, who could know it but not change it.',
  'trust.operator': 'Tamper-evident only: after the fact you can see that nothing was altered.',
  'trust.unknown': 'The server did not say.',

  'why.at': 'Next possible {when}.',
  'why.no_chances_left': 'You have no spins left. A visit tomorrow brings new ones.',
  'why.cooldown': 'A moment, please: the next spin is not due yet.',
  'why.plays_per_day_reached': 'You have had all your plays for today.',
  'why.wheel_paused': 'The wheel is paused. Wait here: it goes on by itself.',
  'why.wheel_not_open': 'The wheel is closed right now.',
  'why.wheel_not_published': 'The operator has not published this wheel yet.',
  'why.game_not_found': 'There is no such wheel. It may have been removed, or the link is wrong.',
  'why.engine_disabled': 'The operator has switched this kind of game off for now.',
  'why.rate_limited': 'That was a little fast. Wait a few seconds and try again.',
  'why.quota_exceeded': 'Too many connections from here. Close other tabs and try again.',
  'why.unauthorized': 'Your guest session has ended. The page makes a new one.',
  'why.user_blocked': 'This player is blocked. Ask the operator.',
  'why.tenant_inactive': 'This operator is switched off at the moment.',
  'why.guests_not_allowed': 'Guests cannot play here. Sign in with your operator first.',
  'why.unavailable': 'The server is busy for a moment. Nothing was lost; try again.',
  'why.shutting_down': 'The server restarts. The page comes back by itself.',
  'why.entropy_unavailable':
    'The source of randomness cannot be reached, so no draw is promised. Try again later.',
  'why.fairness_locked':
    'The server’s own fairness test failed, so it refuses to play. The operator has to look.',
  'why.client_seed_invalid': 'A seed is 8 to 64 characters of A-Z, a-z, 0-9, _ and -.',
  'why.seed_pair_not_found': 'There is no commitment for you here yet. Reload the page.',
  'why.seed_pair_replaced':
    'The next commitment has changed in the meantime. Look at the new one, then rotate again.',
  'why.round_running': 'A shared spin is running. Wait until it has stopped.',
  'why.not_yet_revealed': 'The secret of this result is not out yet.',
  'why.spectator_read_only': 'Spectators watch only. Open “Play” to take part.',
  'why.network': 'The server did not answer. Check your connection and try again.',
  'why.timeout': 'The answer takes long. It is asked for again by itself.',
  'why.not_found': 'There is no such thing here. Check the link or the id.',
  'why.invalid_input': 'The server cannot read this. Check the link or the id.',
  'why.forbidden': 'This session has no right to do that.',
  'why.internal': 'Something went wrong on the server’s side. Try again in a moment.',

  'watch.players': 'players',
  'watch.spectators': 'watching',
  'watch.latest': 'Latest spins',
  'watch.waiting': 'Waiting for the next spin…',
  'watch.last': 'Stopped on',
  'watch.next': 'Shared spin in',
  'watch.commitment': 'Committed in advance',
  'watch.empty': 'No public wheel is live at the moment.',
  'watch.shared': 'Shared spin',
  'watch.by': 'Spin of {player}',
  'watch.play': 'Play along',

  'verify.title': 'Check a result',
  'verify.lead':
    'Everything below runs in your browser. Paste a link, an id or a whole transcript, or drop a file.',
  'verify.input': 'Link, id or transcript',
  'verify.placeholder': 'https://…/verify?event=…, an id, or {"v":"fair/1",…}',
  'verify.check': 'Check',
  'verify.checking': 'Checking…',
  'verify.file': 'Choose a file',
  'verify.drop': 'Drop a transcript file anywhere on this page.',
  'verify.fetch_failed': 'The transcript could not be fetched: {why}',
  'verify.unreadable': 'This is neither a link, nor an id, nor a transcript.',
  'verify.too_large': 'This file is larger than 32 MB.',
  'verify.steps': 'Steps',
  'verify.step.format': 'The document has the required form',
  'verify.step.commit': 'The commitment has the hash it claims',
  'verify.step.signature': 'The operator signed this commitment',
  'verify.step.config': 'The odds are the ones that were committed',
  'verify.step.beacon': 'The public beacon value is genuine',
  'verify.step.seed': 'The secret seed is the one that was committed',
  'verify.step.entries': 'The entries match their root',
  'verify.step.context': 'The input of the roll is rebuilt from its parts',
  'verify.step.outcome': 'The outcome, computed again, is the same',
  'verify.step.log': 'The result stands in the public log',
  'verify.step.trust': 'The trust label is the honest one',
  'verify.step.nonces': 'Every spin number is there exactly once',
  'verify.step.known': 'The spins you remember are in the list',
  'verify.status.ok': 'passed',
  'verify.status.failed': 'failed',
  'verify.status.pending': 'waits for the seed',
  'verify.status.skipped': 'not needed',
  'verify.status.waiting': 'not yet checked',
  'verify.verified': 'VERIFIED',
  'verify.verified_lead': 'Every step was computed again in this browser and agrees.',
  'verify.mismatch': 'MISMATCH',
  'verify.pending': 'PENDING',
  'verify.pending_lead':
    'Nothing is wrong, but the secret seed is not revealed yet. Rotate your seed on the play page, then check again.',
  'verify.code.FORMAT_INVALID':
    'The document does not have the form of a transcript, or its text was re-formatted.',
  'verify.code.COMMIT_MISMATCH': 'The commitment was changed: its hash is another one.',
  'verify.code.SIGNATURE_INVALID': 'The operator’s signature does not fit this commitment.',
  'verify.code.CONFIG_MISMATCH': 'The odds are not the ones that were committed.',
  'verify.code.BEACON_MISMATCH': 'The beacon value is not genuine.',
  'verify.code.ROUND_MISMATCH': 'The beacon round is not the one that was committed.',
  'verify.code.SEED_MISMATCH': 'The revealed seed is not the one that was committed.',
  'verify.code.NOT_YET_REVEALED': 'The seed is not revealed yet.',
  'verify.code.PROOF_INVALID': 'The list of entries does not match its root.',
  'verify.code.CTX_MISMATCH': 'The input of the roll is not made of the stated parts.',
  'verify.code.OUTCOME_MISMATCH': 'The outcome is not what the seed gives.',
  'verify.code.LOG_INCONSISTENT': 'The public log does not contain this result.',
  'verify.code.NONCE_GAP': 'A spin is missing from the list.',
  'verify.code.TRUST_MISMATCH': 'The transcript claims more trust than it deserves.',
  'verify.math': 'From bytes to the segment',
  'verify.math.key': 'Key: the revealed secret seed',
  'verify.math.key_beacon': 'Key: the value of the public beacon',
  'verify.math.ctx': 'Message: the context, and “|0” for the first block',
  'verify.math.block': 'HMAC-SHA256 of both: 32 bytes',
  'verify.math.word': 'The first 8 bytes as a number',
  'verify.math.rejected.one':
    '{n} word was too large and was skipped, so that every number is equally likely.',
  'verify.math.rejected.other':
    '{n} words were too large and were skipped, so that every number is equally likely.',
  'verify.math.modulo': 'Remainder after division by the total weight {total}',
  'verify.math.range': '{r} lies in {from} … {to}, which is the segment',
  'verify.math.bar': 'All segments by weight; the mark is the roll',
  'verify.math.parts': 'What the message is made of',
  'verify.download': 'Download the transcript',
  'verify.offline': 'Get the offline checker',
  'verify.offline_lead': 'One file that does the same with the network off.',
  'verify.tamper': 'Change one digit and check again',
  'verify.tamper_lead': 'Do not take our word for it: see that a forged transcript fails.',
  'verify.keys_note':
    'The signature and log keys came from this same server. A sceptic takes them from somewhere else: compare the key ids below with those you were given on another day or by another person.',
  'verify.keys_missing': 'The server’s keys could not be fetched, so signature and log were not checked.',
  'verify.keys_foreign':
    'This transcript comes from another server. It was checked without keys: signature and log are left open.',
  'verify.stored_note': 'The log was also compared with the checkpoint that this browser had kept.',
  'verify.left_open': 'Left open',
  'verify.hash': 'SHA-256 of the transcript',
  'verify.outcome': 'Outcome',
} as const

export type StringKey = keyof typeof en
type Dictionary = Record<StringKey, string>
type Values = Record<string, string | number>
/** Keys that come in `.one` and `.other`. */
type CountKey = { [K in StringKey]: K extends `${infer Base}.other` ? Base : never }[StringKey]

const DICTIONARIES: Record<string, Dictionary> = { en }

/** The first language of the browser that there is a dictionary for. */
export const LANGUAGE =
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in DICTIONARIES) ?? 'en'
const dictionary = DICTIONARIES[LANGUAGE]!
const plural = new Intl.PluralRules(LANGUAGE)
const number = new Intl.NumberFormat(LANGUAGE)
const relative = new Intl.RelativeTimeFormat(LANGUAGE, { numeric: 'auto' })

const fill = (text: string, values: Values) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? number.format(value) : value
  })

/** The sentence of a key, filled in. */
export const say = (key: StringKey, values: Values = {}): string => fill(dictionary[key], values)

/** The sentence of a key for a number of things. */
export function count(key: CountKey, n: number): string {
  const chosen = `${key}.${plural.select(n)}`
  return say((has(chosen) ? chosen : `${key}.other`) as StringKey, { n })
}

/** True when there is a sentence for a key that came from outside. */
export const has = (key: string): key is StringKey => Object.hasOwn(dictionary, key)

/** The sentence of a key that is built from outside data, or the given words. */
export const sayOr = (key: string, otherwise: string, values: Values = {}): string =>
  has(key) ? say(key, values) : otherwise

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
]

/** An instant in words as seen from `now_ms`: "in 3 hours", "yesterday". */
export function whenText(instant_ms: number, now_ms: number): string {
  const away_ms = instant_ms - now_ms
  const [unit, size_ms] = STEPS.find(([, size]) => Math.abs(away_ms) >= size) ?? STEPS[3]!
  return relative.format(Math.round(away_ms / size_ms), unit)
}

/** Whole numbers with the language's grouping. */
export const numberText = (value: number): string => number.format(value)
