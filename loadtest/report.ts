/** What a run gives: thresholds, figures, the correctness box; as JSON, as lines, and as one page that works offline. */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus } from 'node:os'
import { styleText } from 'node:util'
import type { Finding } from './check.ts'
import type { Course, Second } from './course.ts'
import type { Wishes } from './crowd.ts'

/** `skew_p99_ms`: between the first and the last spectator who sees a winner. */
export type Limits = { reply_p99_ms: number; loop_p99_ms: number; skew_p99_ms: number }

export const SCENARIOS = ['wheel', 'wallet', 'raffle', 'guess'] as const
export type Scenario = (typeof SCENARIOS)[number]

/** What is offered and answered. */
const UNITS: Readonly<Record<Scenario, string>> = {
  wheel: 'spins',
  wallet: 'requests',
  raffle: 'purchases',
  guess: 'guesses',
}

export type Threshold = { name: string; value: string; limit: string; is_met: boolean }

export type Report = {
  is_passed: boolean
  scenario: Scenario
  at: string
  endpoint: string
  machine: { node: string; cores: number; platform: string }
  wishes: Wishes
  thresholds: Threshold[]
  figures: Record<string, number>
  errors: Record<string, number>
  /** Refusals that belong to the game, by code. */
  refusals: Record<string, number>
  correctness: Finding[]
  seconds: Second[]
}

/** A run shorter than this has no time in which memory could be flat. */
const MEMORY_JUDGED_S = 30
const GROWTH_MAX = 0.1

/** Puts a run together. `audit` is null where the database is out of reach. */
export function reportOf(
  course: Course,
  correctness: Finding[],
  audit: { ok: boolean; checks: number; violations: number } | null,
  {
    scenario,
    wishes,
    limits,
    endpoint,
    figures: own = {},
  }: {
    scenario: Scenario
    wishes: Wishes
    limits: Limits
    endpoint: string
    /** Of the scenario. */
    figures?: Record<string, number>
  },
): Report {
  const { seconds, latency } = course
  const ms = (percentile: number) => (latency.count === 0 ? 0 : round(latency.percentile(percentile) / 1_000))
  const memory = memoryOf(seconds)
  const loops = seconds.map((second) => second.server_loop_p99_ms)
  const errors = Object.values(course.errors).reduce((total, count) => total + count, 0)
  const violations = correctness.reduce((total, finding) => total + finding.violations, 0)
  const unit = UNITS[scenario]
  const figures = {
    [`${unit}_sent`]: course.sent,
    [`${unit}_replied`]: course.replied,
    reply_p50_ms: ms(50),
    reply_p95_ms: ms(95),
    reply_p99_ms: ms(99),
    reply_max_ms: latency.count === 0 ? 0 : round(latency.max / 1_000),
    // A window's 99th percentile is about its longest delay, so the middle one is about that of the whole run.
    server_loop_p99_ms: median(loops),
    server_loop_worst_ms: Math.max(0, ...loops),
    server_cpu_cores: round(mean(seconds.map((second) => second.server_cpu)), 2),
    server_cpu_us_per_frame: cpuPerFrame(seconds),
    server_rss_mb: seconds.at(-1)?.server_rss_mb ?? 0,
    memory_slope_mb_per_min: memory.slope_mb_per_min,
    memory_growth_percent: round(memory.growth * 100),
    generator_loop_p99_ms: median(seconds.map((second) => second.generator_loop_p99_ms)),
    join_s: round(course.join_ms / 1_000),
    pauses: course.pauses,
    ...own,
  }
  const below = (name: string, value: number, limit: number, unit: string): Threshold => ({
    name,
    value: `${value} ${unit}`,
    limit: `< ${limit} ${unit}`,
    is_met: value < limit,
  })
  const none = (name: string, count: number): Threshold => ({
    name,
    value: String(count),
    limit: '0',
    is_met: count === 0,
  })
  const thresholds = [
    below('reply p99', figures.reply_p99_ms, limits.reply_p99_ms, 'ms'),
    below('server event loop p99', figures.server_loop_p99_ms, limits.loop_p99_ms, 'ms'),
    ...(own['reveal_skew_p99_ms'] === undefined
      ? []
      : [below('skew of reveals p99', own['reveal_skew_p99_ms'], limits.skew_p99_ms, 'ms')]),
    none('errors', errors),
    none('correctness violations', violations),
    ...(audit === null ? [] : [none(`audit violations (${audit.checks} checks hold)`, audit.violations)]),
    ...(memory.is_judged
      ? [below('memory growth after warm-up', figures.memory_growth_percent, GROWTH_MAX * 100, '%')]
      : []),
    { name: `${unit} replied`, value: String(course.replied), limit: '> 0', is_met: course.replied > 0 },
  ]
  return {
    is_passed: thresholds.every((threshold) => threshold.is_met),
    scenario,
    at: new Date().toISOString(),
    endpoint,
    machine: { node: process.version, cores: cpus().length, platform: `${process.platform} ${process.arch}` },
    wishes,
    thresholds,
    figures,
    errors: course.errors,
    refusals: course.refusals,
    correctness,
    seconds,
  }
}

