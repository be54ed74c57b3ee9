import { Link } from '@tanstack/react-router'
import { type Column, DataTable } from '@/components/shared/data-table'
import { DesiredBadge, StatusBadge } from '@/components/shared/status-badge'
import { Badge } from '@/components/ui/badge'
import { formatBytes, formatCount, formatSeconds } from '@/lib/format'
import { retainedWalBytes } from '@/lib/retained-wal'
import type { Pipeline } from '@/repo/types'
import { observedStatus, parkedChanges, tableCount, worstLagSeconds } from '../data/pipeline-facts'

const COLUMNS: Column<Pipeline>[] = [
  {
    id: 'name',
    header: 'Pipeline',
    sortBy: ({ name }) => name,
    className: 'min-w-48',
    cell: ({ id, name, source }) => (
      <div className="flex flex-col">
        <Link
          to="/pipelines/$pipelineId"
          params={{ pipelineId: String(id) }}
          className="focus-visible:ring-ring w-fit rounded-sm font-medium outline-none hover:underline focus-visible:ring-2"
        >
          {name}
        </Link>
        <span className="text-muted-foreground text-xs">from {source.name}</span>
      </div>
    ),
  },
  {
    id: 'observed',
    header: 'State',
    sortBy: (pipeline) => observedStatus(pipeline) ?? '',
    cell: (pipeline) => (
      <div className="flex flex-wrap gap-1.5">
        <StatusBadge status={observedStatus(pipeline)} />
        <DesiredBadge status={pipeline.status} />
      </div>
    ),
  },
  {
    id: 'destinations',
    header: 'Destinations',
    cell: ({ destinations }) =>
      destinations.length === 0 ? (
        <span className="text-muted-foreground">none</span>
      ) : (
        <ul className="flex flex-wrap gap-1.5">
          {destinations.map(({ id, destination }) => (
            <li key={id}>
              <Badge>{destination.name}</Badge>
            </li>
          ))}
        </ul>
      ),
  },
  {
    id: 'tables',
    header: 'Tables',
    sortBy: tableCount,
    className: 'text-end tabular-nums',
    cell: (pipeline) => formatCount(tableCount(pipeline)),
  },
  {
    id: 'lag',
    header: 'Lag',
    sortBy: (pipeline) => worstLagSeconds(pipeline) ?? -1,
    className: 'text-end tabular-nums whitespace-nowrap',
    cell: (pipeline) => formatSeconds(worstLagSeconds(pipeline)),
  },
  {
    id: 'wal',
    header: 'Retained WAL',
    sortBy: (pipeline) => retainedWalBytes(pipeline) ?? -1,
    className: 'text-end tabular-nums whitespace-nowrap',
    cell: (pipeline) => formatBytes(retainedWalBytes(pipeline)),
  },
  {
    id: 'parked',
    header: 'Parked',
    sortBy: parkedChanges,
    className: 'text-end tabular-nums',
    cell: (pipeline) => formatCount(parkedChanges(pipeline)),
  },
]

export function PipelineTable({ pipelines }: { pipelines: readonly Pipeline[] }) {
  return (
    <DataTable
      label="Pipelines"
      columns={COLUMNS}
      items={pipelines}
      initialSort={[{ id: 'name', desc: false }]}
    />
  )
}
