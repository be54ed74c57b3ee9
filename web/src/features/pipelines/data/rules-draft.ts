import type { TableRules, TableSchema } from '@/repo/types'
import { filterText, writtenFilters } from './filter-text'

export const MASKS = [
  { value: 'plain', label: 'as it is' },
  { value: 'hash', label: 'hashed' },
  { value: 'redact', label: 'redacted' },
  { value: 'null', label: 'NULL' },
]
/** What keeps the values of a key apart. */
export const KEY_MASKS = MASKS.slice(0, 2)

export interface ColumnDraft {
  name: string
  type: string
  inKey: boolean
  sent: boolean
  /** Its name at the target. */
  target: string
  mask: string
}

export interface RulesDraft {
  /** Every column is sent under its own name, also those that join later. */
  everything: boolean
  columns: ColumnDraft[]
  filters: string[]
  /** One SELECT in place of columns, masks and filters; null: they are what counts. */
  statement: string | null
}

/** What is saved, ready to be changed. */
export function draftOf(table: TableSchema, saved: TableRules): RulesDraft {
  const { columns } = saved
  const names =
    columns === null
      ? null
      : new Map(Array.isArray(columns) ? columns.map((n) => [n, n]) : Object.entries(columns))
  return {
    everything: names === null,
    columns: table.columns.map(({ name, type }) => ({
      name,
      type,
      inKey: table.key.includes(name),
      sent: names === null || names.has(name),
      target: names?.get(name) ?? name,
      mask: String(saved.masks[name] ?? 'plain'),
    })),
    filters: saved.filters.map(filterText),
    statement: saved.custom_sql,
  }
}

/** What a draft comes to. */
export function rulesOf({ everything, columns, filters, statement }: RulesDraft): TableRules {
  if (statement !== null) return { columns: null, masks: {}, filters: [], custom_sql: statement.trim() }
  const sent = columns.filter((column) => everything || column.sent)
  return {
    columns: everything
      ? null
      : Object.fromEntries(sent.map(({ name, target }) => [name, target.trim() || name])),
    masks: Object.fromEntries(
      sent.filter(({ mask }) => mask !== 'plain').map(({ name, mask }) => [name, mask]),
    ),
    filters: writtenFilters(filters),
    custom_sql: null,
  }
}
