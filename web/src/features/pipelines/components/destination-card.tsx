import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RefreshCw, Unplug } from 'lucide-react'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { formatBytes, formatCount, formatSeconds, plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { removeDestination, resyncDestination, updateDestinationOfPipeline } from '@/repo/pipelines'
import type { ParkPolicy, Pipeline, PipelineDestination } from '@/repo/types'

const POLICIES = [
  { value: 'block', label: 'Wait: keep WAL at the source' },
  { value: 'detach', label: 'Leave it behind: resync later' },
]

interface DestinationCardProps {
  pipeline: Pipeline
  lane: PipelineDestination
}

/** One destination of a pipeline: how it does, what is parked for it, and what can be done. */
export function DestinationCard({ pipeline, lane }: DestinationCardProps) {
  const { metadata, destination } = lane
  return (
    <Card className="gap-4 p-5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Link
          to="/destinations/$destinationId"
          params={{ destinationId: String(destination.id) }}
          className="rounded-sm text-base font-semibold hover:underline"
        >
          {destination.name}
        </Link>
        <StatusBadge status={metadata?.status} />
        <StatusBadge status={metadata?.health_status} />
      </div>
      {metadata?.last_error && metadata.health_status !== 'HEALTHY' && (
        <div className="border-destructive/50 flex flex-col gap-0.5 border-s-2 ps-3">
          <p className="break-words">{metadata.last_error}</p>
          {metadata.last_error_remedy && (
            <p className="text-muted-foreground break-words">{metadata.last_error_remedy}</p>
          )}
          <p className="text-muted-foreground text-xs">
            {metadata.last_error_code && <code>{metadata.last_error_code}</code>}{' '}
            <Ago time={metadata.last_error_time} />
          </p>
        </div>
      )}
      <dl className="grid grid-cols-2 gap-x-6 gap-y-3 sm:grid-cols-3 lg:grid-cols-6">
        <Fact name="Lag" value={formatSeconds(metadata?.lag_seconds)} />
        <Fact name="Behind" value={formatBytes(metadata?.lag_bytes)} />
        <Fact name="Tables" value={formatCount(lane.table_syncs.length)} />
        <Fact name="Restarts" value={formatCount(metadata?.restart_count)} />
        <div>
          <dt className="text-muted-foreground text-xs">Last success</dt>
          <dd>
            <Ago time={metadata?.last_success_time} />
          </dd>
        </div>
        <div>
          <dt className="text-muted-foreground text-xs">Parked</dt>
          <dd>
            <Link
              to="/pipelines/$pipelineId"
              params={{ pipelineId: String(pipeline.id) }}
              search={{ tab: 'dlq', destination: destination.id }}
              className="text-primary rounded-sm font-medium hover:underline"
            >
              {plural(lane.parked_changes, 'change')}
            </Link>
            {lane.parked_bytes > 0 && (
              <span className="text-muted-foreground"> ({formatBytes(lane.parked_bytes)})</span>
            )}
          </dd>
        </div>
      </dl>
      <LaneActions pipeline={pipeline} lane={lane} />
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

function LaneActions({ pipeline, lane }: DestinationCardProps) {
  const mayChange = useCan('operator')
  const [asking, setAsking] = useState<'resync' | 'remove' | null>(null)
  const { name } = lane.destination
  const which = { pipelineId: pipeline.id, destinationId: lane.destination_id }
  const close = () => setAsking(null)
  const policy = useMutation({
    ...updateDestinationOfPipeline,
    onSuccess: () => told(`The policy of ${name} was changed.`),
    onError: (error) => toldError('The policy was not changed', error),
  })
  const resync = useMutation({
    ...resyncDestination,
    onSuccess: () => (close(), told(`A resync of ${name} was asked for.`)),
  })
  const remove = useMutation({
    ...removeDestination,
    onSuccess: () => (close(), told(`${name} leaves the pipeline.`)),
  })
  if (!mayChange) return null
  return (
    <div className="flex flex-wrap items-center gap-2 border-t pt-4">
      <label className="text-muted-foreground text-xs" htmlFor={`policy-${lane.id}`}>
        When nothing more may be parked
      </label>
      <Select
        id={`policy-${lane.id}`}
        className="w-72"
        value={policy.isPending ? policy.variables.park_policy : lane.park_policy}
        onValueChange={(value) => policy.mutate({ ...which, park_policy: value as ParkPolicy })}
        options={POLICIES}
      />
      <div className="flex flex-wrap gap-2 sm:ms-auto">
        <Button size="sm" variant="outline" onClick={() => setAsking('resync')}>
          <RefreshCw aria-hidden /> Resync…
        </Button>
        <Button size="sm" variant="outline" className="text-destructive" onClick={() => setAsking('remove')}>
          <Unplug aria-hidden /> Remove…
        </Button>
      </div>
      <ConfirmDialog
        open={asking === 'resync'}
        onOpenChange={close}
        title={`Resync every table of ${name}?`}
        action="Resync"
        destructive={false}
        pending={resync.isPending}
        error={resync.error}
        onConfirm={() => resync.mutate(which)}
      >
        <p>
          {plural(lane.table_syncs.length, 'table')} are compared with the source; rows that differ are copied
          anew. Paused tables stay paused, and changes go on arriving.
        </p>
      </ConfirmDialog>
      <ConfirmDialog
        open={asking === 'remove'}
        onOpenChange={close}
        title={`Remove ${name} from ${pipeline.name}?`}
        action="Remove the destination"
        typed={name}
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(which)}
      >
        <p>The tables there keep their rows, and get no further change. What is parked for it is given up.</p>
        <p>The slot stays, because the other destinations need it.</p>
      </ConfirmDialog>
    </div>
  )
}
