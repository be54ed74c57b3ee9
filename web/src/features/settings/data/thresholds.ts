import type { Settings } from '@/repo/settings'

const GIB = 1024 ** 3

interface Threshold {
  key: string
  label: string
  hint: string
  unit: 'GiB' | 'days' | 's' | 'changes' | 'a day'
  /** What counts while nothing is set, in the setting's own unit. */
  standard: number
}

export const THRESHOLDS: readonly Threshold[] = [
  {
    key: 'wal.warning_bytes',
    label: 'WAL: warn from',
    hint: 'What slots retain at one source.',
    unit: 'GiB',
    standard: 5 * GIB,
  },
  {
    key: 'wal.critical_bytes',
    label: 'WAL: critical from',
    hint: 'More than the warning.',
    unit: 'GiB',
    standard: 20 * GIB,
  },
  {
    key: 'alerts.lag_seconds',
    label: 'Lag: alert from',
    hint: 'From commit to target.',
    unit: 's',
    standard: 300,
  },
  {
    key: 'alerts.dlq_rows',
    label: 'Parked: alert from',
    hint: 'At one destination.',
    unit: 'changes',
    standard: 1,
  },
  {
    key: 'alerts.stuck_bytes',
    label: 'Slot that stands still: alert from',
    hint: 'What its WAL has grown by meanwhile.',
    unit: 'GiB',
    standard: GIB / 4,
  },
  {
    key: 'alerts.credits_per_day',
    label: 'Credits: alert from',
    hint: 'Of Snowflake, at one destination.',
    unit: 'a day',
    standard: 24,
  },
  {
    key: 'wal.metric_days',
    label: 'Keep WAL measurements',
    hint: 'For the charts of slots.',
    unit: 'days',
    standard: 30,
  },
  {
    key: 'flow.days',
    label: 'Keep flow measurements',
    hint: 'For throughput and lag.',
    unit: 'days',
    standard: 90,
  },
  {
    key: 'system.metric_days',
    label: 'Keep system measurements',
    hint: 'Memory and load of the services.',
    unit: 'days',
    standard: 7,
  },
  {
    key: 'notification.days',
    label: 'Keep notifications',
    hint: 'After they were resolved.',
    unit: 'days',
    standard: 90,
  },
]

const factor = ({ unit }: Threshold) => (unit === 'GiB' ? GIB : 1)

/** What a field shows: empty while the standard counts. */
export function shownValue(threshold: Threshold, settings: Settings): string {
  const value = settings[threshold.key]
  return typeof value === 'number' ? String(Number((value / factor(threshold)).toFixed(3))) : ''
}

export const shownStandard = (threshold: Threshold) => String(threshold.standard / factor(threshold))

/** What is wrong with a typed value; null when nothing is. */
export function problemOf(text: string): string | null {
  if (text.trim() === '') return null
  const value = Number(text)
  return Number.isFinite(value) && value > 0 ? null : 'A number above 0, or empty for the standard'
}

/** The body that saves the fields: an empty one goes back to its standard. */
export function settingsBody(fields: Record<string, string>): Settings {
  const body: Settings = {}
  for (const threshold of THRESHOLDS) {
    const text = (fields[threshold.key] ?? '').trim()
    body[threshold.key] = text === '' ? null : Math.max(1, Math.round(Number(text) * factor(threshold)))
  }
  return body
}
