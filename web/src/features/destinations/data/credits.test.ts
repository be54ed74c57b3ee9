import { expect, it } from 'vitest'
import { formatCredits, largestDay } from './credits'

it.each([
  ['0', '0.00'],
  ['1234.5678', '1,234.57'],
  ['0.00032', '0.00032'],
  ['0.01', '0.01'],
])('writes %s as %s', (credits, text) => expect(formatCredits(credits)).toBe(text))

it('finds the largest day, also of none', () => {
  expect(largestDay([{ credits: '0.5' }, { credits: '10.25' }])).toBe(10.25)
  expect(largestDay([])).toBe(0)
})
