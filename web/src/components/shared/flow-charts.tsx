import { formatSeconds } from '@/lib/format'
import { type FlowSeries, formatRate } from '@/lib/series'
import { ChartCard } from './chart-card'

/** Throughput and lag, side by side. */
export default function FlowCharts({ series }: { series: FlowSeries }) {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <ChartCard
        title="Throughput"
        label="Records per second over time"
        times={series.times}
        series={[{ label: 'Throughput', values: series.recordsPerSecond, color: '--chart-1' }]}
        format={formatRate}
      />
      <ChartCard
        title="Lag, commit to target"
        label="Worst lag over time"
        times={series.times}
        series={[{ label: 'Lag', values: series.lagSeconds, color: '--chart-2' }]}
        format={formatSeconds}
      />
    </div>
  )
}
