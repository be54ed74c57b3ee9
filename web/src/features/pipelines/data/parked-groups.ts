import { humanize } from '@/lib/format'
import type { ErrorClass, ParkedGroup } from '@/repo/types'

/** What the dead letter queue is narrowed to, as the address has it; what is left out narrows nothing. */
export interface ParkedSearch {
  cause?: ErrorClass
  schema?: string
  table?: string
  code?: string
}

export const CAUSES: Record<ErrorClass, string> = {
  DATA: 'Refused by the target',
  OUTAGE: 'Target was away',
}

/** Codes that say nothing by themselves; `PG_` stands before a SQLSTATE. */
const REASONS: Record<string, string> = {
  PARKED_BEHIND: 'Waits behind an older change of its row',
  TABLE_HELD: 'Waits until its table is taken again',
  PG_22001: 'Text is too long for its column',
  PG_22003: 'A number is out of range',
  PG_22P02: 'Text that the type does not take',
  PG_23502: 'A column takes no NULL',
  PG_23503: 'A foreign key finds no row',
  PG_23505: 'A unique value is there already',
  PG_23514: 'A check constraint refuses the row',
  PG_42501: 'The user lacks a right',
}

/** Why the records of a group are parked, in words. */
export function reasonOf({ error_class, error_code }: ParkedGroup): string {
  if (!error_code) return CAUSES[error_class]
  return REASONS[error_code] ?? (/\d/.test(error_code) ? CAUSES[error_class] : humanize(error_code))
}

export function searchOf({ error_class, error_code, schema_name, table_name }: ParkedGroup): ParkedSearch {
  return { cause: error_class, schema: schema_name, table: table_name, code: error_code ?? undefined }
}

/** The search as the API takes it. */
export function filterOf({ cause, schema, table, code }: ParkedSearch) {
  return { error_class: cause, schema_name: schema, table_name: table, error_code: code }
}

export function isChosen(group: ParkedGroup, search: ParkedSearch): boolean {
  const its = searchOf(group)
  return (
    its.cause === search.cause &&
    its.schema === search.schema &&
    its.table === search.table &&
    its.code === search.code
  )
}
