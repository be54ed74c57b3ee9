import {
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CirclePause,
  LoaderCircle,
  type LucideIcon,
  TriangleAlert,
} from 'lucide-react'
import { Badge, type Tone } from '@/components/ui/badge'
import { humanize } from '@/lib/format'

interface Look {
  tone: Tone
  icon: LucideIcon
  turning?: boolean
}

const GOOD: Look = { tone: 'success', icon: CircleCheck }
const MOVING: Look = { tone: 'info', icon: LoaderCircle, turning: true }
const RESTING: Look = { tone: 'neutral', icon: CirclePause }
const WARNING: Look = { tone: 'warning', icon: TriangleAlert }
const BAD: Look = { tone: 'danger', icon: CircleAlert }
const UNKNOWN: Look = { tone: 'neutral', icon: CircleDashed }

const LOOKS: Record<string, Look> = {
  RUNNING: GOOD,
  STREAMING: GOOD,
  HEALTHY: GOOD,
  OK: GOOD,
  RECOVERED: GOOD,
  EQUAL: GOOD,
  COMPLETED: GOOD,
  STARTING: MOVING,
  SNAPSHOTTING: MOVING,
  PAUSING: MOVING,
  RESTARTING: MOVING,
  COPYING: MOVING,
  RESYNC: MOVING,
  EXECUTING: MOVING,
  PENDING: UNKNOWN,
  PAUSED: RESTING,
  SUPERSEDED: RESTING,
  DISCARDED: RESTING,
  PARKED: WARNING,
  RETRYING: WARNING,
  DEGRADED: WARNING,
  NOT_COMPARED: WARNING,
  WARNING,
  BLOCKED: BAD,
  RESYNC_REQUIRED: BAD,
  FAILED: BAD,
  ERROR: BAD,
  CRITICAL: BAD,
  DIFFERENT: BAD,
}

/** What is observed: words, an icon and a colour that say the same. */
export function StatusBadge({ status, label }: { status: string | null | undefined; label?: string }) {
  const look = (status && LOOKS[status]) || UNKNOWN
  const Icon = look.icon
  return (
    <Badge tone={look.tone}>
      <Icon className={look.turning ? 'animate-spin' : undefined} aria-hidden />
      {label ?? humanize(status ?? 'unknown')}
    </Badge>
  )
}

const WISHES: Record<string, string> = {
  START: 'Wanted: running',
  PAUSE: 'Wanted: paused',
  REFRESH: 'Wanted: restart',
}

/** What a person asked for, which is another thing than what is observed. */
export function DesiredBadge({ status }: { status: string }) {
  return <Badge tone="outline">{WISHES[status] ?? status}</Badge>
}
