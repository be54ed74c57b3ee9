import { useMutation, useQuery } from '@tanstack/react-query'
import { RotateCcw } from 'lucide-react'
import { Loaded } from '@/components/shared/loaded'
import { StatusBadge } from '@/components/shared/status-badge'
import { Button } from '@/components/ui/button'
import { Dialog, SheetContent } from '@/components/ui/dialog'
import { formatCount, formatTime, plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { type Lane, parkedRecordQuery, recoverParked } from '@/repo/dead-letters'
import type { ParkedDetail } from '@/repo/types'
import { ChangeEditor } from './change-editor'

interface RecordInspectorProps {
  lane: Lane
  id: number | null
  onClose: () => void
}

export function RecordInspector({ lane, id, onClose }: RecordInspectorProps) {
  const query = useQuery({ ...parkedRecordQuery(lane, id ?? 0), enabled: id !== null })
  const { data } = query
  return (
    <Dialog open={id !== null} onOpenChange={onClose}>
      <SheetContent title={data ? `${data.schema_name}.${data.table_name}` : 'Parked record'}>
        <Loaded query={query} title="The record cannot be shown" className="m-5">
          {(record) => <Record key={record.id} lane={lane} record={record} />}
        </Loaded>
      </SheetContent>
    </Dialog>
  )
}

function Record({ lane, record }: { lane: Lane; record: ParkedDetail }) {
  const mayChange = useCan('operator')
  const open = record.state === 'PARKED' || record.state === 'RETRYING'
  const recovering = useMutation({
    ...recoverParked,
    onSuccess: () => told('The record will be tried again now.'),
    onError: (error) => toldError('The record was not asked for', error),
  })
  const facts = [
    ['Kind', record.kind === 'RECORD' ? 'one change' : `${plural(record.row_count, 'change')} of one batch`],
    ['Committed', formatTime(record.commit_time)],
    ['Commit LSN', record.commit_lsn ?? '–'],
    ['Attempts', formatCount(record.attempts)],
    ['Last attempt', formatTime(record.last_attempt_at)],
    ['Next attempt', record.next_attempt_at ? formatTime(record.next_attempt_at) : 'only when asked for'],
    ['Waits for', plural(record.ahead.count, 'older record')],
    ['Waited for by', plural(record.behind.count, 'newer record')],
  ]
  return (
    <div className="flex flex-col gap-5 p-5">
      <div className="flex flex-wrap items-center gap-2">
        <StatusBadge status={record.state} />
        {mayChange && open && (
          <Button
            size="sm"
            variant="outline"
            className="ms-auto"
            pending={recovering.isPending}
            onClick={() => recovering.mutate({ lane, selection: { ids: [record.id] } })}
          >
            {!recovering.isPending && <RotateCcw aria-hidden />} Retry as it is
          </Button>
        )}
      </div>
      <div className="border-warning/50 flex flex-col gap-1 border-s-2 ps-3">
        <p className="break-words">{record.error_message}</p>
        {record.error_code && <code className="text-muted-foreground text-xs">{record.error_code}</code>}
      </div>
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-4">
        {facts.map(([name, value]) => (
          <div key={name} className="flex flex-col gap-0.5">
            <dt className="text-muted-foreground text-xs">{name}</dt>
            <dd className="break-words tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
      {record.truncates && <p>The source emptied the table.</p>}
      {record.discard_reason && (
        <p>
          Discarded: <q>{record.discard_reason}</q>
        </p>
      )}
      {!open && <p className="text-muted-foreground">What this record held was forgotten with its end.</p>}
      {record.changes.map((change, place) => (
        <ChangeEditor
          key={place}
          lane={lane}
          record={record}
          change={change}
          place={place}
          editable={mayChange && open}
        />
      ))}
      {record.row_count > record.changes.length && record.changes.length > 0 && (
        <p className="text-muted-foreground">
          The first {formatCount(record.changes.length)} of {formatCount(record.row_count)} changes are shown.
        </p>
      )}
    </div>
  )
}
