/** Bytes, number, segment: the roll with its real numbers. */
import type { Transcript } from '../../../src/fairness/transcript.ts'
import { sliceColors } from '../shared/colors.ts'
import { Hash } from '../shared/ui.tsx'
import { count, numberText, say } from '../strings.ts'
import { type PickMath, pickMath } from './math.ts'

export function MathPanel({ transcript }: { transcript: Transcript }) {
  const math = pickMath(transcript)
  if (math === undefined) return null
  const { key, is_beacon, ctx, block, word, rejected, total, roll, from, to, index, segments } = math
  return (
    <section class="card math" aria-label={say('verify.math')}>
      <h2>{say('verify.math')}</h2>
      <ol class="math-steps">
        <li>
          <span>{say(is_beacon ? 'verify.math.key_beacon' : 'verify.math.key')}</span>
          <Hash value={key} label={say('verify.math.key')} />
        </li>
        <li>
          <span>{say('verify.math.ctx')}</span>
          <Hash value={ctx} label={say('verify.math.ctx')} />
        </li>
        <li>
          <span>{say('verify.math.block')}</span>
          <code class="bytes">
            <mark>{block.slice(0, 16)}</mark>
            {block.slice(16)}
          </code>
        </li>
        <li>
          <span>{say('verify.math.word')}</span>
          <code class="bytes">
            {word} = {BigInt(`0x${word || '0'}`).toLocaleString()}
          </code>
          {rejected > 0 && <span class="fine">{count('verify.math.rejected', rejected)}</span>}
        </li>
        <li>
          <span>{say('verify.math.modulo', { total })}</span>
          <code class="bytes number">{numberText(roll)}</code>
        </li>
        <li>
          <span>{say('verify.math.range', { r: roll, from, to })}</span>
          <strong class="number">{segments[index]!.label}</strong>
        </li>
      </ol>
      <Bar math={math} />
    </section>
  )
}

function Bar({ math: { segments, total, roll, index } }: { math: PickMath }) {
  const colors = sliceColors(segments.map(({ color }) => color))
  return (
    <figure class="bar">
      <svg viewBox="0 0 1000 70" preserveAspectRatio="none" aria-hidden="true">
        {segments.map(({ from, weight, label }, i) => (
          <rect
            key={label + from}
            x={(1000 * from) / total}
            y={18}
            width={(1000 * weight) / total}
            height={52}
            fill={colors[i]}
            opacity={i === index ? 1 : 0.35}
          />
        ))}
        <path class="bar-mark" d={`M${(1000 * (roll + 0.5)) / total} 70V16l-9-16h18l-9 16`} />
      </svg>
      <figcaption class="fine">{say('verify.math.bar')}</figcaption>
    </figure>
  )
}