/** Least squares over the last two thirds: the first third is warm-up. */
function memoryOf(seconds: readonly Second[]): {
  slope_mb_per_min: number
  growth: number
  is_judged: boolean
} {
  const part = seconds.slice(Math.floor(seconds.length / 3))
  if (part.length < 3) return { slope_mb_per_min: 0, growth: 0, is_judged: false }
  const x = mean(part.map((second) => second.at_s))
  const y = mean(part.map((second) => second.server_rss_mb))
  const over = part.reduce((total, second) => total + (second.at_s - x) * (second.server_rss_mb - y), 0)
  const under = part.reduce((total, second) => total + (second.at_s - x) ** 2, 0)
  const slope = under === 0 ? 0 : over / under
  const span_s = part.at(-1)!.at_s - part[0]!.at_s
  return {
    slope_mb_per_min: round(slope * 60),
    growth: y === 0 ? 0 : (slope * span_s) / y,
    is_judged: seconds.at(-1)!.at_s >= MEMORY_JUDGED_S,
  }
}

/** Everything the server did, spins and database traffic too, divided by what it delivered. */
function cpuPerFrame(seconds: readonly Second[]): number {
  const frames = mean(seconds.map((second) => second.patches_per_s + second.messages_per_s))
  return frames === 0 ? 0 : round((mean(seconds.map((second) => second.server_cpu)) * 1e6) / frames)
}

/** The end of a run on a terminal: verdicts first. */
export function reportText({
  thresholds,
  figures,
  correctness,
  errors,
  refusals,
  is_passed,
}: Report): string {
  const mark = (is_met: boolean) => (is_met ? styleText('green', '✓') : styleText('red', '✗'))
  const width = Math.max(...thresholds.map(({ name }) => name.length))
  const lines = thresholds.map(
    ({ name, value, limit, is_met }) =>
      `  ${mark(is_met)} ${name.padEnd(width)}  ${value}  ${styleText('dim', limit)}`,
  )
  const box = correctness.flatMap(({ name, checked, violations, examples }) => [
    `  ${mark(violations === 0)} ${name}  ${styleText('dim', `${checked} compared${violations > 0 ? `, ${violations} violations` : ''}`)}`,
    ...examples.map((example) => `      ${example}`),
  ])
  const counts = (title: string, codes: Record<string, number>) => {
    const all = Object.entries(codes).map(([code, count]) => `  ${code}: ${count}`)
    return all.length > 0 ? ['', title, ...all] : []
  }
  const numbers = Object.entries(figures).map(([name, value]) => `  ${name.padEnd(26)} ${value}`)
  return [
    '',
    ...lines,
    '',
    'Correctness',
    ...box,
    ...counts('Refusals of the game', refusals),
    ...counts('Errors', errors),
    '',
    'Figures',
    ...numbers,
    '',
    is_passed ? styleText('green', '✓ passed') : styleText('red', '✗ a threshold is crossed'),
  ].join('\n')
}

/** Writes the page to `file` and the data beside it as .json. Returns both names. */
export async function writeReport(report: Report, file: string): Promise<string[]> {
  const page = file.endsWith('.html') ? file : `${file}.html`
  const data = page.replace(/\.html$/, '.json')
  await writeFile(data, `${JSON.stringify(report, null, 2)}\n`)
  await writeFile(page, await pageOf(report))
  return [page, data]
}

const CHARTS: { title: string; unit: string; lines: [keyof Second, string][] }[] = [
  { title: 'Replies', unit: '/s', lines: [['spins_per_s', 'replied']] },
  {
    title: 'Reply',
    unit: 'ms',
    lines: [
      ['p50_ms', 'p50'],
      ['p95_ms', 'p95'],
      ['p99_ms', 'p99'],
    ],
  },
  {
    title: 'Delivered',
    unit: '/s',
    lines: [
      ['patches_per_s', 'patches'],
      ['messages_per_s', 'messages'],
    ],
  },
  {
    title: 'Event loop p99',
    unit: 'ms',
    lines: [
      ['server_loop_p99_ms', 'server'],
      ['generator_loop_p99_ms', 'generator'],
    ],
  },
  { title: 'Server memory', unit: 'MB', lines: [['server_rss_mb', 'RSS']] },
  { title: 'Server CPU', unit: 'cores', lines: [['server_cpu', 'CPU']] },
]

