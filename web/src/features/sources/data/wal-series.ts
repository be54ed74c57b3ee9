import type { WalMetric } from '@/repo/types'

interface WalSeries {
  /** Seconds since 1970; those after the last measurement belong to the forecast. */
  times: number[]
  /** What the largest slot retains. */
  retained: (number | null)[]
  /** Where that leads at the speed of now; null everywhere when it does not grow. */
  forecast: (number | null)[]
}

const FORECAST_STEPS = 8

/**
 * The worst slot of each measurement, and as far into the future as a third of what was measured.
 * Rows of one measurement carry the same time to within a few seconds.
 */
export function walSeries(metrics: readonly WalMetric[], growthBytesPerSecond: number | null): WalSeries {
  const worst = new Map<number, number>()
  for (const { recorded_at, retained_bytes } of metrics) {
    if (retained_bytes == null) continue
    const time = Math.round(Date.parse(recorded_at) / 5000) * 5
    worst.set(time, Math.max(worst.get(time) ?? 0, retained_bytes))
  }
  const times = [...worst.keys()].sort((one, other) => one - other)
  const retained: (number | null)[] = times.map((time) => worst.get(time) ?? null)
  const forecast: (number | null)[] = times.map(() => null)
  const [first, last] = [times[0], times.at(-1)]
  if (first === undefined || last === undefined || !growthBytesPerSecond || growthBytesPerSecond <= 0)
    return { times, retained, forecast }
  const step = Math.max(60, (last - first) / 3) / FORECAST_STEPS
  const now = worst.get(last) ?? 0
  forecast[forecast.length - 1] = now
  for (let ahead = 1; ahead <= FORECAST_STEPS; ahead += 1) {
    times.push(last + ahead * step)
    retained.push(null)
    forecast.push(now + ahead * step * growthBytesPerSecond)
  }
  return { times, retained, forecast }
}
