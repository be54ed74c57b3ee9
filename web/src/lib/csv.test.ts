import { expect, it } from 'vitest'
import { toCsv } from './csv'

it('quotes what would be read as something else', () => {
  expect(
    toCsv(
      ['a', 'b'],
      [
        ['x,y', 'say "so"'],
        ['two\nlines', null],
        [1.5, false],
      ],
    ),
  ).toBe('a,b\r\n"x,y","say ""so"""\r\n"two\nlines",\r\n1.5,false')
})

it('makes formulas harmless, and leaves numbers alone', () => {
  expect(toCsv(['n'], [['=HYPERLINK("x")'], ['@cmd'], [-3]])).toBe(
    'n\r\n"\'=HYPERLINK(""x"")"\r\n\'@cmd\r\n-3',
  )
})
