import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { change } from './freshness'
import { PIPELINES } from './pipelines'
import { inspected } from './sources'
import type { RulesPreview, TableRules, TableSchema, TableSync } from './types'

/** Columns and keys of what the source publishes. */
export const sourceSchemaQuery = (sourceId: number) =>
  queryOptions({
    queryKey: ['source-schema', sourceId],
    queryFn: ({ signal }) =>
      api.get<{ tables: TableSchema[] }>(`/sources/${sourceId}/schema`, undefined, signal),
    ...inspected,
  })

interface RulesOfTable {
  pipelineId: number
  destinationId: number
  rules: TableRules
}

const tables = ({ pipelineId, destinationId }: RulesOfTable) =>
  `/pipelines/${pipelineId}/destinations/${destinationId}/tables`

/** What rules would do; nothing is saved. */
export const previewRules = change({
  call: ({ sync, ...of }: RulesOfTable & { sync: Pick<TableSync, 'id' | 'schema_name' | 'table_name'> }) =>
    api.post<RulesPreview>(`${tables(of)}/validate`, {
      sync_id: sync.id,
      schema_name: sync.schema_name,
      table_name: sync.table_name,
      ...of.rules,
    }),
  invalidates: [],
})

export const saveRules = change({
  call: ({ syncId, ...of }: RulesOfTable & { syncId: number }) =>
    api.put<TableSync>(`${tables(of)}/${syncId}`, of.rules),
  invalidates: [PIPELINES],
})
