import { useQuery } from '@tanstack/react-query'
import { ArrowRightLeft, Gauge, HardDrive, Inbox } from 'lucide-react'
import { useState } from 'react'
import { FlowSection } from '@/components/shared/flow-section'
import { type RangeName, rangeOf } from '@/components/shared/range-picker'
import { Stat } from '@/components/shared/stat'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { formatBytes, formatCompact, formatSeconds, formatTime } from '@/lib/format'
import { retainedWalBytes } from '@/lib/retained-wal'
import { pipelineFlowQuery } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { parkedChanges, worstLagSeconds } from '../data/pipeline-facts'
import { DestinationHealth } from './destination-health'
import { Timeline } from './timeline'

export function OverviewTab({ pipeline }: { pipeline: Pipeline }) {
  const [range, setRange] = useState<RangeName>('1h')
  const { minutes, step } = rangeOf(range)
  const flow = pipelineFlowQuery(pipeline.id, minutes, step)
  const { data } = useQuery(flow)
  const records = data?.points.reduce((sum, point) => sum + point.records, 0)
  const bytes = data?.points.reduce((sum, point) => sum + point.bytes, 0)
  const parked = parkedChanges(pipeline)
  return (
    <div className="flex flex-col gap-5">
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Stat
          icon={ArrowRightLeft}
          label={`Records, ${rangeOf(range).label}`}
          value={formatCompact(records)}
          hint={`${formatBytes(bytes)}, all destinations`}
        />
        <Stat
          icon={Gauge}
          label="Lag"
          value={formatSeconds(worstLagSeconds(pipeline))}
          hint="of the slowest destination"
        />
        <Stat
          icon={HardDrive}
          label="Retained WAL"
          value={formatBytes(retainedWalBytes(pipeline))}
          hint="at the source, for this slot"
        />
        <Stat
          icon={Inbox}
          label="Parked changes"
          value={formatCompact(parked)}
          hint={parked > 0 ? 'wait in the dead letter queue' : 'nothing waits'}
          tone={parked > 0 ? 'warning' : 'plain'}
        />
      </dl>
      <FlowSection range={range} onRange={setRange} query={flow} />
      <DestinationHealth pipeline={pipeline} />
      <Timeline pipelineId={pipeline.id} />
      <Card>
        <CardHeader>
          <CardTitle>How it runs</CardTitle>
        </CardHeader>
        <CardContent>
          <dl className="grid gap-x-8 gap-y-3 sm:grid-cols-2 lg:grid-cols-4">
            <Fact name="Slot" value={pipeline.slot_name ?? 'made at the first start'} mono />
            <Fact name="Acknowledged LSN" value={pipeline.acknowledged_lsn ?? '–'} mono />
            <Fact name="Engine" value={`${pipeline.engine}, profile ${pipeline.profile}`} />
            <Fact name="Created" value={formatTime(pipeline.created_at)} />
          </dl>
        </CardContent>
      </Card>
    </div>
  )
}

function Fact({ name, value, mono }: { name: string; value: string; mono?: boolean }) {
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <dt className="text-muted-foreground text-xs">{name}</dt>
      <dd className={mono ? 'font-mono text-xs leading-5 break-all' : 'break-words'}>{value}</dd>
    </div>
  )
}
