import { useQuery } from '@tanstack/react-query'
import { CircleAlert, CircleCheck, Info, TriangleAlert, User } from 'lucide-react'
import { Loaded } from '@/components/shared/loaded'
import { Ago } from '@/components/shared/updated-ago'
import { Card, CardHeader, CardTitle } from '@/components/ui/card'
import { useCan } from '@/lib/use-role'
import { auditQuery, notificationsQuery } from '@/repo/activity'
import { TIMELINE_ENTRIES, type TimelineEntry, timelineOf } from '../data/timeline'

const UNKNOWN = 'What happened cannot be shown'
const SIGNS = {
  danger: <CircleAlert className="text-destructive" aria-hidden />,
  warning: <TriangleAlert className="text-warning" aria-hidden />,
  info: <Info className="text-info" aria-hidden />,
  success: <CircleCheck className="text-success" aria-hidden />,
  person: <User className="text-muted-foreground" aria-hidden />,
}

/** What happened lately; what people did is for admins, as the audit log is. */
export function Timeline({ pipelineId }: { pipelineId: number }) {
  const isAdmin = useCan('admin')
  const told = useQuery(notificationsQuery({ pipeline_id: pipelineId, limit: TIMELINE_ENTRIES }))
  const done = useQuery({
    ...auditQuery({ entity_type: 'pipeline', entity_id: String(pipelineId), limit: TIMELINE_ENTRIES }),
    enabled: isAdmin,
  })
  return (
    <Card>
      <CardHeader className="pb-4">
        <CardTitle>Timeline</CardTitle>
      </CardHeader>
      <Loaded query={told} title={UNKNOWN} rows={3}>
        {({ items: notifications }) =>
          isAdmin ? (
            <Loaded query={done} title={UNKNOWN} rows={3}>
              {({ items: audit }) => <Entries entries={timelineOf(notifications, audit)} />}
            </Loaded>
          ) : (
            <Entries entries={timelineOf(notifications, [])} />
          )
        }
      </Loaded>
    </Card>
  )
}

function Entries({ entries }: { entries: TimelineEntry[] }) {
  if (entries.length === 0)
    return <p className="text-muted-foreground px-5 pb-4">Nothing has happened that is worth telling.</p>
  return (
    <ol aria-label="Timeline" className="divide-y border-t">
      {entries.map(({ key, at, tone, title, detail }) => (
        <li key={key} className="flex gap-3 px-5 py-2.5">
          <span className="mt-0.5 shrink-0 [&_svg]:size-4">{SIGNS[tone]}</span>
          <span className="flex min-w-0 flex-1 flex-wrap gap-x-2">
            <span className="font-medium wrap-anywhere">{title}</span>
            <span className="text-muted-foreground wrap-anywhere">{detail}</span>
          </span>
          <span className="text-muted-foreground shrink-0 text-xs leading-5">
            <Ago time={at} />
          </span>
        </li>
      ))}
    </ol>
  )
}
