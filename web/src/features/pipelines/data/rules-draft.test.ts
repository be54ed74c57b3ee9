import { describe, expect, it } from 'vitest'
import type { TableRules, TableSchema } from '@/repo/types'
import { draftOf, rulesOf } from './rules-draft'

const TABLE: TableSchema = {
  schema_name: 'shop',
  table_name: 'parcels',
  key: ['id'],
  columns: [
    { name: 'id', type: 'bigint', nullable: false },
    { name: 'label', type: 'text', nullable: true },
    { name: 'email', type: 'text', nullable: true },
  ],
}

describe('what is saved comes back as it was', () => {
  it.each<TableRules>([
    { columns: null, masks: {}, filters: [] },
    { columns: null, masks: { email: 'hash' }, filters: ["label LIKE 'a%'"] },
    { columns: { id: 'id', label: 'name' }, masks: { label: 'redact' }, filters: [] },
  ])('%j', (saved) => expect(rulesOf(draftOf(TABLE, saved))).toEqual(saved))

  it('a list of columns as names that stay', () =>
    expect(rulesOf(draftOf(TABLE, { columns: ['id', 'email'], masks: {}, filters: [] })).columns).toEqual({
      id: 'id',
      email: 'email',
    }))

  it('a condition as it is written', () =>
    expect(
      rulesOf(
        draftOf(TABLE, { columns: null, masks: {}, filters: [{ column: 'id', operator: '>', value: '5' }] }),
      ).filters,
    ).toEqual(["id > '5'"]))
})

it('masks nothing that is not sent, and takes an empty name for the same name', () => {
  const draft = draftOf(TABLE, { columns: null, masks: { email: 'null' }, filters: [] })
  const columns = draft.columns.map((column) => ({
    ...column,
    sent: column.name !== 'email',
    target: column.name === 'label' ? '  ' : column.target,
  }))
  expect(rulesOf({ ...draft, everything: false, columns })).toEqual({
    columns: { id: 'id', label: 'label' },
    masks: {},
    filters: [],
  })
})
