/** What a run says while it runs: a table that redraws itself on a terminal, a line now and then elsewhere. */
import { styleText } from 'node:util'
import type { Second } from './course.ts'

export type Live = { joined(count: number): void; second(second: Second): void; end(): void }

const LINE_EVERY = 5

/** Makes the display on `out`, standard error by default: standard output is for the result. */
export function makeLive(total: number, duration_s: number, out: NodeJS.WriteStream = process.stderr): Live {
  let drawn = 0
  let seconds = 0

  function draw(lines: readonly string[]): void {
    out.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${lines.map((line) => `\x1b[2K${line}`).join('\n')}\n`)
    drawn = lines.length
  }

  return {
    joined(count) {
      if (out.isTTY) draw([`joining ${count} / ${total}`])
    },
    second(second) {
      seconds += 1
      if (out.isTTY) draw(tableOf(second, duration_s))
      else if (seconds % LINE_EVERY === 0) out.write(`${lineOf(second)}\n`)
    },
    end() {
      drawn = 0
    },
  }
}

function tableOf(second: Second, duration_s: number): string[] {
  const row = (name: string, value: string) => `  ${styleText('dim', name.padEnd(22))}${value}`
  return [
    `${second.at_s.toFixed(0)} s of ${duration_s} s`,
    row('players, spectators', `${second.players}, ${second.spectators}`),
    row('replies/s', String(second.spins_per_s)),
    row('reply p50/p95/p99', `${second.p50_ms} / ${second.p95_ms} / ${second.p99_ms} ms`),
    row('errors', second.errors === 0 ? '0' : styleText('red', String(second.errors))),
    row('patches/s, messages/s', `${second.patches_per_s}, ${second.messages_per_s}`),
    row('server loop p99', `${second.server_loop_p99_ms} ms`),
    row('server memory, CPU', `${second.server_rss_mb} MB, ${second.server_cpu} cores`),
    row('generator loop p99', `${second.generator_loop_p99_ms} ms`),
  ]
}

function lineOf(second: Second): string {
  const { at_s, spins_per_s, p50_ms, p99_ms, errors, patches_per_s, server_loop_p99_ms, server_rss_mb } =
    second
  return `${at_s} s: ${spins_per_s} replies/s, p50 ${p50_ms} ms, p99 ${p99_ms} ms, ${errors} errors, ${patches_per_s} patches/s, loop ${server_loop_p99_ms} ms, ${server_rss_mb} MB`
}
