import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { change } from './freshness'
import type { Page, Preset, TableName } from './types'

const PRESETS = ['presets'] as const

/** Selections of tables that were given a name, to be used again. */
export const presetsQuery = (sourceId: number) =>
  queryOptions({
    queryKey: [...PRESETS, sourceId],
    queryFn: ({ signal }) =>
      api.get<Page<Preset>>(`/sources/${sourceId}/presets`, { limit: 500, sort: 'name' }, signal),
  })

export const createPreset = change({
  call: ({ sourceId, ...body }: { sourceId: number; name: string; tables: TableName[] }) =>
    api.post<Preset>(`/sources/${sourceId}/presets`, body),
  invalidates: [PRESETS],
})

export const deletePreset = change({
  call: ({ sourceId, id }: { sourceId: number; id: number }) =>
    api.delete(`/sources/${sourceId}/presets/${id}`),
  invalidates: [PRESETS],
})
