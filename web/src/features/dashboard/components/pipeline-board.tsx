import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { ErrorPanel } from '@/components/shared/error-panel'
import { RowsPending } from '@/components/shared/page-pending'
import { StatusBadge } from '@/components/shared/status-badge'
import { Card, CardHeader, CardTitle } from '@/components/ui/card'
import { formatBytes, formatCount, formatSeconds } from '@/lib/format'
import { retainedWalBytes } from '@/lib/retained-wal'
import { pipelinesQuery } from '@/repo/pipelines'

const SHOWN = 8

/** Each pipeline with its destinations, as far as they fit. */
export function PipelineBoard() {
  const { data, error, refetch } = useQuery(pipelinesQuery({ limit: SHOWN }))
  if (error && !data)
    return <ErrorPanel error={error} title="The pipelines cannot be shown" onRetry={() => void refetch()} />
  return (
    <Card>
      <CardHeader className="pb-3">
        <CardTitle>Pipelines</CardTitle>
        <Link to="/pipelines" className="text-primary rounded-sm text-sm font-medium hover:underline">
          {data && data.total > SHOWN ? `All ${formatCount(data.total)}` : 'Open the list'}
        </Link>
      </CardHeader>
      {!data ? (
        <RowsPending rows={3} />
      ) : (
        <ul className="divide-y border-t">
          {data.items.map((pipeline) => (
            <li
              key={pipeline.id}
              className="flex flex-col gap-2 px-5 py-3 md:flex-row md:items-start md:gap-6"
            >
              <div className="min-w-0 md:w-64 md:shrink-0">
                <Link
                  to="/pipelines/$pipelineId"
                  params={{ pipelineId: String(pipeline.id) }}
                  className="rounded-sm font-medium break-words hover:underline"
                >
                  {pipeline.name}
                </Link>
                <p className="text-muted-foreground truncate text-xs">from {pipeline.source.name}</p>
                <p className="text-muted-foreground text-xs">
                  {formatBytes(retainedWalBytes(pipeline))} of WAL retained
                </p>
              </div>
              <ul className="flex min-w-0 flex-1 flex-col gap-1.5">
                {pipeline.destinations.map(({ id, destination, metadata }) => (
                  <li key={id} className="flex flex-wrap items-center gap-x-3 gap-y-1">
                    <StatusBadge status={metadata?.status} />
                    <span className="min-w-0 truncate">{destination.name}</span>
                    <span className="text-muted-foreground ms-auto text-xs tabular-nums">
                      lag {formatSeconds(metadata?.lag_seconds)}
                    </span>
                  </li>
                ))}
                {pipeline.destinations.length === 0 && (
                  <li className="text-muted-foreground">no destination yet</li>
                )}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
