import { expect, it } from 'vitest'
import type { AuditEntry, Notification } from '@/repo/types'
import { TIMELINE_ENTRIES, timelineOf } from './timeline'

const at = (minute: number) => `2026-11-20T10:${String(minute).padStart(2, '0')}:00Z`
const notification = (id: number, minute: number, resolved: number | null): Notification =>
  ({
    id,
    severity: 'WARNING',
    title: 'It lags',
    message: 'By 400 s.',
    created_at: at(minute),
    resolved_at: resolved === null ? null : at(resolved),
  }) as Notification
const entry = (id: number, action: string, minute: number): AuditEntry =>
  ({ id, action, actor_name: 'ada', created_at: at(minute) }) as AuditEntry

it('tells what was raised, what passed, and what people did, the newest first', () => {
  const shown = timelineOf(
    [notification(2, 20, null), notification(1, 5, 9)],
    [entry(7, 'pipeline.start', 7), entry(6, 'pipeline.create', 1)],
  )
  expect(shown.map(({ title, detail, tone }) => [title, detail, tone])).toEqual([
    ['It lags', 'By 400 s.', 'warning'],
    ['It lags', 'Resolved', 'success'],
    ['Asked to start', 'by ada', 'person'],
    ['It lags', 'By 400 s.', 'warning'],
    ['Created', 'by ada', 'person'],
  ])
})

it('ends, and names what it has no words for', () => {
  const many = Array.from({ length: 40 }, (_, id) => entry(id, 'pipeline.new_verb', id))
  const shown = timelineOf([], many)
  expect(shown).toHaveLength(TIMELINE_ENTRIES)
  expect(shown[0]).toMatchObject({ at: at(39), title: 'New verb' })
})
