import { type Column, DataTable } from '@/components/shared/data-table'
import { StatusBadge } from '@/components/shared/status-badge'
import { Badge } from '@/components/ui/badge'
import { Card, CardHeader, CardTitle } from '@/components/ui/card'
import { formatCount, plural } from '@/lib/format'
import type { VerifiedTable, VerifyReport } from '@/repo/verifications'

type Row = VerifiedTable & { id: string }

const RANK = { DIFFERENT: 0, NOT_COMPARED: 1, EQUAL: 2 }

const COLUMNS: Column<Row>[] = [
  {
    id: 'table',
    header: 'Table',
    sortBy: ({ source }) => source,
    className: 'min-w-48',
    cell: ({ source, target, reason, missing_columns }) => (
      <div className="flex flex-col gap-0.5">
        <span className="font-medium wrap-anywhere">
          {source === target ? source : `${source} → ${target}`}
        </span>
        {reason && <span className="text-muted-foreground text-xs break-words">{reason}</span>}
        {missing_columns.length > 0 && (
          <span className="text-muted-foreground text-xs break-words">
            The target lacks {missing_columns.join(', ')}.
          </span>
        )}
      </div>
    ),
  },
  {
    id: 'outcome',
    header: 'Outcome',
    sortBy: ({ outcome }) => RANK[outcome],
    cell: ({ outcome, resync_asked }) => (
      <span className="flex flex-wrap gap-1.5">
        <StatusBadge status={outcome} />
        {resync_asked && <Badge tone="info">resync asked for</Badge>}
      </span>
    ),
  },
  {
    id: 'source',
    header: 'Rows at the source',
    sortBy: ({ source_rows }) => source_rows,
    className: 'text-end tabular-nums',
    cell: ({ source_rows }) => formatCount(source_rows),
  },
  {
    id: 'target',
    header: 'At the target',
    sortBy: ({ target_rows }) => target_rows,
    className: 'text-end tabular-nums',
    cell: ({ target_rows }) => formatCount(target_rows),
  },
  {
    id: 'differences',
    header: 'Differences',
    sortBy: ({ difference_count }) => difference_count,
    className: 'text-end',
    cell: ({ difference_count, missing, extra, changed, truncated, unsettled }) => (
      <div className="flex flex-col items-end tabular-nums">
        <span>
          {formatCount(difference_count)}
          {truncated && ' or more'}
        </span>
        {difference_count > 0 && (
          <span className="text-muted-foreground text-xs">
            {formatCount(missing)} missing, {formatCount(extra)} extra, {formatCount(changed)} changed
          </span>
        )}
        {unsettled > 0 && (
          <span className="text-muted-foreground text-xs">{plural(unsettled, 'row')} kept changing</span>
        )}
      </div>
    ),
  },
]

/** One destination's tables, those that differ first. */
export function VerifiedTables({ compared }: { compared: VerifyReport['destinations'][number] }) {
  return (
    <Card>
      <CardHeader className="pb-3">
        <CardTitle>{compared.destination}</CardTitle>
        <StatusBadge status={compared.outcome} />
      </CardHeader>
      {compared.reason && <p className="border-t px-5 py-3 break-words">{compared.reason}</p>}
      {compared.parked_changes > 0 && (
        <p className="text-muted-foreground border-t px-5 py-3">
          {plural(compared.parked_changes, 'change')} in the dead letter queue may explain differences.
        </p>
      )}
      {compared.tables.length > 0 && (
        <DataTable
          label={`Tables of ${compared.destination}`}
          columns={COLUMNS}
          items={compared.tables
            .map((table) => ({ ...table, id: `${table.source}/${table.target}` }))
            .sort((one, other) => one.id.localeCompare(other.id))}
          initialSort={[{ id: 'outcome', desc: false }]}
        />
      )}
    </Card>
  )
}
