import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Textarea } from '@/components/ui/input'
import { cn } from '@/lib/cn'
import { told } from '@/lib/notify'
import { type Lane, editParked } from '@/repo/dead-letters'
import type { ParkedDetail } from '@/repo/types'
import { type Draft, changedValues } from '../data/edited-values'

interface ChangeEditorProps {
  lane: Lane
  record: ParkedDetail
  change: ParkedDetail['changes'][number]
  place: number
  editable: boolean
}

/** One change, column by column. What was edited stands beside what was there, before it is saved. */
export function ChangeEditor({ lane, record, change, place, editable }: ChangeEditorProps) {
  const [draft, setDraft] = useState<Draft>({})
  const saving = useMutation({
    ...editParked,
    onSuccess: () => {
      setDraft({})
      told('Saved. The record will be tried again now.')
    },
  })
  const values = change.values
  const edited = values ? changedValues(values, draft) : {}
  const count = Object.keys(edited).length
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (count > 0) saving.mutate({ lane, id: record.id, change: place, values: edited })
  }
  return (
    <form onSubmit={submit} className="overflow-hidden rounded-lg border">
      <div className="bg-muted/50 flex items-center gap-2 border-b px-3 py-2">
        <Badge tone="outline">{change.operation}</Badge>
        <span className="text-muted-foreground truncate font-mono text-xs">{change.lsn}</span>
      </div>
      {values === null ? (
        <p className="text-muted-foreground p-3">Values are shown to operators and admins.</p>
      ) : (
        <dl className="divide-y">
          {Object.entries(values).map(([column, value]) => (
            <Value
              key={column}
              id={`value-${record.id}-${place}-${column}`}
              column={column}
              value={value}
              draft={draft[column]}
              editable={editable && !record.key_columns.includes(column) && change.operation !== 'DELETE'}
              isKey={record.key_columns.includes(column)}
              onDraft={(next) => setDraft((old) => ({ ...old, [column]: next }))}
            />
          ))}
        </dl>
      )}
      {change.unchanged.length > 0 && (
        <p className="text-muted-foreground border-t px-3 py-2 text-xs">
          Not sent by the source, because unchanged: {change.unchanged.join(', ')}
        </p>
      )}
      {saving.isError && <ErrorPanel className="m-3" error={saving.error} title="This was not saved" />}
      {count > 0 && (
        <div className="bg-muted/50 flex justify-end gap-2 border-t p-3">
          <Button size="sm" variant="outline" onClick={() => setDraft({})}>
            Undo
          </Button>
          <Button size="sm" type="submit" pending={saving.isPending}>
            Save and retry
          </Button>
        </div>
      )}
    </form>
  )
}

interface ValueProps {
  id: string
  column: string
  value: string | null
  draft: string | null | undefined
  editable: boolean
  isKey: boolean
  onDraft: (value: string | null | undefined) => void
}

function Value({ id, column, value, draft, editable, isKey, onDraft }: ValueProps) {
  const changed = draft !== undefined && draft !== value
  return (
    <div className={cn('grid gap-x-3 gap-y-1 px-3 py-2 sm:grid-cols-[11rem_1fr]', changed && 'bg-info/5')}>
      <dt className="flex items-start gap-2 pt-1 font-mono text-xs wrap-anywhere">
        <label htmlFor={editable ? id : undefined}>{column}</label>
        {isKey && <Badge className="font-sans">key</Badge>}
      </dt>
      <dd className="flex min-w-0 flex-col gap-1">
        {changed && <del className="text-destructive font-mono text-xs wrap-anywhere">{value ?? 'NULL'}</del>}
        {editable ? (
          <div className="flex items-start gap-2">
            <Textarea
              id={id}
              rows={1}
              className="field-sizing-content min-h-8 py-1 font-mono text-xs sm:text-xs"
              value={(draft === undefined ? value : draft) ?? ''}
              placeholder="NULL"
              spellCheck={false}
              onChange={(event) => onDraft(event.target.value)}
            />
            <Button
              size="sm"
              variant="ghost"
              className="px-2 font-mono text-xs"
              aria-label={`Set ${column} to NULL`}
              disabled={(draft === undefined ? value : draft) === null}
              onClick={() => onDraft(null)}
            >
              NULL
            </Button>
          </div>
        ) : (
          <span className="pt-1 font-mono text-xs wrap-anywhere whitespace-pre-wrap">
            {value ?? <span className="text-muted-foreground">NULL</span>}
          </span>
        )}
      </dd>
    </div>
  )
}
