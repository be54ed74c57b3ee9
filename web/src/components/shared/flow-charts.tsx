import { useState } from 'react'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { formatSeconds } from '@/lib/format'
import { type FlowSeries, formatRate } from '@/lib/series'
import { LineChart } from './line-chart'

/** Throughput and lag, side by side. */
export default function FlowCharts({ series }: { series: FlowSeries }) {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <Chart
        title="Throughput"
        label="Records per second over time"
        times={series.times}
        values={series.recordsPerSecond}
        color="--chart-1"
        format={formatRate}
      />
      <Chart
        title="Lag, commit to target"
        label="Worst lag over time"
        times={series.times}
        values={series.lagSeconds}
        color="--chart-2"
        format={formatSeconds}
      />
    </div>
  )
}

interface ChartProps {
  title: string
  label: string
  times: number[]
  values: (number | null)[]
  color: string
  format: (value: number) => string
}

function Chart({ title, label, times, values, color, format }: ChartProps) {
  const [pointed, setPointed] = useState<number | null>(null)
  const index = pointed ?? values.length - 1
  const value = values[index]
  const time = times[index]
  return (
    <Card>
      <CardHeader>
        <CardTitle>{title}</CardTitle>
        <p className="flex items-baseline gap-2 tabular-nums">
          <span className="font-semibold">{value == null ? '–' : format(value)}</span>
          <span className="text-muted-foreground text-xs">
            {pointed === null || time === undefined
              ? 'newest'
              : new Date(time * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}
          </span>
        </p>
      </CardHeader>
      <CardContent className="px-2 pt-1 pb-2">
        <LineChart
          label={label}
          times={times}
          series={[{ label: title, values, color }]}
          format={format}
          onPoint={setPointed}
        />
      </CardContent>
    </Card>
  )
}
