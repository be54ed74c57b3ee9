import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Checkbox } from '@/components/ui/checkbox'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatBytes, formatCount } from '@/lib/format'
import type { ParkedRecord } from '@/repo/types'

interface ParkedTableProps {
  records: readonly ParkedRecord[]
  picked: ReadonlySet<number>
  onPick: (picked: ReadonlySet<number>) => void
  onInspect: (id: number) => void
}

export function ParkedTable({ records, picked, onPick, onInspect }: ParkedTableProps) {
  const every = records.every(({ id }) => picked.has(id))
  const toggle = (id: number, on: boolean) => {
    const next = new Set(picked)
    if (on) next.add(id)
    else next.delete(id)
    onPick(next)
  }
  return (
    <Table aria-label="Parked records">
      <TableHeader>
        <TableHead className="w-10 pe-0">
          <Checkbox
            aria-label="Pick every record of this page"
            checked={every ? true : picked.size > 0 ? 'indeterminate' : false}
            onCheckedChange={(on) => onPick(new Set(on === true ? records.map(({ id }) => id) : []))}
          />
        </TableHead>
        <TableHead>Table</TableHead>
        <TableHead>State</TableHead>
        <TableHead>Why</TableHead>
        <TableHead className="text-end">Attempts</TableHead>
        <TableHead className="text-end">Parked</TableHead>
        <TableHead>
          <span className="sr-only">Actions</span>
        </TableHead>
      </TableHeader>
      <TableBody>
        {records.map((record) => (
          <TableRow key={record.id}>
            <TableCell className="pe-0 align-top">
              <Checkbox
                aria-label={`Pick record ${record.id}`}
                checked={picked.has(record.id)}
                onCheckedChange={(on) => toggle(record.id, on === true)}
              />
            </TableCell>
            <TableCell className="align-top">
              <div className="flex flex-col">
                <span className="font-medium whitespace-nowrap">
                  {record.schema_name}.{record.table_name}
                </span>
                <span className="text-muted-foreground text-xs whitespace-nowrap">
                  {record.kind === 'RECORD'
                    ? (record.operation ?? 'change').toLowerCase()
                    : `${formatCount(record.row_count)} changes, ${formatBytes(record.payload_bytes)}`}
                </span>
              </div>
            </TableCell>
            <TableCell className="align-top">
              <StatusBadge status={record.state} label={record.waits_behind ? 'Waits its turn' : undefined} />
            </TableCell>
            <TableCell className="min-w-64 align-top">
              <div className="flex max-w-lg flex-col gap-0.5">
                <span className="line-clamp-2 break-words">{record.error_message}</span>
                {record.error_code && (
                  <code className="text-muted-foreground text-xs">{record.error_code}</code>
                )}
              </div>
            </TableCell>
            <TableCell className="text-end align-top tabular-nums">{formatCount(record.attempts)}</TableCell>
            <TableCell className="text-end align-top">
              <Ago time={record.created_at} />
            </TableCell>
            <TableCell className="py-1.5 text-end align-top">
              <Button
                size="sm"
                variant="ghost"
                onClick={() => onInspect(record.id)}
                aria-label={`Inspect record ${record.id}`}
              >
                Inspect
              </Button>
            </TableCell>
          </TableRow>
        ))}
      </TableBody>
    </Table>
  )
}
