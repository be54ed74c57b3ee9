import { useQuery } from '@tanstack/react-query'
import { ErrorPanel } from '@/components/shared/error-panel'
import { RowsPending } from '@/components/shared/page-pending'
import { PreflightList } from '@/components/shared/preflight-list'
import { Card } from '@/components/ui/card'
import { destinationPreflightQuery } from '@/repo/destinations'

/** What stands in the way of writing there. */
export function DestinationPreflight({ destinationId }: { destinationId: number }) {
  const { data, error, refetch, isFetching } = useQuery(destinationPreflightQuery(destinationId))
  if (error && !data)
    return (
      <ErrorPanel error={error} title="The destination cannot be checked" onRetry={() => void refetch()} />
    )
  return (
    <Card className={data && 'p-5'}>
      {data ? (
        <PreflightList preflight={data} onRecheck={() => void refetch()} rechecking={isFetching} />
      ) : (
        <RowsPending rows={3} />
      )}
    </Card>
  )
}
