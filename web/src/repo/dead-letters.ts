import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, change } from './freshness'
import type {
  Discarded,
  ErrorClass,
  ParkedDetail,
  ParkedGroups,
  ParkedPage,
  ParkedState,
  Recovered,
} from './types'

export interface Lane {
  pipelineId: number
  destinationId: number
}

interface ParkedFilter {
  table_name?: string
  schema_name?: string
  error_class?: ErrorClass
  error_code?: string
  state?: ParkedState[]
  limit?: number
  offset?: number
  sort?: string
}

const at = ({ pipelineId, destinationId }: Lane) => `/pipelines/${pipelineId}/destinations/${destinationId}`
const ROOT = ['dead-letters'] as const
const TOUCHED = [ROOT, ['pipelines'], ['dashboard', 'summary']]

export const parkedQuery = (lane: Lane, filter: ParkedFilter, paused: boolean) =>
  queryOptions({
    queryKey: [...ROOT, lane, filter],
    queryFn: ({ signal }) => api.get<ParkedPage>(`${at(lane)}/dlq`, { ...filter }, signal),
    refetchInterval: paused ? false : CALM_POLL_MS,
    placeholderData: keepPreviousData,
  })

export const parkedGroupsQuery = (lane: Lane, paused: boolean) =>
  queryOptions({
    queryKey: [...ROOT, 'groups', lane],
    queryFn: ({ signal }) => api.get<ParkedGroups>(`${at(lane)}/dlq/groups`, undefined, signal),
    refetchInterval: paused ? false : CALM_POLL_MS,
  })

/** One record with its values. It is not polled: nothing moves beneath somebody who edits it. */
export const parkedRecordQuery = (lane: Lane, id: number) =>
  queryOptions({
    queryKey: ['dead-letter', lane, id],
    queryFn: ({ signal }) => api.get<ParkedDetail>(`${at(lane)}/dlq/${id}`, undefined, signal),
    refetchOnWindowFocus: false,
    gcTime: 0,
  })

export type Selection = { ids: number[] } | { filter: Omit<ParkedFilter, 'state'> } | { all: true }

export const recoverParked = change({
  call: ({ lane, selection }: { lane: Lane; selection: Selection }) =>
    api.post<Recovered>(`${at(lane)}/recover-dlq`, selection),
  invalidates: TOUCHED,
})

export const discardParked = change({
  call: ({ lane, selection, reason }: { lane: Lane; selection: Selection; reason: string }) =>
    api.post<Discarded>(`${at(lane)}/dlq/discard`, { ...selection, reason }),
  invalidates: TOUCHED,
})

export const editParked = change({
  call: ({
    lane,
    id,
    ...body
  }: {
    lane: Lane
    id: number
    change: number
    values: Record<string, string | null>
  }) => api.put<ParkedDetail>(`${at(lane)}/dlq/${id}`, body),
  writes: (record, { lane, id }) => [[['dead-letter', lane, id], record]],
  invalidates: TOUCHED,
})
