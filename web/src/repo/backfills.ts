import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { TRANSITION_POLL_MS, change } from './freshness'
import type { Backfill, BackfillBody, Page } from './types'

const BACKFILLS = ['backfills'] as const

export const isOpen = ({ status }: Backfill) => status === 'PENDING' || status === 'EXECUTING'

export const backfillsQuery = (pipelineId: number, page: { limit: number; offset: number }) =>
  queryOptions({
    queryKey: [...BACKFILLS, pipelineId, page],
    queryFn: ({ signal }) =>
      api.get<Page<Backfill>>(`/pipelines/${pipelineId}/backfill`, { ...page, sort: '-id' }, signal),
    refetchInterval: ({ state }) => (state.data?.items.some(isOpen) ? TRANSITION_POLL_MS : false),
  })

export const startBackfill = change({
  call: ({ pipelineId, ...body }: BackfillBody & { pipelineId: number }) =>
    api.post<Backfill>(`/pipelines/${pipelineId}/backfill`, body),
  invalidates: [BACKFILLS, ['dashboard']],
})

export const cancelBackfill = change({
  call: ({ pipeline_id, id }: Pick<Backfill, 'pipeline_id' | 'id'>) =>
    api.post<Backfill>(`/pipelines/${pipeline_id}/backfill/${id}/cancel`),
  invalidates: [BACKFILLS, ['dashboard']],
})
