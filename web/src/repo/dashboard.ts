import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, TRANSITION_POLL_MS } from './freshness'
import type { Flow, Summary, WalMetric, WalMonitor } from './types'

const MOVING = ['STARTING', 'SNAPSHOTTING', 'PAUSING', 'RESTARTING']

export const summaryQuery = queryOptions({
  queryKey: ['dashboard', 'summary'],
  queryFn: ({ signal }) => api.get<Summary>('/dashboard/summary', undefined, signal),
  refetchInterval: ({ state }) =>
    MOVING.some((status) => state.data?.pipelines_by_status[status]) ? TRANSITION_POLL_MS : CALM_POLL_MS,
})

export const flowQuery = (minutes: number, stepMinutes: number) =>
  queryOptions({
    queryKey: ['dashboard', 'flow', minutes, stepMinutes],
    queryFn: ({ signal }) => api.get<Flow>('/dashboard/flow', { minutes, step_minutes: stepMinutes }, signal),
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  })

export const walMonitorQuery = queryOptions({
  queryKey: ['wal-monitor'],
  queryFn: ({ signal }) => api.get<WalMonitor[]>('/wal-monitor', undefined, signal),
  refetchInterval: 30_000,
})

/** The newest measurements of a source's slots, a row each. */
export const walHistoryQuery = (sourceId: number) =>
  queryOptions({
    queryKey: ['wal-history', sourceId],
    queryFn: ({ signal }) =>
      api.get<WalMetric[]>('/wal-metrics', { source_id: sourceId, limit: 1000 }, signal),
    refetchInterval: 30_000,
  })
