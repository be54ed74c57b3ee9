import type { Pipeline, PipelineFlow, TableSync } from '@/repo/types'

/** Worst first: the state that speaks for a pipeline. */
const WORST_FIRST = [
  'FAILED',
  'RESYNC_REQUIRED',
  'BLOCKED',
  'RETRYING',
  'RESTARTING',
  'STARTING',
  'PAUSING',
  'SNAPSHOTTING',
  'RUNNING',
  'PAUSED',
]

export function observedStatus(pipeline: Pipeline): string | null {
  const seen = new Set(pipeline.destinations.map(({ metadata }) => metadata?.status as string | undefined))
  return WORST_FIRST.find((status) => seen.has(status)) ?? null
}

export function worstLagSeconds(pipeline: Pipeline): number | null {
  const lags = pipeline.destinations.flatMap(({ metadata }) => metadata?.lag_seconds ?? [])
  return lags.length > 0 ? Math.max(...lags) : null
}

export function parkedChanges(pipeline: Pipeline): number {
  return pipeline.destinations.reduce((sum, { parked_changes }) => sum + parked_changes, 0)
}

export function tableCount(pipeline: Pipeline): number {
  return pipeline.destinations.reduce((sum, { table_syncs }) => sum + table_syncs.length, 0)
}

export interface TableRow extends TableSync {
  destinationId: number
  destinationName: string
  /** `schema.table` at the source. */
  source: string
  target: string
  /** The worst of `LAG_MINUTES`; null where nothing came. */
  lagSeconds: number | null
}

export const LAG_MINUTES = 10

const place = (destinationId: number, schema: string, table: string) => `${destinationId} ${schema}.${table}`

/** One row for each table of each destination, with the lag that was measured there. */
export function tableRows(pipeline: Pipeline, measured: PipelineFlow['points'] = []): TableRow[] {
  const worst = new Map<string, number>()
  for (const { destination_id, schema_name, table_name, lag_seconds_max } of measured) {
    const key = place(destination_id, schema_name, table_name)
    if (lag_seconds_max !== null) worst.set(key, Math.max(worst.get(key) ?? 0, lag_seconds_max))
  }
  return pipeline.destinations.flatMap(({ destination, table_syncs }) =>
    table_syncs.map((sync) => ({
      ...sync,
      destinationId: destination.id,
      destinationName: destination.name,
      source: `${sync.schema_name}.${sync.table_name}`,
      target: `${sync.target_schema ?? sync.schema_name}.${sync.target_name ?? sync.table_name}`,
      lagSeconds: worst.get(place(destination.id, sync.schema_name, sync.table_name)) ?? null,
    })),
  )
}

interface TableFilter {
  text: string
  state: string
  destinationId: number | null
  tag: string
}

export function filterTables(
  rows: readonly TableRow[],
  { text, state, destinationId, tag }: TableFilter,
): TableRow[] {
  const wanted = text.trim().toLowerCase()
  return rows.filter(
    (row) =>
      (wanted === '' ||
        row.source.toLowerCase().includes(wanted) ||
        row.target.toLowerCase().includes(wanted)) &&
      (state === 'all' || row.state === state) &&
      (tag === 'all' || row.tags.includes(tag)) &&
      (destinationId === null || row.destinationId === destinationId),
  )
}
