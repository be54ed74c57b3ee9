import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Database, Plus } from 'lucide-react'
import { type Column, DataTable } from '@/components/shared/data-table'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { PageHeader } from '@/components/shared/page-header'
import { RowsPending } from '@/components/shared/page-pending'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { formatBytes, formatServerVersion } from '@/lib/format'
import { useCan } from '@/lib/use-role'
import { walMonitorQuery } from '@/repo/dashboard'
import { sourcesQuery } from '@/repo/sources'
import type { Source, WalMonitor } from '@/repo/types'

type Watched = Source & { wal: WalMonitor | undefined }

const COLUMNS: Column<Watched>[] = [
  {
    id: 'name',
    header: 'Source',
    sortBy: ({ name }) => name,
    className: 'min-w-48',
    cell: ({ id, name, pg_host, pg_port, pg_database }) => (
      <div className="flex flex-col">
        <Link
          to="/sources/$sourceId"
          params={{ sourceId: String(id) }}
          className="w-fit rounded-sm font-medium hover:underline"
        >
          {name}
        </Link>
        <span className="text-muted-foreground text-xs wrap-anywhere">
          {pg_host}:{pg_port}/{pg_database}
        </span>
      </div>
    ),
  },
  {
    id: 'publication',
    header: 'Publication',
    sortBy: ({ publication_name }) => publication_name,
    cell: ({ publication_name }) => publication_name,
  },
  {
    id: 'version',
    header: 'PostgreSQL',
    sortBy: ({ server_version }) => server_version ?? 0,
    cell: ({ server_version }) => formatServerVersion(server_version),
  },
  { id: 'wal', header: 'WAL', cell: ({ wal }) => <StatusBadge status={wal?.status} /> },
  {
    id: 'retained',
    header: 'Retained',
    sortBy: ({ wal }) => wal?.retained_bytes ?? -1,
    className: 'text-end tabular-nums whitespace-nowrap',
    cell: ({ wal }) => formatBytes(wal?.retained_bytes),
  },
  {
    id: 'checked',
    header: 'Checked',
    className: 'text-end',
    cell: ({ wal }) => <Ago time={wal?.checked_at} />,
  },
]

export function SourcesPage() {
  const { data, error, refetch } = useQuery(sourcesQuery)
  const { data: monitors } = useQuery(walMonitorQuery)
  const mayChange = useCan('operator')
  const add = mayChange && (
    <Button asChild size="sm">
      <Link to="/sources/new">
        <Plus aria-hidden /> Add a source
      </Link>
    </Button>
  )
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        title="Sources"
        description="PostgreSQL databases whose changes are replicated."
        actions={add}
      />
      {error && !data ? (
        <ErrorPanel error={error} title="The sources cannot be shown" onRetry={() => void refetch()} />
      ) : (
        <Card>
          {!data ? (
            <RowsPending />
          ) : data.items.length === 0 ? (
            <EmptyState
              icon={Database}
              title="No source yet"
              text="Connect the PostgreSQL database whose changes you want elsewhere."
            >
              {add}
            </EmptyState>
          ) : (
            <DataTable
              label="Sources"
              columns={COLUMNS}
              items={data.items.map((source) => ({
                ...source,
                wal: monitors?.find(({ source_id }) => source_id === source.id),
              }))}
              initialSort={[{ id: 'name', desc: false }]}
            />
          )}
        </Card>
      )}
    </div>
  )
}
