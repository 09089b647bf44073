import assert from 'node:assert/strict'
import { revealFigures, type Show } from '../../loadtest/reveals.ts'

const spectator = (...heard: Show['heard']): Show => ({ is_spectator: true, heard })

describe('how far apart winners are seen', () => {
  const due = new Map([
    [1, 2_000],
    [2, 1_000],
  ])

  it('K-06 S0-18 the skew of a winner is between the first and the last spectator; players count as late only', () => {
    const figures = revealFigures(
      [
        { is_spectator: false, heard: [[2, 1_001]] },
        spectator([2, 1_100], [1, 2_040]),
        spectator([2, 1_130], [1, 2_250]),
        spectator([2, 1_110], [1, 2_100]),
      ],
      due,
    )
    assert.deepEqual(
      [figures.reveal_skew_p50_ms, figures.reveal_skew_p99_ms, figures.reveal_skew_max_ms],
      [30, 210, 210],
    )
    assert.deepEqual([figures.reveal_late_p50_ms, figures.reveal_late_max_ms], [100, 250])
    assert.equal(figures.winners_compared, 2)
  })

  it('K-06 one spectator alone has nobody to be late behind', () => {
    const figures = revealFigures([spectator([2, 1_100])], due)
    assert.deepEqual([figures.winners_compared, figures.reveal_skew_max_ms], [0, 0])
  })
})
