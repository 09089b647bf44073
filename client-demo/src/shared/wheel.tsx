/** The wheel, drawn from the room's state, turned by landings on the server's clock. */
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { say } from '../strings.ts'
import { inkOn, sliceColors } from './colors.ts'
import { ARC_DEG_MIN, type Arc, angleAt, drawnAngle, drawnArcs, slicePath, trueArcs } from './geometry.ts'
import { serverClock } from './server-clock.ts'
import type { Landing, Segment } from './wheel-room.ts'

const RADIUS = 100
/** Enough steps that straight lines between them look like a curve. */
const KEYFRAME_COUNT = 120

export const prefersStill = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches

type Props = {
  segments: Segment[]
  /** Where to stop, and when. A new object is a new spin; the wheel stays where the last one ended. */
  landing: Landing | null
  /** The slice that has won, while its result is shown. */
  highlighted: number | null
}

/** True when some slice is drawn wider than its chance. */
export function isWidened(segments: readonly Segment[]): boolean {
  return trueArcs(segments.map(({ weight }) => weight)).some(
    ({ from, to }) => to - from < ARC_DEG_MIN - 0.001,
  )
}

export function Wheel({ segments, landing, highlighted }: Props) {
  const disc = useRef<SVGGElement>(null)
  const rest = useRef(0)
  const key = segments
    .map(({ slug, weight, label, color }) => `${slug}/${weight}/${label}/${color}`)
    .join('|')
  const weights = useMemo(() => segments.map(({ weight }) => weight), [key])
  const arcs = useMemo(() => drawnArcs(weights), [weights])
  const colors = useMemo(() => sliceColors(segments.map(({ color }) => color)), [key])

  useTurning(disc, rest, landing, weights)

  return (
    <div class="wheel">
      <svg viewBox="-112 -112 224 224" role="img" aria-label={say('wheel.label', { n: segments.length })}>
        <circle class="wheel-rim" r="108" />
        <g ref={disc} class="wheel-disc">
          {segments.map((segment, i) => (
            <Slice
              key={segment.slug}
              segment={segment}
              arc={arcs[i]!}
              color={colors[i]!}
              is_dimmed={highlighted !== null && highlighted !== i}
            />
          ))}
          {arcs.map(({ from }) => (
            <circle
              key={from}
              class="wheel-peg"
              r="1.7"
              cx={104 * Math.sin((from * Math.PI) / 180)}
              cy={-104 * Math.cos((from * Math.PI) / 180)}
            />
          ))}
        </g>
        <circle class="wheel-hub-ring" r="19" />
        <circle class="wheel-hub" r="14.5" />
        <path
          class="wheel-hub-star"
          d="M0-8 2.3-2.6 8-2.2 3.6 1.6 5 7.2 0 4.2-5 7.2-3.6 1.6-8-2.2-2.3-2.6Z"
        />
        <path class="wheel-pointer" d="M0-88-8.5-109.5Q0-114 8.5-109.5Z" />
      </svg>
    </div>
  )
}

type SliceProps = { segment: Segment; arc: Arc; color: string; is_dimmed: boolean }

/** Room for a label, in units of the drawing: from the hub to the rim. */
const LABEL_LENGTH = 66
/** Average width of a letter as a share of the font size. */
const LETTER_WIDTH = 0.56

function Slice({ segment, arc, color, is_dimmed }: SliceProps) {
  const width_deg = arc.to - arc.from
  const middle = (arc.from + arc.to) / 2
  const text = segment.label.length > 22 ? `${segment.label.slice(0, 21)}…` : segment.label
  // A label must fit its slice in both directions: along the radius, and across it near the hub.
  const across = 2 * 62 * Math.tan((Math.min(width_deg, 120) * Math.PI) / 360)
  const size = Math.min(10.5, LABEL_LENGTH / (text.length * LETTER_WIDTH), across * 0.72)
  return (
    <g class={is_dimmed ? 'slice is-dimmed' : 'slice'}>
      <path d={slicePath(arc, RADIUS)} fill={color} />
      {segment.exhausted && <path d={slicePath(arc, RADIUS)} class="slice-gone" />}
      <text
        class="slice-label"
        transform={`rotate(${middle - 90}) translate(${RADIUS - 6} 0)`}
        font-size={size.toFixed(2)}
        fill={inkOn(color)}
        text-anchor="end"
        dominant-baseline="central"
        text-decoration={segment.exhausted ? 'line-through' : undefined}
      >
        {text}
      </text>
    </g>
  )
}

function useTurning(
  disc: { current: SVGGElement | null },
  rest: { current: number },
  landing: Landing | null,
  weights: readonly number[],
) {
  const running = useRef<Animation | null>(null)
  const turn = (degrees: number) => disc.current?.style.setProperty('transform', `rotate(${degrees}deg)`)

  useLayoutEffect(() => {
    if (landing === null || disc.current === null) return
    const end = drawnAngle(weights, landing.angle, landing.segment)
    const from = rest.current
    rest.current = end % 360
    running.current?.cancel()
    turn(end % 360)
    const gone_ms = serverClock.now() - landing.starts_at_ms
    if (prefersStill() || gone_ms >= landing.duration_ms) return

    const frames = Array.from({ length: KEYFRAME_COUNT + 1 }, (_, i) => ({
      transform: `rotate(${angleAt(i / KEYFRAME_COUNT, from, end)}deg)`,
    }))
    // Backwards: before its start on the server's clock the wheel stands where it stood.
    const animation = disc.current.animate(frames, { duration: landing.duration_ms, fill: 'backwards' })
    animation.currentTime = gone_ms
    running.current = animation
  }, [landing, weights])

  useEffect(() => () => running.current?.cancel(), [])
}
