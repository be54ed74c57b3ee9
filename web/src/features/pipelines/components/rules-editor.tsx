import { useMutation, useQuery } from '@tanstack/react-query'
import { Table2 } from 'lucide-react'
import { useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Loaded } from '@/components/shared/loaded'
import { Button } from '@/components/ui/button'
import { Dialog, SheetContent } from '@/components/ui/dialog'
import { told } from '@/lib/notify'
import { previewRules, saveRules, sourceSchemaQuery } from '@/repo/table-rules'
import type { TableSchema } from '@/repo/types'
import type { TableRow } from '../data/pipeline-facts'
import { type RulesDraft, draftOf, rulesOf } from '../data/rules-draft'
import { FilterLines } from './filter-lines'
import { RulesColumns } from './rules-columns'
import { RulesPreview } from './rules-preview'
import { RulesStatement } from './rules-statement'

interface RulesEditorProps {
  pipelineId: number
  sourceId: number
  row: TableRow
  onClose: () => void
}

/** What becomes of a table on its way: its columns, their names and masks, and which rows; tried before it is saved. */
export default function RulesEditor({ pipelineId, sourceId, row, onClose }: RulesEditorProps) {
  const query = useQuery(sourceSchemaQuery(sourceId))
  return (
    <Dialog open onOpenChange={onClose}>
      <SheetContent
        title={`Columns and rows of ${row.source}`}
        description={`On their way to ${row.destinationName}.`}
      >
        <Loaded query={query} title="The table cannot be shown" className="m-5">
          {({ tables }) => {
            const table = tables.find(
              ({ schema_name, table_name }) =>
                schema_name === row.schema_name && table_name === row.table_name,
            )
            return table ? (
              <Editor pipelineId={pipelineId} row={row} table={table} onClose={onClose} />
            ) : (
              <EmptyState
                icon={Table2}
                title="Not published"
                text="The publication of the source does not have this table any more."
              />
            )
          }}
        </Loaded>
      </SheetContent>
    </Dialog>
  )
}

interface EditorProps {
  pipelineId: number
  row: TableRow
  table: TableSchema
  onClose: () => void
}

function Editor({ pipelineId, row, table, onClose }: EditorProps) {
  const [draft, setDraft] = useState(() => draftOf(table, row))
  const trying = useMutation(previewRules)
  const saving = useMutation({
    ...saveRules,
    onSuccess: () => {
      told(`${row.source} is copied anew by its new rules.`)
      onClose()
    },
  })
  const change = (next: RulesDraft) => {
    trying.reset()
    setDraft(next)
  }
  const empty = draft.statement?.trim() === ''
  const of = { pipelineId, destinationId: row.destinationId, rules: rulesOf(draft) }
  return (
    <div className="flex flex-col gap-6 p-5">
      <RulesStatement statement={draft.statement} onChange={(statement) => change({ ...draft, statement })} />
      {draft.statement === null && (
        <>
          <RulesColumns draft={draft} onChange={change} />
          <FilterLines lines={draft.filters} onChange={(filters) => change({ ...draft, filters })} />
        </>
      )}
      {trying.error && <ErrorPanel error={trying.error} title="The rules do not fit" />}
      {trying.data && <RulesPreview preview={trying.data} />}
      {saving.error && <ErrorPanel error={saving.error} title="The rules were not saved" />}
      <div className="flex flex-wrap items-center justify-end gap-2">
        <p className="text-muted-foreground min-w-60 flex-1 text-xs">
          A table that was copied already is copied anew; rows that no longer pass leave the target.
        </p>
        <Button
          variant="outline"
          pending={trying.isPending}
          disabled={empty}
          onClick={() => trying.mutate({ ...of, sync: row })}
        >
          Try it
        </Button>
        <Button
          pending={saving.isPending}
          disabled={empty}
          onClick={() => saving.mutate({ ...of, syncId: row.id })}
        >
          Save
        </Button>
      </div>
    </div>
  )
}
