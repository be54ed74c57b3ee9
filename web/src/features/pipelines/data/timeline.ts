import { humanize } from '@/lib/format'
import type { AuditEntry, Notification } from '@/repo/types'

export interface TimelineEntry {
  key: string
  at: string
  tone: 'danger' | 'warning' | 'info' | 'success' | 'person'
  title: string
  detail: string
}

export const TIMELINE_ENTRIES = 10
const TONES = { CRITICAL: 'danger', WARNING: 'warning', INFO: 'info' } as const
const DONE: Record<string, string> = {
  create: 'Created',
  update: 'Changed',
  start: 'Asked to start',
  pause: 'Asked to pause',
  refresh: 'Asked to restart',
  add_destination: 'Destination added',
  update_destination: 'Destination changed',
  remove_destination: 'Destination removed',
  resync_destination: 'Asked to copy a destination again',
  verify: 'Asked to compare',
  verify_cancel: 'Comparison cancelled',
}

/** What happened to a pipeline, and what people did with it; the newest first. */
export function timelineOf(
  notifications: readonly Notification[],
  audit: readonly AuditEntry[],
): TimelineEntry[] {
  return [...notifications.flatMap(told), ...audit.map(done)]
    .sort((one, other) => Date.parse(other.at) - Date.parse(one.at))
    .slice(0, TIMELINE_ENTRIES)
}

function told({ id, severity, title, message, created_at, resolved_at }: Notification): TimelineEntry[] {
  const raised = {
    key: `raised ${id}`,
    at: created_at,
    tone: TONES[severity],
    title,
    detail: message,
  }
  if (!resolved_at) return [raised]
  const resolved = {
    key: `resolved ${id}`,
    at: resolved_at,
    tone: 'success' as const,
    title,
    detail: 'Resolved',
  }
  return [raised, resolved]
}

function done({ id, action, actor_name, created_at }: AuditEntry): TimelineEntry {
  const verb = action.split('.')[1] ?? action
  return {
    key: `done ${id}`,
    at: created_at,
    tone: 'person',
    title: DONE[verb] ?? humanize(verb),
    detail: `by ${actor_name}`,
  }
}
