import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Bell, Check, CheckCheck, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Pagination } from '@/components/shared/pagination'
import { Ago, UpdatedAgo } from '@/components/shared/updated-ago'
import { Badge, type Tone } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { cn } from '@/lib/cn'
import { humanize, plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import {
  type NotificationFilter,
  deleteNotification,
  notificationsQuery,
  readAllNotifications,
  readNotification,
} from '@/repo/activity'
import type { Notification, Severity } from '@/repo/types'

const PAGE = 25
const TONES: Record<Severity, Tone> = { CRITICAL: 'danger', WARNING: 'warning', INFO: 'info' }
const SHOWN = [
  { value: 'all', label: 'All' },
  { value: 'open', label: 'Open' },
  { value: 'unread', label: 'Unread' },
]

export function NotificationList() {
  const [shown, setShown] = useState('all')
  const [offset, setOffset] = useState(0)
  const filter: NotificationFilter = shown === 'all' ? {} : { [shown]: true }
  const query = useQuery(notificationsQuery({ ...filter, limit: PAGE, offset }))
  const { dataUpdatedAt } = query
  const mayChange = useCan('operator')
  const readingAll = useMutation({
    ...readAllNotifications,
    onSuccess: ({ read }) => told(`${plural(read, 'notification')} read.`),
    onError: (failure) => toldError('Nothing was marked as read', failure),
  })
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        <Select
          aria-label="Which notifications"
          className="w-36"
          value={shown}
          onValueChange={(next) => {
            setOffset(0)
            setShown(next)
          }}
          options={SHOWN}
        />
        <UpdatedAgo at={dataUpdatedAt} />
        {mayChange && (
          <Button
            className="ms-auto"
            size="sm"
            variant="outline"
            pending={readingAll.isPending}
            onClick={() => readingAll.mutate(undefined)}
          >
            {!readingAll.isPending && <CheckCheck aria-hidden />} Mark all as read
          </Button>
        )}
      </div>
      <Card>
        <Loaded query={query} title="The notifications cannot be shown">
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState
                icon={Bell}
                title="Nothing to tell"
                text="What deserves attention appears here, with what mends it."
              />
            ) : (
              <>
                <ul className="divide-y">
                  {data.items.map((notification) => (
                    <Entry key={notification.id} notification={notification} mayChange={mayChange} />
                  ))}
                </ul>
                <Pagination offset={offset} limit={PAGE} total={data.total} onOffset={setOffset} />
              </>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}

function Entry({ notification, mayChange }: { notification: Notification; mayChange: boolean }) {
  const reading = useMutation({
    ...readNotification,
    onError: (error) => toldError('It was not marked as read', error),
  })
  const deleting = useMutation({
    ...deleteNotification,
    onError: (error) => toldError('It was not deleted', error),
  })
  const {
    id,
    severity,
    title,
    message,
    remedy,
    kind,
    occurrences,
    read_at,
    resolved_at,
    pipeline_id,
    source_id,
    created_at,
  } = notification
  return (
    <li className="flex gap-3 px-5 py-4">
      <span className={cn('mt-1.5 size-2 shrink-0 rounded-full', read_at ? 'bg-transparent' : 'bg-primary')}>
        {!read_at && <span className="sr-only">Unread</span>}
      </span>
      <div className="flex min-w-0 flex-1 flex-col gap-1">
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <p className={cn('break-words', !read_at && 'font-semibold')}>{title}</p>
          <Badge tone={TONES[severity]}>{humanize(severity)}</Badge>
          {resolved_at && <Badge tone="success">resolved</Badge>}
        </div>
        <p className="break-words">{message}</p>
        {remedy && <p className="text-muted-foreground break-words">{remedy}</p>}
        <p className="text-muted-foreground flex flex-wrap items-center gap-x-3 gap-y-1 pt-0.5 text-xs">
          <Ago time={created_at} />
          <code>{kind}</code>
          {occurrences > 1 && <span>{plural(occurrences, 'time')}</span>}
          {pipeline_id != null ? (
            <Link
              to="/pipelines/$pipelineId"
              params={{ pipelineId: String(pipeline_id) }}
              className="text-primary rounded-sm font-medium hover:underline"
            >
              Open the pipeline
            </Link>
          ) : (
            source_id != null && (
              <Link
                to="/sources/$sourceId"
                params={{ sourceId: String(source_id) }}
                className="text-primary rounded-sm font-medium hover:underline"
              >
                Open the source
              </Link>
            )
          )}
        </p>
      </div>
      {mayChange && (
        <div className="flex shrink-0 gap-0.5">
          {!read_at && (
            <Button
              size="icon-sm"
              variant="ghost"
              aria-label={`Mark as read: ${title}`}
              pending={reading.isPending}
              onClick={() => reading.mutate(id)}
            >
              {!reading.isPending && <Check aria-hidden />}
            </Button>
          )}
          <Button
            size="icon-sm"
            variant="ghost"
            aria-label={`Delete: ${title}`}
            pending={deleting.isPending}
            onClick={() => deleting.mutate(id)}
          >
            {!deleting.isPending && <Trash2 aria-hidden />}
          </Button>
        </div>
      )}
    </li>
  )
}
