import { expect, it } from 'vitest'
import { THRESHOLDS, problemOf, settingsBody, shownValue } from './thresholds'

const [warning] = THRESHOLDS

it('shows and saves GiB as bytes, and an empty field as the standard', () => {
  if (!warning) throw new Error('no threshold')
  expect(shownValue(warning, { 'wal.warning_bytes': 1_610_612_736 })).toBe('1.5')
  expect(shownValue(warning, {})).toBe('')
  const body = settingsBody({ 'wal.warning_bytes': ' 1.5 ', 'flow.days': '30' })
  expect(body).toMatchObject({
    'wal.warning_bytes': 1_610_612_736,
    'flow.days': 30,
    'wal.critical_bytes': null,
  })
})

it.each(['0', '-1', 'many', 'NaN', 'Infinity'])('refuses %s', (text) =>
  expect(problemOf(text)).not.toBeNull(),
)
it.each(['', ' ', '1', '0.5'])('takes "%s"', (text) => expect(problemOf(text)).toBeNull())
