import type { PipelineDraft } from '@/repo/pipelines'
import type { SourceTable, TableName } from '@/repo/types'

export interface Draft {
  name: string
  sourceId: number | null
  destinationIds: readonly number[]
  /** Every table of the publication, those to come too; else the picked ones. */
  allTables: boolean
  /** `schema.table` */
  picked: ReadonlySet<string>
}

export const EMPTY_DRAFT: Draft = {
  name: '',
  sourceId: null,
  destinationIds: [],
  allTables: true,
  picked: new Set(),
}

export const nameOf = ({ schema_name, table_name }: TableName) => `${schema_name}.${table_name}`

export function matching(tables: readonly SourceTable[], text: string): SourceTable[] {
  const wanted = text.trim().toLowerCase()
  return wanted === '' ? [...tables] : tables.filter((table) => nameOf(table).toLowerCase().includes(wanted))
}

/** `picked` with all of `shown` added, or taken away when all were picked already: others stay as they are. */
export function toggleShown(picked: ReadonlySet<string>, shown: readonly SourceTable[]): Set<string> {
  const names = shown.map(nameOf)
  const next = new Set(picked)
  if (names.every((name) => picked.has(name))) for (const name of names) next.delete(name)
  else for (const name of names) next.add(name)
  return next
}

export function chosenTables(draft: Draft, tables: readonly SourceTable[]): SourceTable[] {
  return draft.allTables
    ? tables.filter(({ in_publication }) => in_publication)
    : tables.filter((table) => draft.picked.has(nameOf(table)))
}

const LONGEST_NAME = 200

/** What a pipeline is called until somebody calls it otherwise; none while its ends are not known. */
export function suggestedName(source: string | undefined, destinations: readonly string[]): string {
  if (source === undefined || destinations.length === 0) return ''
  return `${source} to ${destinations.join(' and ')}`.slice(0, LONGEST_NAME)
}

/** Why the step cannot be left yet; null when it can. */
export function missingAt(step: number, draft: Draft): string | null {
  if (step === 0 && draft.sourceId === null) return 'Choose a source.'
  if (step === 1 && draft.destinationIds.length === 0) return 'Choose at least one destination.'
  if (step === 2 && !draft.allTables && draft.picked.size === 0)
    return 'Choose at least one table, or every table.'
  if (step === 3 && draft.name.trim() === '') return 'Give the pipeline a name.'
  return null
}

export function bodyOf(draft: Draft & { sourceId: number }, tables: readonly SourceTable[]): PipelineDraft {
  const table_syncs = draft.allTables
    ? []
    : chosenTables(draft, tables).map(({ schema_name, table_name }) => ({ schema_name, table_name }))
  return {
    name: draft.name.trim(),
    source_id: draft.sourceId,
    destinations: draft.destinationIds.map((destination_id) => ({
      destination_id,
      table_syncs,
      sync_all_tables: draft.allTables,
    })),
  }
}
