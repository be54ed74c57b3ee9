import { describe, expect, it } from 'vitest'
import type { SourceTable } from '@/repo/types'
import { EMPTY_DRAFT, bodyOf, chosenTables, matching, missingAt, suggestedName, toggleShown } from './draft'

const table = (table_name: string, in_publication = true): SourceTable => ({
  schema_name: 'shop',
  table_name,
  size_bytes: 1,
  rows_estimated: 1,
  key: ['id'],
  replica_identity: 'd',
  partitioned: false,
  in_publication,
})
const TABLES = [table('orders'), table('order_lines'), table('users', false)]

describe('toggleShown', () => {
  it('picks what the filter shows, and nothing else', () => {
    expect(toggleShown(new Set(['shop.users']), matching(TABLES, 'ORDER'))).toEqual(
      new Set(['shop.users', 'shop.orders', 'shop.order_lines']),
    )
  })

  it('takes away only what the filter shows', () => {
    const all = new Set(['shop.orders', 'shop.order_lines', 'shop.users'])
    expect(toggleShown(all, matching(TABLES, 'order'))).toEqual(new Set(['shop.users']))
  })
})

it('sends no table when every one of the publication is meant', () => {
  const draft = {
    ...EMPTY_DRAFT,
    name: ' copy ',
    sourceId: 3,
    destinationIds: [1, 2],
    picked: new Set(['shop.users']),
  }
  expect(bodyOf(draft, TABLES)).toEqual({
    name: 'copy',
    source_id: 3,
    destinations: [1, 2].map((destination_id) => ({
      destination_id,
      table_syncs: [],
      sync_all_tables: true,
    })),
  })
  expect(chosenTables(draft, TABLES)).toHaveLength(2)
})

it('sends the picked tables to each destination', () => {
  const draft = {
    ...EMPTY_DRAFT,
    name: 'copy',
    sourceId: 3,
    destinationIds: [1],
    allTables: false,
    picked: new Set(['shop.users']),
  }
  expect(bodyOf(draft, TABLES).destinations).toEqual([
    {
      destination_id: 1,
      table_syncs: [{ schema_name: 'shop', table_name: 'users' }],
      sync_all_tables: false,
    },
  ])
})

it('calls a pipeline by its ends', () => {
  expect(suggestedName('shop', ['warehouse'])).toBe('shop to warehouse')
  expect(suggestedName('shop', ['warehouse', 'archive'])).toBe('shop to warehouse and archive')
  expect(suggestedName('shop', [])).toBe('')
  expect(suggestedName('shop', ['w'.repeat(300)])).toHaveLength(200)
})

it('says what is missing at each step', () => {
  expect([0, 1, 2, 3].map((step) => missingAt(step, { ...EMPTY_DRAFT, allTables: false }) !== null)).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(missingAt(2, EMPTY_DRAFT)).toBeNull()
})
