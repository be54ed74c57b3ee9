import { type QueryClient, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { TRANSITION_POLL_MS } from './freshness'
import type { LogLine, LogView } from './types'

export const LOG_LEVELS = ['debug', 'info', 'warning', 'error'] as const

export interface LogFilter {
  level: (typeof LOG_LEVELS)[number]
  search?: string
}

const PAGE = 300
/** What is kept of a log that is followed for hours. */
const KEPT_LINES = 3_000

const read = (
  pipelineId: number,
  filter: LogFilter,
  cursor: { before?: string; after?: string },
  signal?: AbortSignal,
) => api.get<LogView>(`/pipelines/${pipelineId}/logs`, { ...filter, ...cursor, limit: PAGE }, signal)

/** Lines that are known, with those that came since; without any, the newest. */
export function withNewer(known: LogView | undefined, more: LogView): LogView {
  if (!known) return more
  const lines: LogLine[] = [...known.lines, ...more.lines]
  return { ...known, lines: lines.slice(-KEPT_LINES), newer: more.newer ?? known.newer }
}

/** The log so far. Each time it is asked for, what was logged since is added to it. */
export const logQuery = (client: QueryClient, pipelineId: number, filter: LogFilter, following: boolean) => {
  const queryKey = ['pipeline-log', pipelineId, filter] as const
  return queryOptions({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = client.getQueryData<LogView>(queryKey)
      const after = known?.newer ?? undefined
      return withNewer(after ? known : undefined, await read(pipelineId, filter, { after }, signal))
    },
    refetchInterval: following ? TRANSITION_POLL_MS : false,
    refetchOnWindowFocus: following,
    gcTime: 0,
  })
}

/** Puts older lines before those that are known. */
export async function readOlder(client: QueryClient, pipelineId: number, filter: LogFilter): Promise<void> {
  const queryKey = ['pipeline-log', pipelineId, filter]
  const before = client.getQueryData<LogView>(queryKey)?.older
  if (!before) return
  const more = await read(pipelineId, filter, { before })
  client.setQueryData<LogView>(
    queryKey,
    (known) => known && { ...known, lines: [...more.lines, ...known.lines], older: more.older },
  )
}
