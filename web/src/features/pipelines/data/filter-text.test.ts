import { expect, it } from 'vitest'
import { filterText, writtenFilters } from './filter-text'

it.each([
  [{ column: 'id', operator: '>=', value: 7 }, "id >= '7'"],
  [{ column: 'Odd "name"', operator: '=', value: "it's" }, `"Odd ""name""" = 'it''s'`],
  [{ column: 'kind', operator: 'NOT IN', value: ['a', 'b'] }, "kind NOT IN ('a', 'b')"],
  [
    { column: 'at', operator: 'BETWEEN', value: ['2026-01-01', '2026-02-01'] },
    "at BETWEEN '2026-01-01' AND '2026-02-01'",
  ],
  [{ column: 'gone', operator: 'IS NULL' }, 'gone IS NULL'],
  ['id > 5', 'id > 5'],
])('writes %j as %s', (filter, text) => expect(filterText(filter)).toBe(text))

it('leaves out what was left empty', () => expect(writtenFilters(['', ' id > 5 ', '  '])).toEqual(['id > 5']))
