import { useMutation, useQuery } from '@tanstack/react-query'
import { ListChecks } from 'lucide-react'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { type Column, DataTable } from '@/components/shared/data-table'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { RowsPending } from '@/components/shared/page-pending'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { formatCount } from '@/lib/format'
import { told } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { deletePreset, presetsQuery } from '@/repo/presets'
import type { Preset } from '@/repo/types'

const NAMED = 5

const COLUMNS: Column<Preset>[] = [
  {
    id: 'name',
    header: 'Preset',
    sortBy: ({ name }) => name,
    className: 'font-medium min-w-40',
    cell: ({ name }) => name,
  },
  {
    id: 'tables',
    header: 'Tables',
    className: 'min-w-64',
    cell: ({ tables }) => (
      <span className="text-muted-foreground wrap-anywhere">
        {tables
          .slice(0, NAMED)
          .map(({ schema_name, table_name }) => `${schema_name}.${table_name}`)
          .join(', ')}
        {tables.length > NAMED && ` and ${formatCount(tables.length - NAMED)} more`}
      </span>
    ),
  },
  {
    id: 'changed',
    header: 'Changed',
    sortBy: ({ updated_at }) => updated_at,
    className: 'text-end',
    cell: ({ updated_at }) => <Ago time={updated_at} />,
  },
  {
    id: 'actions',
    header: 'Actions',
    hideHeader: true,
    className: 'text-end',
    cell: (preset) => <DeletePreset preset={preset} />,
  },
]

/** Selections of tables, saved in the wizard of a pipeline. */
export function SourcePresets({ sourceId }: { sourceId: number }) {
  const { data, error, refetch } = useQuery(presetsQuery(sourceId))
  if (error && !data)
    return <ErrorPanel error={error} title="The presets cannot be shown" onRetry={() => void refetch()} />
  return (
    <Card>
      {!data ? (
        <RowsPending />
      ) : data.items.length === 0 ? (
        <EmptyState
          icon={ListChecks}
          title="No preset yet"
          text="When a pipeline is created, the tables that were chosen can be saved under a name and used again."
        />
      ) : (
        <DataTable
          label="Presets"
          columns={COLUMNS}
          items={data.items}
          initialSort={[{ id: 'name', desc: false }]}
        />
      )}
    </Card>
  )
}

function DeletePreset({ preset: { id, name, source_id } }: { preset: Preset }) {
  const mayChange = useCan('operator')
  const [asking, setAsking] = useState(false)
  const deleting = useMutation({
    ...deletePreset,
    onSuccess: () => {
      setAsking(false)
      told(`${name} is deleted.`)
    },
  })
  if (!mayChange) return null
  return (
    <>
      <Button
        size="sm"
        variant="ghost"
        className="text-destructive"
        aria-label={`Delete ${name}`}
        onClick={() => setAsking(true)}
      >
        Delete…
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete the preset ${name}?`}
        action="Delete the preset"
        pending={deleting.isPending}
        error={deleting.error}
        onConfirm={() => deleting.mutate({ sourceId: source_id, id })}
      >
        <p className="text-start">Pipelines that were created with it stay as they are.</p>
      </ConfirmDialog>
    </>
  )
}
