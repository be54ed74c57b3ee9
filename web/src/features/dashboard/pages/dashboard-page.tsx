import { useQuery } from '@tanstack/react-query'
import { Suspense, lazy } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { PageHeader } from '@/components/shared/page-header'
import { PagePending } from '@/components/shared/page-pending'
import { ProblemList } from '@/components/shared/problem-list'
import { type RangeName, RangePicker, rangeOf } from '@/components/shared/range-picker'
import { UpdatedAgo } from '@/components/shared/updated-ago'
import { Skeleton } from '@/components/ui/skeleton'
import { flowSeries } from '@/lib/series'
import { useCan } from '@/lib/use-role'
import { flowQuery, summaryQuery } from '@/repo/dashboard'
import { Checklist } from '../components/checklist'
import { Figures } from '../components/figures'
import { PipelineBoard } from '../components/pipeline-board'

const FlowCharts = lazy(() => import('@/components/shared/flow-charts'))

interface DashboardPageProps {
  range: RangeName
  onRange: (range: RangeName) => void
}

/** Problems first, then what flows. */
export function DashboardPage({ range, onRange }: DashboardPageProps) {
  const { data: summary, error, refetch, dataUpdatedAt } = useQuery(summaryQuery)
  const mayChange = useCan('operator')
  if (!summary) {
    if (!error) return <PagePending />
    return <ErrorPanel error={error} title="The dashboard cannot be shown" onRetry={() => void refetch()} />
  }
  const started = summary.sources > 0 && summary.destinations > 0 && summary.pipelines > 0
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Dashboard" actions={<UpdatedAgo at={dataUpdatedAt} />} />
      {summary.problems.length > 0 && <ProblemList problems={summary.problems} />}
      {started ? (
        <>
          <Figures summary={summary} />
          <Charts range={range} onRange={onRange} />
          <PipelineBoard />
        </>
      ) : (
        <Checklist summary={summary} mayChange={mayChange} />
      )}
    </div>
  )
}

function Charts({ range, onRange }: DashboardPageProps) {
  const { minutes, step } = rangeOf(range)
  const { data, error, refetch, dataUpdatedAt } = useQuery(flowQuery(minutes, step))
  return (
    <section aria-label="Flow" className="flex flex-col gap-3">
      <div className="flex items-center justify-between">
        <h2 className="text-base font-semibold tracking-tight">Flow</h2>
        <RangePicker value={range} onChange={onRange} />
      </div>
      {error && !data ? (
        <ErrorPanel error={error} title="The charts cannot be shown" onRetry={() => void refetch()} />
      ) : !data ? (
        <Skeleton className="h-72" />
      ) : (
        <Suspense fallback={<Skeleton className="h-72" />}>
          <FlowCharts series={flowSeries(data.points, data.minutes, data.step_minutes, dataUpdatedAt)} />
        </Suspense>
      )}
    </section>
  )
}
