import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Download, Pause, Play, ScrollText } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { SearchInput } from '@/components/shared/search-input'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { cn } from '@/lib/cn'
import { download } from '@/lib/csv'
import { humanize, plural } from '@/lib/format'
import { toldError } from '@/lib/notify'
import { LOG_LEVELS, type LogFilter, logQuery, readOlder } from '@/repo/logs'
import type { LogLine, Pipeline } from '@/repo/types'
import { textOf, wordsOf } from '../data/log-text'

const COLORS: Record<string, string> = {
  warning: 'text-warning',
  error: 'text-destructive',
  critical: 'text-destructive',
}
const LEVELS = LOG_LEVELS.map((value) => ({
  value,
  label: value === 'debug' ? 'Every level' : `${humanize(value)} and worse`,
}))

/** What compute logs of the pipeline, as it happens. */
export default function LogsTab({ pipeline }: { pipeline: Pipeline }) {
  const client = useQueryClient()
  const [filter, setFilter] = useState<LogFilter>({ level: 'info' })
  const [following, setFollowing] = useState(true)
  const query = useQuery(logQuery(client, pipeline.id, filter, following))
  const { data } = query
  const reading = useMutation({
    mutationFn: () => readOlder(client, pipeline.id, filter),
    onError: (failure) => toldError('Older lines could not be read', failure),
  })
  const lines = data?.lines ?? []
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <SearchInput
          label="Find in the log"
          value={filter.search ?? ''}
          onChange={(text) => setFilter({ ...filter, search: text || undefined })}
        />
        <Select
          aria-label="Level"
          className="w-48"
          value={filter.level}
          onValueChange={(level) => setFilter({ ...filter, level: level as LogFilter['level'] })}
          options={LEVELS}
        />
        <div className="flex gap-2 sm:ms-auto">
          <Button variant="outline" aria-pressed={following} onClick={() => setFollowing(!following)}>
            {following ? <Pause aria-hidden /> : <Play aria-hidden />}
            {following ? 'Stop following' : 'Follow'}
          </Button>
          <Button
            variant="outline"
            disabled={lines.length === 0}
            onClick={() => download(`${pipeline.name}.log`, lines.map(textOf).join('\n'), 'text/plain')}
          >
            <Download aria-hidden /> Download
          </Button>
        </div>
      </div>
      <Card>
        <Loaded query={query} title="The log cannot be shown">
          {(data) =>
            lines.length === 0 ? (
              <EmptyState
                icon={ScrollText}
                title="No line"
                text="Nothing was logged of this pipeline, or nothing with this level and these words."
              />
            ) : (
              <Lines
                lines={lines}
                following={following}
                onOlder={data.older ? () => reading.mutate() : undefined}
                pending={reading.isPending}
              />
            )
          }
        </Loaded>
      </Card>
      <p className="text-muted-foreground text-xs" role="status">
        {plural(lines.length, 'line')}
        {following ? ', followed' : ', not followed'}
      </p>
    </div>
  )
}

interface LinesProps {
  lines: readonly LogLine[]
  following: boolean
  onOlder?: () => void
  pending: boolean
}

function Lines({ lines, following, onOlder, pending }: LinesProps) {
  const frame = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (following) frame.current?.scrollTo({ top: frame.current.scrollHeight })
  }, [following, lines])
  return (
    <div
      ref={frame}
      role="region"
      aria-label="Log"
      tabIndex={0}
      className="focus-visible:ring-ring max-h-[65dvh] overflow-y-auto rounded-lg py-2 font-mono text-xs leading-5 outline-none focus-visible:ring-2"
    >
      {onOlder && (
        <div className="flex justify-center p-2 font-sans">
          <Button size="sm" variant="outline" pending={pending} onClick={onOlder}>
            Older lines
          </Button>
        </div>
      )}
      {lines.map((line, place) => (
        <p
          key={`${line.timestamp}-${lines.length - place}`}
          className="hover:bg-muted/50 grid gap-x-3 px-4 py-0.5 [contain-intrinsic-size:auto_24px] [content-visibility:auto] sm:grid-cols-[11.5rem_4.5rem_1fr]"
        >
          <time className="text-muted-foreground" dateTime={line.timestamp}>
            {line.timestamp.replace('T', ' ').slice(0, 23)}
          </time>
          <span className={cn('uppercase', COLORS[line.level] ?? 'text-muted-foreground')}>{line.level}</span>
          <span className="min-w-0 wrap-anywhere">
            {humanize(line.event)} <span className="text-muted-foreground">{wordsOf(line)}</span>
          </span>
        </p>
      ))}
    </div>
  )
}
