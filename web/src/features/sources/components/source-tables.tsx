import { useQuery } from '@tanstack/react-query'
import { Table2 } from 'lucide-react'
import { useState } from 'react'
import { type Column, DataTable } from '@/components/shared/data-table'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { RowsPending } from '@/components/shared/page-pending'
import { SearchInput } from '@/components/shared/search-input'
import { Badge } from '@/components/ui/badge'
import { Card } from '@/components/ui/card'
import { formatBytes, formatCount, plural } from '@/lib/format'
import { sourceTablesQuery } from '@/repo/sources'
import type { SourceTable } from '@/repo/types'

const IDENTITIES = { d: 'its key', f: 'the full row', i: 'an index', n: 'nothing' } as const

type Row = SourceTable & { id: string }

const COLUMNS: Column<Row>[] = [
  {
    id: 'table',
    header: 'Table',
    sortBy: ({ id }) => id,
    className: 'min-w-52 font-medium',
    cell: ({ id }) => <span className="wrap-anywhere">{id}</span>,
  },
  {
    id: 'published',
    header: 'Publication',
    sortBy: ({ in_publication }) => (in_publication ? 0 : 1),
    cell: ({ in_publication }) =>
      in_publication ? <Badge tone="success">published</Badge> : <Badge>not published</Badge>,
  },
  {
    id: 'key',
    header: 'Key',
    cell: ({ key }) =>
      key.length > 0 ? (
        <span className="font-mono text-xs">{key.join(', ')}</span>
      ) : (
        <Badge tone="warning">no key</Badge>
      ),
  },
  { id: 'identity', header: 'Identified by', cell: ({ replica_identity }) => IDENTITIES[replica_identity] },
  {
    id: 'rows',
    header: 'Rows (estimate)',
    sortBy: ({ rows_estimated }) => rows_estimated ?? -1,
    className: 'text-end tabular-nums',
    cell: ({ rows_estimated }) => formatCount(rows_estimated),
  },
  {
    id: 'size',
    header: 'Size',
    sortBy: ({ size_bytes }) => size_bytes,
    className: 'text-end tabular-nums whitespace-nowrap',
    cell: ({ size_bytes }) => formatBytes(size_bytes),
  },
]

export function SourceTables({ sourceId }: { sourceId: number }) {
  const { data, error, refetch } = useQuery(sourceTablesQuery(sourceId))
  const [text, setText] = useState('')
  if (error && !data)
    return <ErrorPanel error={error} title="The tables cannot be shown" onRetry={() => void refetch()} />
  if (!data) {
    return (
      <Card>
        <RowsPending />
      </Card>
    )
  }
  const wanted = text.trim().toLowerCase()
  const rows = data.items
    .map((table) => ({ ...table, id: `${table.schema_name}.${table.table_name}` }))
    .filter(({ id }) => id.toLowerCase().includes(wanted))
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <SearchInput label="Find a table" value={text} onChange={setText} />
        <span className="text-muted-foreground ms-auto text-xs tabular-nums" role="status">
          {plural(rows.length, 'table')}
          {data.total > data.items.length && `, the first of ${formatCount(data.total)}`}
        </span>
      </div>
      <Card>
        {rows.length > 0 ? (
          <DataTable
            label="Tables of the source"
            columns={COLUMNS}
            items={rows}
            initialSort={[{ id: 'table', desc: false }]}
          />
        ) : (
          <EmptyState
            icon={Table2}
            title="No table"
            text={wanted ? 'No table has this name.' : 'This database has no table yet.'}
          />
        )}
      </Card>
    </div>
  )
}
