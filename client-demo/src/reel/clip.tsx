/** The clip: drawn here, so that nothing has to be loaded. Every viewer sees the same moment of the server's clock. */
import { useEffect, useRef } from 'preact/hooks'
import { CLIP_MS, reelAt } from '../../../src/demo/reel-times.ts'
import { serverClock } from '../shared/server-clock.ts'
import { prefersStill } from '../shared/wheel.tsx'
import { say } from '../strings.ts'

const WIDTH = 360
const HEIGHT = 560
const JAR = { left: 80, right: 280, top: 190, bottom: 470 }
const COLORS = ['#ffb000', '#ff8fb3', '#7cc6fe', '#00c2a0', '#f3f1ff', '#e5487b']
const BEAN_COUNT = 170
const FALL_MS = 700

type Bean = { x: number; y: number; tilt: number; color: string; falls_at_ms: number }

/** The same jar at every showing: a fixed sequence, no chance. */
const BEANS: Bean[] = Array.from({ length: BEAN_COUNT }, (_, i) => {
  const column = i % 10
  const row = Math.floor(i / 10)
  return {
    x: JAR.left + 16 + column * 18.6 + (row % 2) * 8 - 4 + ((i * 37) % 7) - 3,
    y: JAR.bottom - 14 - row * 14.2 - ((i * 53) % 6),
    tilt: ((i * 71) % 180) * (Math.PI / 180),
    color: COLORS[(i * 31) % COLORS.length]!,
    falls_at_ms: 1_600 + (i / BEAN_COUNT) * 6_600,
  }
})

export function Clip() {
  const canvas = useRef<HTMLCanvasElement>(null)
  const bar = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const pen = canvas.current!.getContext('2d')!
    const scale = Math.min(2, devicePixelRatio || 1)
    canvas.current!.width = WIDTH * scale
    canvas.current!.height = HEIGHT * scale
    pen.scale(scale, scale)
    const is_still = prefersStill()
    let frame = 0
    const paint = () => {
      const { elapsed_ms } = reelAt(serverClock.now())
      // Without motion the whole jar stands there, and only the bar tells how far the reel is.
      drawClip(pen, is_still ? CLIP_MS - 1 : Math.min(elapsed_ms, CLIP_MS))
      if (bar.current) bar.current.style.width = `${Math.min(100, (elapsed_ms / CLIP_MS) * 100)}%`
      frame = requestAnimationFrame(paint)
    }
    paint()
    return () => cancelAnimationFrame(frame)
  }, [])
  return (
    <div class="clip">
      <canvas ref={canvas} role="img" aria-label={say('reel.clip')} />
      <div class="clip-bar" aria-hidden="true">
        <div ref={bar} />
      </div>
    </div>
  )
}

function drawClip(pen: CanvasRenderingContext2D, at_ms: number): void {
  const sky = pen.createLinearGradient(0, 0, 0, HEIGHT)
  sky.addColorStop(0, '#2b1b7a')
  sky.addColorStop(1, '#12092e')
  pen.fillStyle = sky
  pen.fillRect(0, 0, WIDTH, HEIGHT)
  glow(pen, at_ms)
  pen.fillStyle = '#0b0620'
  pen.fillRect(0, JAR.bottom + 10, WIDTH, HEIGHT)
  for (const bean of BEANS) drawBean(pen, bean, at_ms)
  drawJar(pen, at_ms)
  caption(pen, at_ms)
}

function glow(pen: CanvasRenderingContext2D, at_ms: number): void {
  const reach = 190 + 14 * Math.sin(at_ms / 400)
  const light = pen.createRadialGradient(180, 320, 20, 180, 320, reach)
  light.addColorStop(0, 'rgb(255 176 0 / 32%)')
  light.addColorStop(1, 'rgb(255 176 0 / 0%)')
  pen.fillStyle = light
  pen.fillRect(0, 0, WIDTH, HEIGHT)
}

function drawBean(
  pen: CanvasRenderingContext2D,
  { x, y, tilt, color, falls_at_ms }: Bean,
  at_ms: number,
): void {
  const part = (at_ms - falls_at_ms) / FALL_MS
  if (part <= 0) return
  const fallen = Math.min(1, part) ** 2
  pen.save()
  pen.translate(180 + (x - 180) * Math.min(1, 0.3 + fallen), -20 + (y + 20) * fallen)
  pen.rotate(tilt + (1 - fallen) * 4)
  pen.fillStyle = color
  pen.beginPath()
  pen.ellipse(0, 0, 9.5, 6.4, 0, 0, 2 * Math.PI)
  pen.fill()
  pen.fillStyle = 'rgb(255 255 255 / 35%)'
  pen.beginPath()
  pen.ellipse(-2.5, -2, 3.2, 1.6, 0.4, 0, 2 * Math.PI)
  pen.fill()
  pen.restore()
}

function drawJar(pen: CanvasRenderingContext2D, at_ms: number): void {
  const { left, right, top, bottom } = JAR
  pen.lineWidth = 5
  pen.strokeStyle = 'rgb(255 255 255 / 75%)'
  pen.fillStyle = 'rgb(255 255 255 / 7%)'
  pen.beginPath()
  pen.roundRect(left - 8, top, right - left + 16, bottom - top + 8, [18, 18, 34, 34])
  pen.fill()
  pen.stroke()
  pen.fillStyle = 'rgb(255 255 255 / 22%)'
  pen.beginPath()
  pen.roundRect(left + 6, top + 24, 12, bottom - top - 70, 6)
  pen.fill()
  const lid = Math.max(0, Math.min(1, (at_ms - 9_200) / 500))
  if (lid === 0) return
  pen.fillStyle = '#ffb000'
  pen.beginPath()
  pen.roundRect(left - 2, top - 26 - (1 - lid) * 130, right - left + 4, 30, 10)
  pen.fill()
}

function caption(pen: CanvasRenderingContext2D, at_ms: number): void {
  const text =
    at_ms < 1_600
      ? say('reel.caption.start')
      : at_ms < 9_600
        ? say('reel.caption.middle')
        : say('reel.caption.end')
  pen.textAlign = 'center'
  pen.fillStyle = '#fff'
  pen.font = '800 30px system-ui, sans-serif'
  pen.fillText(text, WIDTH / 2, 92, WIDTH - 40)
}
