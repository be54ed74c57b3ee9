import { useNow } from '@/lib/use-now'
import { formatAgo } from '@/lib/format'

/** When what is shown was asked for; it grows while the backend does not answer. */
export function UpdatedAgo({ at }: { at: number }) {
  const now = useNow(1_000)
  if (at === 0) return null
  return (
    <span className="text-muted-foreground text-xs tabular-nums">
      Updated {formatAgo(new Date(at).toISOString(), now)}
    </span>
  )
}

/** A point of time as people look at it, with the exact one beneath. */
export function Ago({ time }: { time: string | null | undefined }) {
  const now = useNow(5_000)
  return (
    <time
      dateTime={time ?? undefined}
      title={time ? new Date(time).toLocaleString() : undefined}
      className="whitespace-nowrap tabular-nums"
    >
      {formatAgo(time, now)}
    </time>
  )
}
