import { expect, it } from 'vitest'
import { flowSeries } from './series'

const at = (minute: string) => `2026-01-01T00:${minute}:00Z`
const now = Date.parse(at('10')) + 30_000

it('puts points on an even grid of whole steps', () => {
  const series = flowSeries(
    [
      { minute: at('08'), records: 120, bytes: 600, lag_seconds_max: 0.5 },
      { minute: at('10'), records: 999, bytes: 999, lag_seconds_max: 9 },
    ],
    3,
    1,
    now,
  )
  expect(series.times.map((time) => new Date(time * 1000).toISOString().slice(14, 16))).toEqual([
    '07',
    '08',
    '09',
  ])
  expect(series.recordsPerSecond).toEqual([0, 2, 0])
  expect(series.bytesPerSecond).toEqual([0, 10, 0])
  expect(series.lagSeconds).toEqual([null, 0.5, null])
})

it('sums the tables of one step, and takes their worst lag', () => {
  const series = flowSeries(
    [
      { minute: at('09'), records: 60, bytes: 0, lag_seconds_max: 0.2 },
      { minute: at('09'), records: 60, bytes: 0, lag_seconds_max: 1.5 },
      { minute: at('09'), records: 0, bytes: 0, lag_seconds_max: null },
    ],
    1,
    1,
    now,
  )
  expect(series.recordsPerSecond).toEqual([2])
  expect(series.lagSeconds).toEqual([1.5])
})
