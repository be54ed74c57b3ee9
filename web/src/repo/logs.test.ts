import { expect, it } from 'vitest'
import { withNewer } from './logs'
import type { LogLine, LogView } from './types'

const line = (event: string): LogLine => ({
  event,
  level: 'info',
  logger: 'x',
  timestamp: '2026-01-01T00:00:00Z',
  fields: {},
})
const view = (events: string[], older: string | null, newer: string | null): LogView => ({
  lines: events.map(line),
  older,
  newer,
})

it('adds what came since, and keeps both ends', () => {
  const known = withNewer(view(['a'], 'o', 'n1'), view(['b'], 'elsewhere', 'n2'))
  expect(known.lines.map(({ event }) => event)).toEqual(['a', 'b'])
  expect([known.older, known.newer]).toEqual(['o', 'n2'])
})

it('forgets the oldest lines of a long log, and no cursor', () => {
  const long = view(
    Array.from({ length: 3000 }, (_, n) => `${n}`),
    null,
    'n1',
  )
  const known = withNewer(long, view(['last'], null, null))
  expect(known.lines).toHaveLength(3000)
  expect(known.lines.at(-1)?.event).toBe('last')
  expect(known.newer).toBe('n1')
})
