import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { HardDriveDownload, Plus } from 'lucide-react'
import { type Column, DataTable } from '@/components/shared/data-table'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { PageHeader } from '@/components/shared/page-header'
import { RowsPending } from '@/components/shared/page-pending'
import { Ago } from '@/components/shared/updated-ago'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { useCan } from '@/lib/use-role'
import { destinationsQuery } from '@/repo/destinations'
import type { Destination } from '@/repo/types'
import { placeOf } from '../data/place'

const COLUMNS: Column<Destination>[] = [
  {
    id: 'name',
    header: 'Destination',
    sortBy: ({ name }) => name,
    className: 'min-w-48',
    cell: (destination) => (
      <div className="flex flex-col">
        <Link
          to="/destinations/$destinationId"
          params={{ destinationId: String(destination.id) }}
          className="w-fit rounded-sm font-medium hover:underline"
        >
          {destination.name}
        </Link>
        <span className="text-muted-foreground text-xs wrap-anywhere">{placeOf(destination)}</span>
      </div>
    ),
  },
  {
    id: 'type',
    header: 'Kind',
    sortBy: ({ type }) => type,
    cell: ({ type }) => <Badge tone="outline">{type === 'POSTGRESQL' ? 'PostgreSQL' : 'Snowflake'}</Badge>,
  },
  {
    id: 'changed',
    header: 'Changed',
    sortBy: ({ updated_at }) => updated_at,
    className: 'text-end',
    cell: ({ updated_at }) => <Ago time={updated_at} />,
  },
]

export function DestinationsPage() {
  const { data, error, refetch } = useQuery(destinationsQuery)
  const mayChange = useCan('operator')
  const add = mayChange && (
    <Button asChild size="sm">
      <Link to="/destinations/new">
        <Plus aria-hidden /> Add a destination
      </Link>
    </Button>
  )
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Destinations" description="Where replicated rows are written." actions={add} />
      {error && !data ? (
        <ErrorPanel error={error} title="The destinations cannot be shown" onRetry={() => void refetch()} />
      ) : (
        <Card>
          {!data ? (
            <RowsPending />
          ) : data.items.length === 0 ? (
            <EmptyState
              icon={HardDriveDownload}
              title="No destination yet"
              text="Connect the PostgreSQL database or the Snowflake account that rows go to."
            >
              {add}
            </EmptyState>
          ) : (
            <DataTable
              label="Destinations"
              columns={COLUMNS}
              items={data.items}
              initialSort={[{ id: 'name', desc: false }]}
            />
          )}
        </Card>
      )}
    </div>
  )
}
