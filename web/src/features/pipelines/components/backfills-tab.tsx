import { useMutation, useQuery } from '@tanstack/react-query'
import { History, X } from 'lucide-react'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Pagination } from '@/components/shared/pagination'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { formatBytes, formatCount, formatSeconds, plural } from '@/lib/format'
import { told } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { backfillsQuery, cancelBackfill, isOpen } from '@/repo/backfills'
import type { Backfill, Pipeline } from '@/repo/types'
import { filterText } from '../data/filter-text'
import { StartBackfill } from './start-backfill'

const PAGE = 20

/** Rows that are copied again: asked for, under way, and done. */
export default function BackfillsTab({ pipeline }: { pipeline: Pipeline }) {
  const [offset, setOffset] = useState(0)
  const query = useQuery(backfillsQuery(pipeline.id, { limit: PAGE, offset }))
  const mayChange = useCan('operator')
  const names = new Map(pipeline.destinations.map(({ destination: { id, name } }) => [id, name]))
  return (
    <div className="flex flex-col gap-4">
      {mayChange && <StartBackfill pipeline={pipeline} />}
      <Card>
        <Loaded query={query} title="The backfills cannot be shown">
          {({ items, total }) =>
            items.length === 0 ? (
              <EmptyState
                icon={History}
                title="No backfill yet"
                text="Rows that are wrong or missing at a target are copied again by a backfill, all of a table or some."
              />
            ) : (
              <>
                <ul className="divide-y" aria-label="Backfills">
                  {items.map((job) => (
                    <Job key={job.id} job={job} names={names} mayChange={mayChange} />
                  ))}
                </ul>
                <Pagination offset={offset} limit={PAGE} total={total} onOffset={setOffset} />
              </>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}

interface JobProps {
  job: Backfill
  names: ReadonlyMap<number, string>
  mayChange: boolean
}

function Job({ job, names, mayChange }: JobProps) {
  const [asking, setAsking] = useState(false)
  const table = `${job.schema_name}.${job.table_name}`
  const cancelling = useMutation({
    ...cancelBackfill,
    onSuccess: () => {
      setAsking(false)
      told(`The backfill of ${table} is being cancelled.`)
    },
  })
  const targets = job.destination_ids?.map((id) => names.get(id) ?? `destination ${id}`).join(', ')
  return (
    <li className="flex flex-col gap-2 px-5 py-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="font-medium wrap-anywhere">{table}</span>
        <StatusBadge status={job.status} />
        <span className="text-muted-foreground text-xs">
          to {targets ?? 'every destination'}, asked for <Ago time={job.created_at} />
        </span>
        {mayChange && isOpen(job) && !job.cancel_requested && (
          <Button
            className="ms-auto"
            size="sm"
            variant="outline"
            aria-label={`Cancel the backfill of ${table}`}
            onClick={() => setAsking(true)}
          >
            <X aria-hidden /> Cancel…
          </Button>
        )}
      </div>
      {job.filters.length > 0 && (
        <code className="text-muted-foreground text-xs wrap-anywhere">
          {job.filters.map(filterText).join(' AND ')}
        </code>
      )}
      <Progress job={job} table={table} />
      {job.cancel_requested && isOpen(job) && (
        <p className="text-muted-foreground text-xs">Being cancelled.</p>
      )}
      {job.status_reason && isOpen(job) && <p className="break-words">{job.status_reason}</p>}
      {job.error_message && (
        <div className="border-destructive/40 flex flex-col gap-0.5 border-s-2 ps-2 text-xs">
          <span className="text-destructive break-words">{job.error_message}</span>
          {job.error_remedy && <span className="text-muted-foreground break-words">{job.error_remedy}</span>}
          {job.error_code && <code className="text-muted-foreground">{job.error_code}</code>}
        </div>
      )}
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Cancel the backfill of ${table}?`}
        action="Cancel the backfill"
        pending={cancelling.isPending}
        error={cancelling.error}
        onConfirm={() => cancelling.mutate(job)}
      >
        <p>
          {plural(job.rows_done, 'row')} that it has copied stay at the target. The stream goes on as it is.
        </p>
      </ConfirmDialog>
    </li>
  )
}

/** How far it is; an estimate of the source's may be too small, so all of it is no promise of the end. */
function Progress({ job, table }: { job: Backfill; table: string }) {
  const share = job.rows_estimated ? Math.min(100, (job.rows_done / job.rows_estimated) * 100) : null
  const figures = [
    job.rows_estimated && isOpen(job)
      ? `${formatCount(job.rows_done)} of about ${plural(job.rows_estimated, 'row')}`
      : plural(job.rows_done, 'row'),
    formatBytes(job.bytes_done),
    ...(job.rows_per_second !== null && isOpen(job)
      ? [`${formatCount(Math.round(job.rows_per_second))} rows/s`]
      : []),
    ...(job.seconds_left !== null && isOpen(job) ? [`${formatSeconds(job.seconds_left)} left`] : []),
  ]
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs">
      {job.status === 'EXECUTING' && (
        <progress
          className="accent-primary h-1.5 w-48"
          aria-label={`Backfill of ${table}`}
          max={100}
          {...(share !== null && { value: share })}
        />
      )}
      <span className="text-muted-foreground tabular-nums">{figures.join(', ')}</span>
    </div>
  )
}
