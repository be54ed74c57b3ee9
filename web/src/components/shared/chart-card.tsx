import { useState } from 'react'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { LineChart, type Series } from './line-chart'

interface ChartCardProps {
  title: string
  label: string
  times: number[]
  /** The first one's value is shown beside the title: the newest, or the one that is pointed at. */
  series: Series[]
  format: (value: number) => string
  steps?: number[]
}

export function ChartCard({ title, label, times, series, format, steps }: ChartCardProps) {
  const [pointed, setPointed] = useState<number | null>(null)
  const values = series[0]?.values ?? []
  const index = pointed ?? values.findLastIndex((value) => value != null)
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
          series={series}
          format={format}
          steps={steps}
          onPoint={setPointed}
        />
      </CardContent>
    </Card>
  )
}
