import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Workflow } from 'lucide-react'
import { Card } from '@/components/ui/card'
import { type PipelineFilter, pipelinesQuery } from '@/repo/pipelines'
import { EmptyState } from './empty-state'
import { ErrorPanel } from './error-panel'
import { RowsPending } from './page-pending'
import { DesiredBadge } from './status-badge'

/** The pipelines that stand on a source or a destination. */
export function UsedBy({ filter, empty }: { filter: PipelineFilter; empty: string }) {
  const { data, error, refetch } = useQuery(pipelinesQuery(filter))
  if (error && !data)
    return <ErrorPanel error={error} title="The pipelines cannot be shown" onRetry={() => void refetch()} />
  return (
    <Card>
      {!data ? (
        <RowsPending rows={2} />
      ) : data.items.length === 0 ? (
        <EmptyState icon={Workflow} title="No pipeline uses it" text={empty} />
      ) : (
        <ul className="divide-y">
          {data.items.map(({ id, name, status }) => (
            <li key={id} className="flex items-center justify-between gap-3 px-5 py-3">
              <Link
                to="/pipelines/$pipelineId"
                params={{ pipelineId: String(id) }}
                className="rounded-sm font-medium break-words hover:underline"
              >
                {name}
              </Link>
              <DesiredBadge status={status} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
