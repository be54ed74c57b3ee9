import { useMutation } from '@tanstack/react-query'
import { History } from 'lucide-react'
import { type FormEvent, useMemo, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { told } from '@/lib/notify'
import { startBackfill } from '@/repo/backfills'
import type { Pipeline } from '@/repo/types'
import { writtenFilters } from '../data/filter-text'
import { tableRows } from '../data/pipeline-facts'
import { DestinationSelect } from './destination-select'
import { FilterLines } from './filter-lines'

/** Which rows of which table are copied again. */
export function StartBackfill({ pipeline }: { pipeline: Pipeline }) {
  const [name, setName] = useState('')
  const [destinationId, setDestinationId] = useState<number | null>(null)
  const [lines, setLines] = useState<string[]>([])
  const tables = useMemo(() => new Map(tableRows(pipeline).map((row) => [row.source, row])), [pipeline])
  const chosen = tables.get(name.trim())
  const starting = useMutation({
    ...startBackfill,
    onSuccess: ({ schema_name, table_name }) => {
      told(`A backfill of ${schema_name}.${table_name} was asked for.`)
      setLines([])
    },
  })
  const start = (event: FormEvent) => {
    event.preventDefault()
    if (!chosen) return
    starting.mutate({
      pipelineId: pipeline.id,
      schema_name: chosen.schema_name,
      table_name: chosen.table_name,
      filters: writtenFilters(lines),
      destination_ids: destinationId === null ? null : [destinationId],
    })
  }
  return (
    <Card className="p-5">
      <form className="flex flex-col gap-4" onSubmit={start}>
        <div className="flex flex-wrap gap-4">
          <Field
            className="min-w-56 flex-1"
            label="Table"
            error={name && !chosen ? 'The pipeline has no such table' : undefined}
          >
            <Input
              list="tables-to-backfill"
              value={name}
              placeholder="public.orders"
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => setName(event.target.value)}
            />
          </Field>
          <datalist id="tables-to-backfill">
            {[...tables.keys()].map((source) => (
              <option key={source} value={source} />
            ))}
          </datalist>
          <div className="flex flex-col justify-end">
            <DestinationSelect
              pipeline={pipeline}
              className="w-52"
              value={destinationId}
              onChange={setDestinationId}
            />
          </div>
        </div>
        <FilterLines lines={lines} onChange={setLines} />
        {starting.error && <ErrorPanel error={starting.error} title="No backfill was started" />}
        <div className="flex flex-wrap items-center justify-end gap-3">
          <p className="text-muted-foreground me-auto max-w-prose text-xs">
            The rows that pass are read from the source and merged while changes go on arriving. Rows that do
            not pass are left as they are.
          </p>
          <Button type="submit" pending={starting.isPending} disabled={!chosen}>
            {!starting.isPending && <History aria-hidden />} Start the backfill
          </Button>
        </div>
      </form>
    </Card>
  )
}
