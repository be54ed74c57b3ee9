import { useQuery } from '@tanstack/react-query'
import { ErrorPanel } from '@/components/shared/error-panel'
import { FlowSection } from '@/components/shared/flow-section'
import { PageHeader } from '@/components/shared/page-header'
import { PagePending } from '@/components/shared/page-pending'
import { ProblemList } from '@/components/shared/problem-list'
import { type RangeName, rangeOf } from '@/components/shared/range-picker'
import { UpdatedAgo } from '@/components/shared/updated-ago'
import { useCan } from '@/lib/use-role'
import { flowQuery, summaryQuery } from '@/repo/dashboard'
import { Checklist } from '../components/checklist'
import { Figures } from '../components/figures'
import { PipelineBoard } from '../components/pipeline-board'

interface DashboardPageProps {
  range: RangeName
  onRange: (range: RangeName) => void
}

/** Problems first, then what flows. */
export function DashboardPage({ range, onRange }: DashboardPageProps) {
  const { data: summary, error, refetch, dataUpdatedAt } = useQuery(summaryQuery)
  const mayChange = useCan('operator')
  const { minutes, step } = rangeOf(range)
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
          <FlowSection range={range} onRange={onRange} query={flowQuery(minutes, step)} />
          <PipelineBoard />
        </>
      ) : (
        <Checklist summary={summary} mayChange={mayChange} />
      )}
    </div>
  )
}
