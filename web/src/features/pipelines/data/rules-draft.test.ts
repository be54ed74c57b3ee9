import { describe, expect, it } from 'vitest'
import type { TableRules } from '@/repo/types'
import { PARCELS } from '@/test/parcels'
import { draftOf, rulesOf } from './rules-draft'

describe('what is saved comes back as it was', () => {
  it.each<TableRules>([
    { columns: null, masks: {}, filters: [], custom_sql: null },
    { columns: null, masks: { email: 'hash' }, filters: ["label LIKE 'a%'"], custom_sql: null },
    { columns: { id: 'id', label: 'name' }, masks: { label: 'redact' }, filters: [], custom_sql: null },
  ])('%j', (saved) => expect(rulesOf(draftOf(PARCELS, saved))).toEqual(saved))

  it('a list of columns as names that stay', () =>
    expect(
      rulesOf(draftOf(PARCELS, { columns: ['id', 'email'], masks: {}, filters: [], custom_sql: null }))
        .columns,
    ).toEqual({
      id: 'id',
      email: 'email',
    }))

  it('a condition as it is written', () =>
    expect(
      rulesOf(
        draftOf(PARCELS, {
          columns: null,
          masks: {},
          filters: [{ column: 'id', operator: '>', value: '5' }],
          custom_sql: null,
        }),
      ).filters,
    ).toEqual(["id > '5'"]))
})

it('masks nothing that is not sent, and takes an empty name for the same name', () => {
  const draft = draftOf(PARCELS, { columns: null, masks: { email: 'null' }, filters: [], custom_sql: null })
  const columns = draft.columns.map((column) => ({
    ...column,
    sent: column.name !== 'email',
    target: column.name === 'label' ? '  ' : column.target,
  }))
  expect(rulesOf({ ...draft, everything: false, columns })).toEqual({
    columns: { id: 'id', label: 'label' },
    masks: {},
    filters: [],
    custom_sql: null,
  })
})

it('sends a statement alone, and what stood beside it comes back without it', () => {
  const saved: TableRules = { columns: null, masks: {}, filters: [], custom_sql: 'SELECT id FROM batch' }
  const draft = draftOf(PARCELS, saved)
  expect(rulesOf({ ...draft, statement: ' SELECT id, label FROM batch ', filters: ['id > 5'] })).toEqual({
    ...saved,
    custom_sql: 'SELECT id, label FROM batch',
  })
  expect(rulesOf({ ...draft, statement: null, filters: ['id > 5'] })).toEqual({
    ...saved,
    filters: ['id > 5'],
    custom_sql: null,
  })
})
