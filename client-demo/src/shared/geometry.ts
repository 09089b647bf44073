/**
 * The wheel as angles. Degrees run clockwise from 12 o'clock. The server speaks of arcs in true proportion to the
 * weights; thin slices are drawn wider, so its angles are carried over slice by slice.
 */

/** A slice that is narrower cannot be seen or told from its borders on a phone. */
export const ARC_DEG_MIN = 6
/** Keeps the pointer off the border line between two slices, where people would argue about it. */
const BORDER_SHARE = 0.06

export type Arc = { from: number; to: number }

const inTurn = (degrees: number) => ((degrees % 360) + 360) % 360

/** Arcs in true proportion to the weights. */
export function trueArcs(weights: readonly number[]): Arc[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let from = 0
  return weights.map((weight) => {
    const to = from + (360 * weight) / total
    const arc = { from, to }
    from = to
    return arc
  })
}

/** Arcs as drawn: none narrower than `deg_min` (or an equal share, when there are too many), the rest in proportion. */
export function drawnArcs(weights: readonly number[], deg_min = ARC_DEG_MIN): Arc[] {
  const least = Math.min(deg_min, 360 / weights.length)
  const widths = trueArcs(weights).map(({ from, to }) => to - from)
  const narrow = new Set<number>()
  // Widening some makes others narrower, so it is repeated until nothing changes.
  for (;;) {
    const rest_width = widths.reduce((sum, width, i) => (narrow.has(i) ? sum : sum + width), 0)
    const scale = (360 - narrow.size * least) / (rest_width || 1)
    const found = widths.flatMap((width, i) => (!narrow.has(i) && width * scale < least ? [i] : []))
    if (found.length === 0) {
      let from = 0
      return widths.map((width, i) => {
        const to = from + (narrow.has(i) ? least : width * scale)
        const arc = { from, to }
        from = to
        return arc
      })
    }
    for (const i of found) narrow.add(i)
  }
}

/** The rotation that the drawn wheel ends with, for a landing that is told in true proportions. */
export function drawnAngle(weights: readonly number[], angle: number, segment: number): number {
  const true_arc = trueArcs(weights)[segment]
  const drawn_arc = drawnArcs(weights)[segment]
  if (true_arc === undefined || drawn_arc === undefined) return angle
  const share = (inTurn(-angle) - true_arc.from) / (true_arc.to - true_arc.from)
  const kept = Math.min(1 - BORDER_SHARE, Math.max(BORDER_SHARE, share))
  const point = drawn_arc.from + kept * (drawn_arc.to - drawn_arc.from)
  return angle - inTurn(angle) + 360 - point
}

/** Starts quickly, ends slowly: 0 to 1. */
const eased = (progress: number) => 1 - (1 - progress) ** 4

/** The share of a spin after which all screens show the same angle, wherever their wheel stood before. */
const BLEND_SHARE = 0.25

/**
 * The rotation at `progress` (0 to 1) of a spin to `end`, for a wheel that stood at `rest`. From a quarter of the
 * way on it does not depend on `rest`, so a screen that comes late shows what all others show.
 */
export function angleAt(progress: number, rest: number, end: number): number {
  const at = Math.min(1, Math.max(0, progress))
  const signed_rest = inTurn(rest + 180) - 180
  return end * eased(at) + signed_rest * (1 - Math.min(1, at / BLEND_SHARE))
}

/** Which slice is under the pointer of a wheel that is turned by `angle`. */
export function segmentUnder(arcs: readonly Arc[], angle: number): number {
  const point = inTurn(-angle)
  return arcs.findIndex(({ from, to }) => point >= from && point < to)
}

/** A point of a circle around the origin. */
export function pointAt(degrees: number, radius: number): { x: number; y: number } {
  const turned = ((degrees - 90) * Math.PI) / 180
  return { x: radius * Math.cos(turned), y: radius * Math.sin(turned) }
}

/** The SVG path of a slice around the origin. */
export function slicePath({ from, to }: Arc, radius: number): string {
  if (to - from >= 359.999) return `M0 ${-radius}A${radius} ${radius} 0 1 1 -0.01 ${-radius}Z`
  const start = pointAt(from, radius)
  const end = pointAt(to, radius)
  const f = (value: number) => value.toFixed(3)
  return `M0 0L${f(start.x)} ${f(start.y)}A${radius} ${radius} 0 ${to - from > 180 ? 1 : 0} 1 ${f(end.x)} ${f(end.y)}Z`
}
