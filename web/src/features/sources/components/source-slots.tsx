import { useMutation, useQuery } from '@tanstack/react-query'
import { Cable, Trash2 } from 'lucide-react'
import { lazy } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { LazyPart } from '@/components/shared/lazy-part'
import { RowsPending } from '@/components/shared/page-pending'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Skeleton } from '@/components/ui/skeleton'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatBytes, formatSeconds, plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { walMonitorQuery } from '@/repo/dashboard'
import { dropOrphanedSlots, slotsQuery } from '@/repo/sources'
import type { SourceDetail, WalMonitor } from '@/repo/types'

const WalChart = lazy(() => import('./wal-chart'))

export function SourceSlots({ source }: { source: SourceDetail }) {
  return (
    <div className="flex flex-col gap-5">
      <Wal sourceId={source.id} />
      <SlotList sourceId={source.id} />
      {source.pending_cleanup.length > 0 && (
        <Card>
          <CardHeader>
            <CardTitle>Still to be removed there</CardTitle>
          </CardHeader>
          <CardContent>
            <ul className="flex flex-col gap-2">
              {source.pending_cleanup.map((task) => (
                <li key={task.object_name} className="flex flex-wrap items-center gap-x-3">
                  <code className="font-mono text-xs">{task.object_name}</code>
                  <span className="text-muted-foreground">
                    {plural(task.attempts, 'attempt')}
                    {task.last_error && `: ${task.last_error}`}
                  </span>
                </li>
              ))}
            </ul>
          </CardContent>
        </Card>
      )}
    </div>
  )
}

function Wal({ sourceId }: { sourceId: number }) {
  const { data, error, refetch } = useQuery(walMonitorQuery)
  if (error && !data)
    return <ErrorPanel error={error} title="The WAL monitor cannot be shown" onRetry={() => void refetch()} />
  const wal = data?.find(({ source_id }) => source_id === sourceId)
  return (
    <>
      <WalState wal={wal} known={data !== undefined} />
      {wal && (
        <LazyPart pending={<Skeleton className="h-64" />}>
          <WalChart sourceId={sourceId} growth={wal.growth_bytes_per_second} />
        </LazyPart>
      )}
    </>
  )
}

function WalState({ wal, known }: { wal: WalMonitor | undefined; known: boolean }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>Write-ahead log</CardTitle>
        {wal && <StatusBadge status={wal.status} />}
      </CardHeader>
      <CardContent>
        {!known ? (
          <RowsPending rows={1} />
        ) : !wal ? (
          <p className="text-muted-foreground">The monitor has not looked at this source yet.</p>
        ) : (
          <dl className="grid grid-cols-2 gap-x-6 gap-y-3 lg:grid-cols-4">
            <Fact name="Retained by slots" value={formatBytes(wal.retained_bytes)} />
            <Fact name="WAL on disk" value={formatBytes(wal.wal_size_bytes)} />
            <Fact
              name="Growth"
              value={
                wal.growth_bytes_per_second == null ? '–' : `${formatBytes(wal.growth_bytes_per_second)}/s`
              }
            />
            <Fact
              name="Critical in"
              value={
                wal.critical_in_seconds == null ? 'not in sight' : formatSeconds(wal.critical_in_seconds)
              }
            />
          </dl>
        )}
        {wal?.last_error && <p className="text-destructive pt-3 break-words">{wal.last_error}</p>}
        {wal && (
          <p className="text-muted-foreground pt-3 text-xs">
            Checked <Ago time={wal.checked_at} />
          </p>
        )}
      </CardContent>
    </Card>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-muted-foreground text-xs">{name}</dt>
      <dd className="tabular-nums">{value}</dd>
    </div>
  )
}

function SlotList({ sourceId }: { sourceId: number }) {
  const { data, error, refetch } = useQuery(slotsQuery(sourceId))
  const mayChange = useCan('operator')
  const dropping = useMutation({
    ...dropOrphanedSlots,
    onSuccess: ({ dropped }) => told(`${plural(dropped.length, 'slot')} dropped.`),
    onError: (failure) => toldError('No slot was dropped', failure),
  })
  if (error && !data)
    return <ErrorPanel error={error} title="The slots cannot be shown" onRetry={() => void refetch()} />
  const orphans = data?.slots.filter(({ orphan, active }) => orphan && !active).length ?? 0
  return (
    <Card>
      <CardHeader className="pb-3">
        <CardTitle>Replication slots of Rosetta</CardTitle>
        {mayChange && orphans > 0 && (
          <Button
            size="sm"
            variant="outline"
            className="text-destructive"
            pending={dropping.isPending}
            onClick={() => dropping.mutate(sourceId)}
          >
            <Trash2 aria-hidden /> Drop {plural(orphans, 'orphan')}
          </Button>
        )}
      </CardHeader>
      {!data ? (
        <RowsPending rows={2} />
      ) : data.slots.length === 0 ? (
        <EmptyState icon={Cable} title="No slot yet" text="A pipeline's first start makes its slot." />
      ) : (
        <Table aria-label="Replication slots" className="border-t">
          <TableHeader>
            <TableHead>Slot</TableHead>
            <TableHead>Pipeline</TableHead>
            <TableHead>Read</TableHead>
            <TableHead className="text-end">Retained</TableHead>
            <TableHead className="text-end">Confirmed LSN</TableHead>
          </TableHeader>
          <TableBody>
            {data.slots.map((slot) => (
              <TableRow key={slot.name}>
                <TableCell className="font-mono text-xs">{slot.name}</TableCell>
                <TableCell>
                  {slot.orphan ? <Badge tone="warning">orphan</Badge> : slot.pipeline_name}
                </TableCell>
                <TableCell>
                  {slot.active ? <Badge tone="success">active</Badge> : <Badge>not read</Badge>}
                </TableCell>
                <TableCell className="text-end whitespace-nowrap tabular-nums">
                  {formatBytes(slot.retained_bytes)}
                </TableCell>
                <TableCell className="text-end font-mono text-xs">
                  {slot.confirmed_flush_lsn ?? '–'}
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </Card>
  )
}
