import { useQuery } from '@tanstack/react-query'
import { ChartCard } from '@/components/shared/chart-card'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Skeleton } from '@/components/ui/skeleton'
import { BYTE_STEPS, formatBytes } from '@/lib/format'
import { walHistoryQuery } from '@/repo/dashboard'
import { walSeries } from '../data/wal-series'

/** What slots made the source keep, and where that leads. */
export default function WalChart({ sourceId, growth }: { sourceId: number; growth: number | null }) {
  const { data, error, refetch } = useQuery(walHistoryQuery(sourceId))
  if (error && !data)
    return <ErrorPanel error={error} title="The history cannot be shown" onRetry={() => void refetch()} />
  if (!data) return <Skeleton className="h-64" />
  const { times, retained, forecast } = walSeries(data, growth)
  if (times.length < 2) return null
  return (
    <ChartCard
      title="Retained by the largest slot, and its forecast"
      label="Retained WAL over time, with a forecast"
      times={times}
      series={[
        { label: 'Retained', values: retained, color: '--chart-1' },
        { label: 'Forecast', values: forecast, color: '--chart-2', dashed: true },
      ]}
      format={formatBytes}
      steps={BYTE_STEPS}
    />
  )
}
