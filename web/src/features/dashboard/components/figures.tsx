import { Activity, ArrowRightLeft, Coins, Gauge, HardDrive, Inbox, Server } from 'lucide-react'
import { Stat } from '@/components/shared/stat'
import { cn } from '@/lib/cn'
import { formatBytes, formatCompact, formatCredits, formatSeconds, plural } from '@/lib/format'
import type { Summary } from '@/repo/types'

export function Figures({ summary }: { summary: Summary }) {
  const alive = summary.instances.filter((instance) => instance.alive).length
  const tables = Object.values(summary.table_syncs_by_state).reduce((sum, count) => sum + count, 0)
  const streaming = summary.table_syncs_by_state.STREAMING ?? 0
  const credits = summary.snowflake_credits
  return (
    <dl
      className={cn(
        'grid grid-cols-2 gap-3 md:grid-cols-3',
        credits === null ? 'xl:grid-cols-6' : 'xl:grid-cols-4',
      )}
    >
      <Stat
        icon={ArrowRightLeft}
        label="Records, 1 h"
        value={formatCompact(summary.records_last_hour)}
        hint={formatBytes(summary.bytes_last_hour)}
      />
      <Stat
        icon={Gauge}
        label="Worst lag"
        value={formatSeconds(summary.worst_lag_seconds)}
        hint="commit to target"
      />
      <Stat
        icon={HardDrive}
        label="Retained WAL"
        value={formatBytes(summary.retained_wal_bytes)}
        hint="of the largest slot"
      />
      <Stat
        icon={Inbox}
        label="Parked changes"
        value={formatCompact(summary.parked_records)}
        hint={summary.parked_records > 0 ? 'wait in the dead letter queue' : 'nothing waits'}
        tone={summary.parked_records > 0 ? 'warning' : 'plain'}
      />
      <Stat
        icon={Activity}
        label="Tables streaming"
        value={`${streaming} of ${tables}`}
        hint={plural(summary.running_backfills, 'running backfill')}
      />
      <Stat
        icon={Server}
        label="Compute"
        value={alive}
        hint={alive === 0 ? 'no service is alive' : alive === 1 ? 'service is alive' : 'services are alive'}
        tone={alive === 0 && summary.pipelines > 0 ? 'warning' : 'plain'}
      />
      {credits !== null && (
        <Stat icon={Coins} label="Snowflake credits" value={formatCredits(credits)} hint="in 30 days" />
      )}
    </dl>
  )
}