async function pageOf(report: Report): Promise<string> {
  const require = createRequire(import.meta.url)
  const [script, style] = await Promise.all(
    ['uplot/dist/uPlot.iife.min.js', 'uplot/dist/uPlot.min.css'].map((name) =>
      readFile(require.resolve(name), 'utf8'),
    ),
  )
  const data = JSON.stringify({ seconds: report.seconds, charts: CHARTS }).replaceAll('<', '\\u003c')
  const verdicts = report.thresholds.map(
    ({ name, value, limit, is_met }) =>
      `<tr class="${is_met ? 'met' : 'crossed'}"><td>${is_met ? '✓' : '✗'}</td><td>${inHtml(name)}</td><td>${inHtml(value)}</td><td>${inHtml(limit)}</td></tr>`,
  )
  const box = report.correctness.map(
    ({ name, checked, violations, examples }) =>
      `<tr class="${violations === 0 ? 'met' : 'crossed'}"><td>${violations === 0 ? '✓' : '✗'}</td><td>${inHtml(name)}${examples.map((each) => `<br><small>${inHtml(each)}</small>`).join('')}</td><td>${checked}</td><td>${violations}</td></tr>`,
  )
  const rows = (entries: Record<string, unknown>) =>
    Object.entries(entries)
      .map(([name, value]) => `<tr><td>${inHtml(name)}</td><td>${inHtml(String(value))}</td></tr>`)
      .join('\n')
  const counts = (title: string, codes: Record<string, number>) =>
    Object.keys(codes).length > 0 ? `<h2>${title}</h2><table>${rows(codes)}</table>` : ''
  const { wishes, machine } = report
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test: ${report.is_passed ? 'passed' : 'a threshold is crossed'}</title>
<style>${style}
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1.5rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% } td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
tr.met td:first-child { color: #0a7d3c } tr.crossed td:first-child { color: #c02424; font-weight: bold }
.charts { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)) }
.u-legend { font-size: .8rem } small { opacity: .75 }
.uplot, .u-legend { color: inherit }
</style>
<h1>${report.is_passed ? '✓ passed' : '✗ a threshold is crossed'} · scenario ${report.scenario}</h1>
<p>${wishes.clients} players, ${wishes.spectators} spectators, ${wishes.rate} ${UNITS[report.scenario]}/s offered for ${wishes.duration_ms / 1_000} s ·
${inHtml(report.at)} · Node ${inHtml(machine.node)}, ${machine.cores} cores, ${inHtml(machine.platform)} · ${inHtml(report.endpoint)}</p>
<h2>Thresholds</h2>
<table>${verdicts.join('\n')}</table>
<h2>Correctness</h2>
<table><tr><th></th><th>must hold</th><th>compared</th><th>violations</th></tr>${box.join('\n')}</table>
<h2>Course</h2>
<div class="charts" id="charts"></div>
<h2>Figures</h2>
<table>${rows(report.figures)}</table>
${counts('Refusals of the game', report.refusals)}
${counts('Errors', report.errors)}
<script>${script}</script>
<script type="application/json" id="data">${data}</script>
<script>
const { seconds, charts } = JSON.parse(document.getElementById('data').textContent)
const colours = ['#2f6fed', '#b7791f', '#c2417c']
const ink = getComputedStyle(document.body).color
for (const { title, unit, lines } of charts) {
  const box = document.getElementById('charts').appendChild(document.createElement('div'))
  const axis = { stroke: ink, grid: { stroke: ink + '22' } }
  new uPlot({
    title: title + ' (' + unit + ')', width: box.clientWidth, height: 220, scales: { x: { time: false } },
    axes: [{ ...axis, label: 's' }, axis],
    series: [{ label: 's' }, ...lines.map(([, label], i) => ({ label, stroke: colours[i], width: 2 }))],
  }, [seconds.map((second) => second.at_s), ...lines.map(([key]) => seconds.map((second) => second[key]))], box)
}
</script>
</html>
`
}

const inHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const round = (value: number, places = 1): number => Math.round(value * 10 ** places) / 10 ** places
const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((total, value) => total + value, 0) / values.length
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0
