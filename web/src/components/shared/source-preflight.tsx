import { useMutation, useQuery } from '@tanstack/react-query'
import { ErrorPanel } from '@/components/shared/error-panel'
import { RowsPending } from '@/components/shared/page-pending'
import { PreflightList } from '@/components/shared/preflight-list'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { createPublication, preflightQuery } from '@/repo/sources'

const MADE_HERE = new Set(['PUBLICATION_MISSING', 'PUBLICATION_EMPTY'])

/** What stands in the way of replication from this source. */
export function SourcePreflight({ sourceId }: { sourceId: number }) {
  const { data, error, refetch, isFetching } = useQuery(preflightQuery(sourceId))
  const mayChange = useCan('operator')
  const publishing = useMutation({
    ...createPublication,
    onSuccess: ({ name, tables, skipped }) => {
      const left =
        skipped.length > 0
          ? ` ${plural(skipped.length, 'table')} were left out: publishing them would stop their updates.`
          : ''
      told(`Publication ${name} has ${plural(tables.length, 'table')}.${left}`)
    },
    onError: (failure) => toldError('The publication was not made', failure),
  })
  if (error && !data)
    return <ErrorPanel error={error} title="The source cannot be checked" onRetry={() => void refetch()} />
  if (!data) {
    return (
      <Card>
        <RowsPending rows={4} />
      </Card>
    )
  }
  const missing = data.findings.some(({ code }) => MADE_HERE.has(code))
  return (
    <Card className="gap-4 p-5">
      <PreflightList preflight={data} onRecheck={() => void refetch()} rechecking={isFetching} />
      {mayChange && missing && (
        <div className="bg-muted/50 flex flex-wrap items-center justify-between gap-3 rounded-lg border p-4">
          <p className="max-w-lg">
            Rosetta can make the publication, with every table whose updates and deletes can be published.
          </p>
          <Button
            pending={publishing.isPending}
            onClick={() => publishing.mutate({ id: sourceId, tables: [] })}
          >
            Make the publication
          </Button>
        </div>
      )}
    </Card>
  )
}
