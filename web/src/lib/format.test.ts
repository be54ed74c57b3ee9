import { describe, expect, it } from 'vitest'
import {
  formatAgo,
  formatBytes,
  formatCredits,
  formatSeconds,
  formatServerVersion,
  humanize,
  plural,
} from './format'

describe('formatSeconds', () => {
  it.each([
    [null, '–'],
    [0, '0 ms'],
    [0.034, '34 ms'],
    [4.25, '4.3 s'],
    [10, '10 s'],
    [59.6, '60 s'],
    [60, '1 min'],
    [185, '3 min 5 s'],
    [3600, '1 h'],
    [7810, '2 h 10 min'],
    [86_400, '1 d'],
    [356_400, '4 d 3 h'],
  ])('%s as %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))
})

describe('formatBytes', () => {
  it.each([
    [undefined, '–'],
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1_600_000, '1.53 MiB'],
    [5 * 1024 ** 3, '5 GiB'],
    [300 * 1024 ** 4, '300 TiB'],
  ])('%s as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})

describe('formatAgo', () => {
  const now = Date.parse('2026-01-02T00:00:00Z')
  it.each([
    [null, 'never'],
    ['2026-01-02T00:00:30Z', 'just now'],
    ['2026-01-01T23:59:48Z', '12 s ago'],
    ['2026-01-01T23:55:00Z', '5 min ago'],
    ['2026-01-01T00:00:00Z', '1 d ago'],
  ])('%s as %s', (time, text) => expect(formatAgo(time, now)).toBe(text))
})

it('says names as people do', () => {
  expect(humanize('RESYNC_REQUIRED')).toBe('Resync required')
  expect(plural(1, 'table')).toBe('1 table')
  expect(plural(12_000, 'table')).toBe('12,000 tables')
  expect(formatServerVersion(180_004)).toBe('18.4')
})

it.each([
  ['0', '0.00'],
  ['1234.5678', '1,234.57'],
  ['0.00032', '0.00032'],
  ['0.01', '0.01'],
])('writes %s as %s', (credits, text) => expect(formatCredits(credits)).toBe(text))
