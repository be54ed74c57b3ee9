import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, TRANSITION_POLL_MS, change } from './freshness'
import type {
  DesiredStatus,
  ParkPolicy,
  Page,
  Pipeline,
  PipelineDestination,
  PipelineFlow,
  TableName,
} from './types'

export const PIPELINES = ['pipelines'] as const
const TOUCHED = [PIPELINES, ['dashboard']]
const MOVING = new Set(['STARTING', 'SNAPSHOTTING', 'PAUSING', 'RESTARTING'])
const MOVING_TABLE = new Set(['PENDING', 'COPYING', 'RESYNC'])

/** On its way from one state to another, so worth looking at more often. */
function isMoving(pipeline: Pipeline): boolean {
  return pipeline.destinations.some(
    (destination) =>
      MOVING.has(destination.metadata?.status ?? '') ||
      (pipeline.status === 'START' && destination.table_syncs.some((table) => MOVING_TABLE.has(table.state))),
  )
}

export interface PipelineFilter {
  name?: string
  status?: DesiredStatus
  source_id?: number
  destination_id?: number
  limit?: number
  offset?: number
}

export const pipelinesQuery = (filter: PipelineFilter = {}) =>
  queryOptions({
    queryKey: [...PIPELINES, 'list', filter],
    queryFn: ({ signal }) => api.get<Page<Pipeline>>('/pipelines', { limit: 500, ...filter }, signal),
    refetchInterval: ({ state }) => (state.data?.items.some(isMoving) ? TRANSITION_POLL_MS : CALM_POLL_MS),
    placeholderData: keepPreviousData,
  })

const one = (id: number) => [...PIPELINES, 'one', id] as const

export const pipelineQuery = (id: number) =>
  queryOptions({
    queryKey: one(id),
    queryFn: ({ signal }) => api.get<Pipeline>(`/pipelines/${id}`, undefined, signal),
    refetchInterval: ({ state }) => (state.data && isMoving(state.data) ? TRANSITION_POLL_MS : 5_000),
  })

export const pipelineFlowQuery = (id: number, minutes: number, stepMinutes: number) =>
  queryOptions({
    queryKey: [...PIPELINES, 'flow', id, minutes, stepMinutes],
    queryFn: ({ signal }) =>
      api.get<PipelineFlow>(`/pipelines/${id}/monitoring`, { minutes, step_minutes: stepMinutes }, signal),
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  })

export interface PipelineDraft {
  name: string
  source_id: number
  destinations: { destination_id: number; table_syncs: TableName[]; sync_all_tables: boolean }[]
}

const written = (pipeline: Pipeline) => [[one(pipeline.id), pipeline]] as const

export const createPipeline = change({
  call: (body: PipelineDraft) => api.post<Pipeline>('/pipelines', body),
  writes: written,
  invalidates: TOUCHED,
})

export type PipelineWish = 'start' | 'pause' | 'refresh'

export const wishPipeline = change({
  call: ({ id, wish }: { id: number; wish: PipelineWish }) => api.post<Pipeline>(`/pipelines/${id}/${wish}`),
  writes: written,
  invalidates: TOUCHED,
})

export const renamePipeline = change({
  call: ({ id, name }: { id: number; name: string }) => api.put<Pipeline>(`/pipelines/${id}`, { name }),
  writes: written,
  invalidates: TOUCHED,
})

export type PipelineTuning = Pick<
  Pipeline,
  'engine' | 'profile' | 'max_batch_rows' | 'wal_budget_bytes' | 'wal_budget_policy'
>

export const tunePipeline = change({
  call: ({ id, tuning }: { id: number; tuning: PipelineTuning }) =>
    api.put<Pipeline>(`/pipelines/${id}`, tuning),
  writes: written,
  invalidates: TOUCHED,
})

export const deletePipeline = change({
  call: (id: number) => api.delete(`/pipelines/${id}`),
  invalidates: [[...PIPELINES, 'list'], ['dashboard']],
})

type OfPipeline<Body> = Body & { pipelineId: number; destinationId: number }

export const addDestination = change({
  call: ({ pipelineId, destinationId }: OfPipeline<object>) =>
    api.post<PipelineDestination>(`/pipelines/${pipelineId}/destinations`, { destination_id: destinationId }),
  invalidates: TOUCHED,
})

export const updateDestinationOfPipeline = change({
  call: ({ pipelineId, destinationId, ...body }: OfPipeline<{ park_policy: ParkPolicy }>) =>
    api.put<PipelineDestination>(`/pipelines/${pipelineId}/destinations/${destinationId}`, body),
  invalidates: TOUCHED,
})

export const removeDestination = change({
  call: ({ pipelineId, destinationId }: OfPipeline<object>) =>
    api.delete(`/pipelines/${pipelineId}/destinations/${destinationId}`),
  invalidates: TOUCHED,
})

export const resyncDestination = change({
  call: ({ pipelineId, destinationId }: OfPipeline<object>) =>
    api.post<PipelineDestination>(`/pipelines/${pipelineId}/destinations/${destinationId}/resync`),
  invalidates: TOUCHED,
})

export type TableWish = 'pause' | 'resume' | 'resync'

export const wishTable = change({
  call: ({ pipelineId, destinationId, syncId, wish }: OfPipeline<{ syncId: number; wish: TableWish }>) =>
    api.post(`/pipelines/${pipelineId}/destinations/${destinationId}/tables/${syncId}/${wish}`),
  invalidates: TOUCHED,
})
