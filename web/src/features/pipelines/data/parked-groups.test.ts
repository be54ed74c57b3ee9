import { expect, it } from 'vitest'
import type { ParkedGroup } from '@/repo/types'
import { filterOf, isChosen, reasonOf, searchOf } from './parked-groups'

const GROUP: ParkedGroup = {
  schema_name: 'shop',
  table_name: 'parcels',
  error_class: 'DATA',
  error_code: 'PG_23514',
  records: 2,
  changes: 2,
}

it('says in words why', () => {
  const words = (error_code: string | null, error_class: ParkedGroup['error_class'] = 'DATA') =>
    reasonOf({ ...GROUP, error_class, error_code })
  expect(words('PG_23514')).toBe('A check constraint refuses the row')
  expect(words('SCHEMA_MISMATCH')).toBe('Schema mismatch')
  expect(words('CONNECTION_REFUSED', 'OUTAGE')).toBe('Connection refused')
  expect(words('PG_2200G')).toBe('Refused by the target')
  expect(words('PG_57P01', 'OUTAGE')).toBe('Target was away')
  expect(words(null)).toBe('Refused by the target')
})

it('is a filter of the list, with what the API calls its parts', () => {
  const search = searchOf(GROUP)
  expect(filterOf(search)).toEqual({
    error_class: 'DATA',
    schema_name: 'shop',
    table_name: 'parcels',
    error_code: 'PG_23514',
  })
  expect(isChosen(GROUP, search)).toBe(true)
  expect(isChosen({ ...GROUP, schema_name: 'public' }, search)).toBe(false)
  expect(isChosen(GROUP, { cause: 'DATA' })).toBe(false)
})
