import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, change } from './freshness'
import type {
  Credits,
  Destination,
  DestinationBody,
  DestinationDetail,
  Forced,
  KeyPair,
  Page,
  Preflight,
  TargetAnswer,
} from './types'

const DESTINATIONS = ['destinations'] as const
const TOUCHED = [DESTINATIONS, ['pipelines'], ['dashboard']]

export const destinationsQuery = queryOptions({
  queryKey: [...DESTINATIONS, 'list'],
  queryFn: ({ signal }) => api.get<Page<Destination>>('/destinations', { limit: 500, sort: 'name' }, signal),
  refetchInterval: CALM_POLL_MS * 3,
})

export const destinationQuery = (id: number) =>
  queryOptions({
    queryKey: [...DESTINATIONS, 'one', id],
    queryFn: ({ signal }) => api.get<DestinationDetail>(`/destinations/${id}`, undefined, signal),
  })

export const destinationPreflightQuery = (id: number) =>
  queryOptions({
    queryKey: ['destination-preflight', id],
    queryFn: ({ signal }) => api.get<Preflight>(`/destinations/${id}/preflight`, undefined, signal),
    staleTime: 30_000,
    refetchOnWindowFocus: false,
    retry: false,
  })

export const testDestination = change({
  call: (body: Omit<DestinationBody, 'name'>) =>
    api.post<TargetAnswer>('/destinations/test-connection', body),
  invalidates: [],
})

export const testSavedDestination = change({
  call: (id: number) => api.post<TargetAnswer>(`/destinations/${id}/test-connection`),
  invalidates: [],
})

export const createDestination = change({
  call: (body: DestinationBody) => api.post<Destination>('/destinations', body),
  invalidates: TOUCHED,
})

export const updateDestination = change({
  call: ({ id, ...body }: { id: number; name: string; config: Record<string, unknown> }) =>
    api.put<Destination>(`/destinations/${id}`, body),
  invalidates: [...TOUCHED, ['destination-preflight']],
})

/** Answers with what was left behind, when it was forced. */
export const deleteDestination = change({
  call: ({ id, force }: { id: number; force: boolean }) =>
    api.delete<Forced | ''>(`/destinations/${id}`, { force }),
  invalidates: [[...DESTINATIONS, 'list'], ['dashboard']],
})

export const keyQuery = (id: number) =>
  queryOptions({
    queryKey: [...DESTINATIONS, 'key', id],
    queryFn: ({ signal }) => api.get<KeyPair>(`/destinations/${id}/key`, undefined, signal),
  })

/** Asked of Snowflake itself at most once an hour, by the backend: to ask uses credits, too. */
export const creditsQuery = (id: number, days: number) =>
  queryOptions({
    queryKey: ['destination-credits', id, days],
    queryFn: ({ signal }) => api.get<Credits>(`/destinations/${id}/credits`, { days }, signal),
    staleTime: 600_000,
    retry: false,
  })
