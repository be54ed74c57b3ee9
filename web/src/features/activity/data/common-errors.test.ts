import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { COMMON_ERRORS, errorsAbout } from './common-errors'

it('names only codes that the services use', () => {
  const source = execFileSync(
    'git',
    ['grep', '-hoE', '"[A-Z_]{5,}"', '--', ':/rosetta/**.py', ':/compute/**.py', ':/backend/app/**.py'],
    { encoding: 'utf8' },
  )
  const known = new Set(source.split('\n').map((line) => line.replaceAll('"', '')))
  expect(COMMON_ERRORS.flatMap(({ codes }) => codes).filter((code) => !known.has(code))).toEqual([])
})

it('finds by words of any part, and by code', () => {
  expect(errorsAbout('slot_lost').map(({ title }) => title)).toEqual(['The slot is gone, or was lost'])
  expect(errorsAbout('password server')).not.toHaveLength(0)
  expect(errorsAbout('no such words')).toEqual([])
  expect(errorsAbout('')).toHaveLength(COMMON_ERRORS.length)
})
