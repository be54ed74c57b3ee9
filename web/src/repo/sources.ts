import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, change } from './freshness'
import type {
  Forced,
  Page,
  Preflight,
  Publication,
  SchemaVersion,
  Slots,
  Source,
  SourceAnswer,
  SourceBody,
  SourceConnection,
  SourceDetail,
  SourceTable,
  TableName,
} from './types'

const SOURCES = ['sources'] as const
const TOUCHED = [SOURCES, ['dashboard']]

export const sourcesQuery = queryOptions({
  queryKey: [...SOURCES, 'list'],
  queryFn: ({ signal }) => api.get<Page<Source>>('/sources', { limit: 500, sort: 'name' }, signal),
  refetchInterval: CALM_POLL_MS * 3,
})

export const sourceQuery = (id: number) =>
  queryOptions({
    queryKey: [...SOURCES, 'one', id],
    queryFn: ({ signal }) => api.get<SourceDetail>(`/sources/${id}`, undefined, signal),
  })

/** Looks into the source's own database, so it is asked for when somebody wants it, not by polling. */
export const inspected = { staleTime: 30_000, refetchOnWindowFocus: false, retry: false } as const

export const preflightQuery = (id: number) =>
  queryOptions({
    queryKey: ['source-preflight', id],
    queryFn: ({ signal }) => api.get<Preflight>(`/sources/${id}/preflight`, undefined, signal),
    ...inspected,
  })

export const sourceTablesQuery = (id: number) =>
  queryOptions({
    queryKey: ['source-tables', id],
    queryFn: ({ signal }) => api.get<Page<SourceTable>>(`/sources/${id}/tables`, { limit: 10_000 }, signal),
    ...inspected,
  })

interface SchemaChangesFilter {
  table_name?: string
  first: boolean
  limit: number
  offset: number
}

export const schemaChangesQuery = (id: number, filter: SchemaChangesFilter) =>
  queryOptions({
    queryKey: ['schema-changes', id, filter],
    queryFn: ({ signal }) =>
      api.get<Page<SchemaVersion>>(`/sources/${id}/schema-changes`, { ...filter }, signal),
    placeholderData: keepPreviousData,
  })

export const slotsQuery = (id: number) =>
  queryOptions({
    queryKey: ['source-slots', id],
    queryFn: ({ signal }) => api.get<Slots>(`/sources/${id}/replication-slot`, undefined, signal),
    ...inspected,
  })

export const testSource = change({
  call: (body: SourceConnection) => api.post<SourceAnswer>('/sources/test-connection', body),
  invalidates: [],
})

export const testSavedSource = change({
  call: (id: number) => api.post<SourceAnswer>(`/sources/${id}/test-connection`),
  invalidates: [],
})

export const createSource = change({
  call: (body: SourceBody) => api.post<Source>('/sources', body),
  invalidates: TOUCHED,
})

export const updateSource = change({
  call: ({ id, ...body }: Partial<SourceBody> & { id: number }) => api.put<Source>(`/sources/${id}`, body),
  invalidates: [...TOUCHED, ['source-preflight'], ['source-tables'], ['source-slots']],
})

/** Answers with what was left behind, when it was forced. */
export const deleteSource = change({
  call: ({ id, force }: { id: number; force: boolean }) =>
    api.delete<Forced | ''>(`/sources/${id}`, { force }),
  invalidates: [[...SOURCES, 'list'], ['dashboard']],
})

export const createPublication = change({
  call: ({ id, tables }: { id: number; tables: TableName[] }) =>
    api.post<Publication>(`/sources/${id}/publication`, { tables }),
  invalidates: [SOURCES, ['source-preflight'], ['source-tables']],
})

export const dropOrphanedSlots = change({
  call: (id: number) => api.delete<Slots>(`/sources/${id}/replication-slot`),
  writes: (slots, id) => [[['source-slots', id], slots]],
  invalidates: [],
})
