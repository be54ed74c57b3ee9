import { describe, expect, it } from 'vitest'
import type { WalMetric } from '@/repo/types'
import { walSeries } from './wal-series'

const at = (seconds: number, retained_bytes: number | null, slot_name = 'a'): WalMetric => ({
  id: seconds,
  source_id: 1,
  slot_name,
  recorded_at: new Date(seconds * 1000).toISOString(),
  active: true,
  lag_bytes: null,
  wal_size_bytes: null,
  wal_status: 'reserved',
  retained_bytes,
})

describe('walSeries', () => {
  it('keeps the worst slot of each measurement, oldest first', () => {
    const series = walSeries([at(900, 30), at(901, 50, 'b'), at(600, 10), at(300, null)], null)
    expect(series.times).toEqual([600, 900])
    expect(series.retained).toEqual([10, 50])
    expect(series.forecast).toEqual([null, null])
  })

  it('goes on from the last measurement at the speed of now', () => {
    const series = walSeries([at(0, 0), at(2400, 240)], 0.1)
    expect(series.times.slice(0, 4)).toEqual([0, 2400, 2500, 2600])
    expect(series.forecast.slice(0, 4)).toEqual([null, 240, 250, 260])
    expect(series.retained.slice(2).every((value) => value === null)).toBe(true)
  })

  it('has no forecast without measurements, or where nothing grows', () => {
    expect(walSeries([], 5)).toEqual({ times: [], retained: [], forecast: [] })
    expect(walSeries([at(0, 7)], -3).forecast).toEqual([null])
  })
})
