import { expect, it } from 'vitest'
import { changedValues } from './edited-values'

it('keeps only what says something else, and tells NULL from an empty text', () => {
  const values = { id: '1', note: null, total: '5', city: '' }
  expect(changedValues(values, { note: '', total: '5', city: null, id: undefined })).toEqual({
    note: '',
    city: null,
  })
})
