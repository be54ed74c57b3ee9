import { useQuery } from '@tanstack/react-query'
import { Table2 } from 'lucide-react'
import { useMemo, useState } from 'react'
import { type Column, DataTable } from '@/components/shared/data-table'
import { EmptyState } from '@/components/shared/empty-state'
import { SearchInput } from '@/components/shared/search-input'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { formatCount, formatSeconds, humanize, plural } from '@/lib/format'
import { pipelineFlowQuery } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { LAG_MINUTES, type TableRow, filterTables, tableRows } from '../data/pipeline-facts'
import { DestinationSelect } from './destination-select'
import { TableActions } from './table-actions'

const STATES = ['PENDING', 'COPYING', 'STREAMING', 'PAUSED', 'RESYNC', 'ERROR']

function CopiedRows({ row }: { row: TableRow }) {
  const known =
    row.rows_estimated && row.state === 'COPYING'
      ? Math.min(100, (row.rows_copied / row.rows_estimated) * 100)
      : null
  return (
    <div className="flex flex-col items-end gap-1">
      <span>{formatCount(row.rows_copied)}</span>
      {known !== null && (
        <progress
          className="accent-primary h-1 w-20"
          value={known}
          max={100}
          aria-label={`Copy of ${row.source}`}
        >
          {Math.round(known)} %
        </progress>
      )}
    </div>
  )
}

function columnsOf(pipeline: Pipeline): Column<TableRow>[] {
  return [
    {
      id: 'table',
      header: 'Table',
      sortBy: ({ source }) => source,
      className: 'min-w-52 align-top',
      cell: (row) => (
        <div className="flex flex-col gap-0.5">
          <span className="font-medium wrap-anywhere">{row.source}</span>
          <span className="text-muted-foreground text-xs wrap-anywhere">
            to {row.destinationName}, {row.target}
            {row.mode === 'append' ? ', every change kept' : ''}
          </span>
          {row.tags.length > 0 && (
            <span className="flex flex-wrap gap-1 pt-0.5">
              {row.tags.map((tag) => (
                <Badge key={tag}>{tag}</Badge>
              ))}
            </span>
          )}
          {row.error_message && (
            <div className="border-destructive/40 mt-1 flex max-w-xl flex-col gap-0.5 border-s-2 ps-2 text-xs">
              <span className="text-destructive break-words">{row.error_message}</span>
              {row.error_remedy && (
                <span className="text-muted-foreground break-words">{row.error_remedy}</span>
              )}
              {row.error_code && <code className="text-muted-foreground">{row.error_code}</code>}
            </div>
          )}
        </div>
      ),
    },
    {
      id: 'state',
      header: 'State',
      sortBy: ({ state }) => state,
      className: 'align-top',
      cell: ({ state }) => <StatusBadge status={state} />,
    },
    {
      id: 'copied',
      header: 'Copied',
      sortBy: ({ rows_copied }) => rows_copied,
      className: 'align-top text-end tabular-nums',
      cell: (row) => <CopiedRows row={row} />,
    },
    {
      id: 'applied',
      header: 'Changes',
      sortBy: ({ rows_applied }) => rows_applied,
      className: 'align-top text-end tabular-nums',
      cell: ({ rows_applied }) => formatCount(rows_applied),
    },
    {
      id: 'lag',
      header: `Lag, ${LAG_MINUTES} min`,
      sortBy: ({ lagSeconds }) => lagSeconds ?? -1,
      className: 'align-top text-end tabular-nums whitespace-nowrap',
      cell: ({ lagSeconds }) => formatSeconds(lagSeconds),
    },
    {
      id: 'last',
      header: 'Last change',
      sortBy: ({ last_applied_at }) => last_applied_at ?? '',
      className: 'align-top text-end',
      cell: ({ last_applied_at }) => <Ago time={last_applied_at} />,
    },
    {
      id: 'actions',
      header: 'Actions',
      hideHeader: true,
      className: 'align-top w-12 py-1.5 text-end',
      cell: (row) => <TableActions pipeline={pipeline} row={row} />,
    },
  ]
}

export function TablesTab({ pipeline }: { pipeline: Pipeline }) {
  const [text, setText] = useState('')
  const [state, setState] = useState('all')
  const [destinationId, setDestinationId] = useState<number | null>(null)
  const [tag, setTag] = useState('all')
  const measured = useQuery(pipelineFlowQuery(pipeline.id, LAG_MINUTES, LAG_MINUTES)).data?.points
  const rows = useMemo(() => tableRows(pipeline, measured), [pipeline, measured])
  const tags = useMemo(() => [...new Set(rows.flatMap((row) => row.tags))].sort(), [rows])
  const shown = useMemo(
    () =>
      filterTables(rows, {
        text,
        state,
        tag,
        destinationId,
      }),
    [rows, text, state, tag, destinationId],
  )
  const columns = useMemo(() => columnsOf(pipeline), [pipeline])
  if (rows.length === 0) {
    return (
      <Card>
        <EmptyState
          icon={Table2}
          title="No table yet"
          text="Tables appear here as soon as the pipeline has started and found them in the publication."
        />
      </Card>
    )
  }
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <SearchInput label="Find a table" value={text} onChange={setText} />
        <Select
          aria-label="State"
          className="w-36"
          value={state}
          onValueChange={setState}
          options={[
            { value: 'all', label: 'Every state' },
            ...STATES.map((value) => ({ value, label: humanize(value) })),
          ]}
        />
        <DestinationSelect
          pipeline={pipeline}
          className="w-44"
          value={destinationId}
          onChange={setDestinationId}
        />
        {(tags.length > 0 || tag !== 'all') && (
          <Select
            aria-label="Tag"
            className="w-36"
            value={tag}
            onValueChange={setTag}
            options={[
              { value: 'all', label: 'Every tag' },
              ...[...new Set([...tags, ...(tag === 'all' ? [] : [tag])])].map((value) => ({
                value,
                label: value,
              })),
            ]}
          />
        )}
        <span className="text-muted-foreground ms-auto text-xs tabular-nums" role="status">
          {shown.length === rows.length
            ? plural(rows.length, 'table')
            : `${formatCount(shown.length)} of ${plural(rows.length, 'table')}`}
        </span>
      </div>
      <Card>
        {shown.length > 0 ? (
          <DataTable
            label="Tables"
            columns={columns}
            items={shown}
            initialSort={[{ id: 'table', desc: false }]}
          />
        ) : (
          <EmptyState
            icon={Table2}
            title="Nothing fits"
            text="No table has this name, state, destination and tag."
          >
            <Button
              variant="outline"
              onClick={() => {
                setText('')
                setState('all')
                setDestinationId(null)
                setTag('all')
              }}
            >
              Show all
            </Button>
          </EmptyState>
        )}
      </Card>
    </div>
  )
}
