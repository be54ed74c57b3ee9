interface Point {
  minute: string
  records: number
  bytes: number
  lag_seconds_max: number | null
}

export interface FlowSeries {
  times: number[]
  recordsPerSecond: number[]
  bytesPerSecond: number[]
  lagSeconds: (number | null)[]
}

/**
 * Points of the API on an even grid that ends with the last whole step, because the one that runs is not comparable
 * yet. A step without a point had no record, and no lag that is known.
 * Several points of one step (one per table) are summed; their lag is the worst.
 */
export function flowSeries(
  points: readonly Point[],
  minutes: number,
  stepMinutes: number,
  now: number,
): FlowSeries {
  const step = stepMinutes * 60
  const last = (Math.floor(now / 1000 / step) - 1) * step
  const count = Math.max(1, Math.floor(minutes / stepMinutes))
  const times = Array.from({ length: count }, (_, index) => last - (count - 1 - index) * step)
  const series: FlowSeries = {
    times,
    recordsPerSecond: times.map(() => 0),
    bytesPerSecond: times.map(() => 0),
    lagSeconds: times.map(() => null),
  }
  for (const point of points) {
    const slot = Math.floor(Date.parse(point.minute) / 1000 / step) * step
    const index = count - 1 - (last - slot) / step
    if (index < 0 || index >= count) continue
    series.recordsPerSecond[index] = (series.recordsPerSecond[index] ?? 0) + point.records / step
    series.bytesPerSecond[index] = (series.bytesPerSecond[index] ?? 0) + point.bytes / step
    const lag = series.lagSeconds[index]
    if (point.lag_seconds_max != null) series.lagSeconds[index] = Math.max(lag ?? 0, point.lag_seconds_max)
  }
  return series
}

const rate = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export function formatRate(perSecond: number): string {
  return `${rate.format(perSecond)}/s`
}
