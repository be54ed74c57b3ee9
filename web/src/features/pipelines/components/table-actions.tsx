import { useMutation } from '@tanstack/react-query'
import { Ellipsis, Filter, Pause, Play, RefreshCw, Tags } from 'lucide-react'
import { lazy, useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { LazyPart } from '@/components/shared/lazy-part'
import { Button } from '@/components/ui/button'
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuTrigger,
} from '@/components/ui/dropdown-menu'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { type TableWish, wishTable } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import type { TableRow } from '../data/pipeline-facts'
import { TagsDialog } from './tags-dialog'

const RulesEditor = lazy(() => import('./rules-editor'))

interface TableActionsProps {
  pipeline: Pipeline
  row: TableRow
}

export function TableActions({ pipeline: { id: pipelineId, source_id: sourceId }, row }: TableActionsProps) {
  const mayChange = useCan('operator')
  const [editing, setEditing] = useState(false)
  const [asking, setAsking] = useState(false)
  const [tagging, setTagging] = useState(false)
  const wishing = useMutation({
    ...wishTable,
    onSuccess: (_, { wish }) => {
      setAsking(false)
      told(
        `${row.source}: ${{ pause: 'pausing', resume: 'resuming', resync: 'a resync was asked for' }[wish]}.`,
      )
    },
  })
  if (!mayChange) return null
  const ask = (wish: TableWish) =>
    wishing.mutate(
      { pipelineId, destinationId: row.destinationId, syncId: row.id, wish },
      { onError: (error) => toldError(`${row.source} was not changed`, error) },
    )
  return (
    <>
      <DropdownMenu>
        <DropdownMenuTrigger asChild>
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={`Actions for ${row.source} at ${row.destinationName}`}
          >
            <Ellipsis aria-hidden />
          </Button>
        </DropdownMenuTrigger>
        <DropdownMenuContent>
          {row.desired_state === 'PAUSED' ? (
            <DropdownMenuItem onSelect={() => ask('resume')}>
              <Play /> Resume
            </DropdownMenuItem>
          ) : (
            <DropdownMenuItem onSelect={() => ask('pause')}>
              <Pause /> Pause
            </DropdownMenuItem>
          )}
          <DropdownMenuItem onSelect={() => setAsking(true)}>
            <RefreshCw /> Resync…
          </DropdownMenuItem>
          <DropdownMenuItem onSelect={() => setEditing(true)}>
            <Filter /> Columns and rows…
          </DropdownMenuItem>
          <DropdownMenuItem onSelect={() => setTagging(true)}>
            <Tags /> Tags…
          </DropdownMenuItem>
        </DropdownMenuContent>
      </DropdownMenu>
      {editing && (
        <LazyPart pending={null}>
          <RulesEditor
            pipelineId={pipelineId}
            sourceId={sourceId}
            row={row}
            onClose={() => setEditing(false)}
          />
        </LazyPart>
      )}
      {tagging && <TagsDialog pipelineId={pipelineId} row={row} onClose={() => setTagging(false)} />}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Resync ${row.source}?`}
        action="Resync"
        destructive={false}
        pending={wishing.isPending}
        error={wishing.error}
        onConfirm={() => ask('resync')}
      >
        <p>
          The rows at {row.destinationName} are compared with the source, and those that differ are copied
          anew. Changes go on arriving meanwhile; other tables are not touched.
        </p>
      </ConfirmDialog>
    </>
  )
}
