import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { TRANSITION_POLL_MS, change } from './freshness'
import type { Page, VerifyRun } from './types'

export interface VerifiedTable {
  source: string
  target: string
  outcome: 'EQUAL' | 'DIFFERENT' | 'NOT_COMPARED'
  reason: string | null
  missing_columns: string[]
  source_rows: number
  target_rows: number
  difference_count: number
  missing: number
  extra: number
  changed: number
  truncated: boolean
  unsettled: number
  resync_asked: boolean
}

/** What a run found; the API describes it in words only, because it is versioned by itself. */
export interface VerifyReport {
  outcome: VerifiedTable['outcome']
  reason: string | null
  destinations: {
    destination: string
    outcome: VerifiedTable['outcome']
    reason: string | null
    parked_changes: number
    tables: VerifiedTable[]
  }[]
}

const root = (pipelineId: number) => ['verifications', pipelineId] as const

const isOpen = ({ status }: VerifyRun) => status === 'PENDING' || status === 'EXECUTING'

export const verificationsQuery = (pipelineId: number) =>
  queryOptions({
    queryKey: root(pipelineId),
    queryFn: ({ signal }) =>
      api.get<Page<VerifyRun>>(`/pipelines/${pipelineId}/verify`, { limit: 20, sort: '-id' }, signal),
    refetchInterval: ({ state }) => (state.data?.items.some(isOpen) ? TRANSITION_POLL_MS : false),
  })

export const startVerification = change({
  call: ({ pipelineId, ...body }: { pipelineId: number; destination_id: number | null; repair: boolean }) =>
    api.post<VerifyRun>(`/pipelines/${pipelineId}/verify`, body),
  invalidates: [['verifications']],
})

export const cancelVerification = change({
  call: ({ pipeline_id, id }: Pick<VerifyRun, 'pipeline_id' | 'id'>) =>
    api.post<VerifyRun>(`/pipelines/${pipeline_id}/verify/${id}/cancel`),
  invalidates: [['verifications']],
})
