import { expect, it } from 'vitest'
import { largestDay } from './credits'

it('finds the largest day, also of none', () => {
  expect(largestDay([{ credits: '0.5' }, { credits: '10.25' }])).toBe(10.25)
  expect(largestDay([])).toBe(0)
})
