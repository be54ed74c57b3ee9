import { type UseQueryOptions, useQuery } from '@tanstack/react-query'
import { lazy } from 'react'
import { Skeleton } from '@/components/ui/skeleton'
import { flowSeries } from '@/lib/series'
import type { ApiError } from '@/repo/api-error'
import type { Flow, PipelineFlow } from '@/repo/types'
import { ErrorPanel } from './error-panel'
import { LazyPart } from './lazy-part'
import { type RangeName, RangePicker } from './range-picker'

const FlowCharts = lazy(() => import('./flow-charts'))

interface FlowSectionProps<Answer extends Flow | PipelineFlow> {
  range: RangeName
  onRange: (range: RangeName) => void
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- whichever key the query has
  query: UseQueryOptions<Answer, ApiError, Answer, any>
}

/** Throughput and lag over a time that can be chosen. */
export function FlowSection<Answer extends Flow | PipelineFlow>({
  range,
  onRange,
  query,
}: FlowSectionProps<Answer>) {
  const { data, error, refetch, dataUpdatedAt } = useQuery(query)
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
        <LazyPart pending={<Skeleton className="h-72" />}>
          <FlowCharts series={flowSeries(data.points, data.minutes, data.step_minutes, dataUpdatedAt)} />
        </LazyPart>
      )}
    </section>
  )
}
