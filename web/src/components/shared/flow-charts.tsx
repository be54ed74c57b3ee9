import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { formatSeconds } from '@/lib/format'
import { type FlowSeries, formatRate } from '@/lib/series'
import { LineChart } from './line-chart'

/** Throughput and lag, side by side. */
export default function FlowCharts({ series }: { series: FlowSeries }) {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <Card>
        <CardHeader>
          <CardTitle>Throughput</CardTitle>
        </CardHeader>
        <CardContent className="px-2 pb-2">
          <LineChart
            label="Records per second over time"
            times={series.times}
            series={[{ label: 'Records', values: series.recordsPerSecond, color: '--chart-1' }]}
            format={formatRate}
          />
        </CardContent>
      </Card>
      <Card>
        <CardHeader>
          <CardTitle>Lag, commit to target</CardTitle>
        </CardHeader>
        <CardContent className="px-2 pb-2">
          <LineChart
            label="Worst lag in seconds over time"
            times={series.times}
            series={[{ label: 'Worst lag', values: series.lagSeconds, color: '--chart-2' }]}
            format={formatSeconds}
          />
        </CardContent>
      </Card>
    </div>
  )
}
