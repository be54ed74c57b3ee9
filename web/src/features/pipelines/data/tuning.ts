import type { PipelineTuning } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'

const GIB = 1024 ** 3
const MOST_ROWS = 2 ** 31 - 1

export const ENGINES = [
  { value: 'debezium', label: 'Debezium: on a JVM' },
  { value: 'pgoutput', label: 'pgoutput: without a JVM, less memory' },
]
export const PROFILES = [
  { value: 'small', label: 'Small: less memory' },
  { value: 'fast', label: 'Fast: larger batches' },
]
export const BUDGET_POLICIES = [
  { value: 'warn', label: 'Warn' },
  { value: 'pause', label: 'Leave behind who holds the slot back' },
  { value: 'drop_slot', label: 'Drop the slot: copy all again' },
]

/** What the form holds; empty texts for what is not set. */
export interface TuningFields {
  engine: string
  profile: string
  batchRows: string
  budgetGib: string
  budgetPolicy: string
}

export function tuningOf(pipeline: Pipeline): TuningFields {
  const budget = pipeline.wal_budget_bytes
  return {
    engine: pipeline.engine,
    profile: pipeline.profile,
    batchRows: pipeline.max_batch_rows === null ? '' : String(pipeline.max_batch_rows),
    budgetGib: budget === null ? '' : String(Number((budget / GIB).toFixed(3))),
    budgetPolicy: pipeline.wal_budget_policy,
  }
}

/** What is wrong with each text; nothing where nothing is. */
export function tuningProblems({ batchRows, budgetGib }: TuningFields) {
  const rows = Number(batchRows)
  const gib = Number(budgetGib)
  return {
    batchRows:
      batchRows.trim() === '' || (Number.isInteger(rows) && rows >= 1 && rows <= MOST_ROWS)
        ? undefined
        : 'A whole number from 1, or empty for as many as the memory holds',
    budgetGib:
      budgetGib.trim() === '' || (Number.isFinite(gib) && gib > 0)
        ? undefined
        : 'A number above 0, or empty for none',
  }
}

export function tuningBody(fields: TuningFields): PipelineTuning {
  return {
    engine: fields.engine as Pipeline['engine'],
    profile: fields.profile as Pipeline['profile'],
    max_batch_rows: fields.batchRows.trim() === '' ? null : Number(fields.batchRows),
    wal_budget_bytes:
      fields.budgetGib.trim() === '' ? null : Math.max(1, Math.round(Number(fields.budgetGib) * GIB)),
    wal_budget_policy: fields.budgetPolicy as Pipeline['wal_budget_policy'],
  }
}
