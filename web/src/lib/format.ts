const NOTHING = '–'
const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
/** Steps that are whole in the units of `formatBytes`. */
export const BYTE_STEPS = Array.from({ length: 53 }, (_, power) => 2 ** power)

const whole = new Intl.NumberFormat('en')
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export function formatCount(count: number | null | undefined): string {
  return count == null ? NOTHING : whole.format(count)
}

/** 1,234,567 as `1.2M`: for figures that stand where there is little room. */
export function formatCompact(count: number | null | undefined): string {
  return count == null ? NOTHING : compact.format(count)
}

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes == null) return NOTHING
  let size = bytes
  let unit = 0
  while (Math.abs(size) >= 1024 && unit < BINARY_UNITS.length - 1) {
    size /= 1024
    unit += 1
  }
  const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2
  return `${Number(size.toFixed(digits))} ${BINARY_UNITS[unit]}`
}

/** A length of time as people say it: `340 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`. */
export function formatSeconds(seconds: number | null | undefined): string {
  if (seconds == null) return NOTHING
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const parts: [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ]
  const rounded = Math.round(seconds)
  const first = parts.findIndex(([length]) => rounded >= length)
  return parts
    .slice(first, first + 2)
    .map(([length, unit], place) => {
      const above = place === 0 ? Infinity : (parts[first]?.[0] ?? Infinity)
      return [Math.floor((rounded % above) / length), unit] as const
    })
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ')
}

/** How long ago, in one unit: `just now`, `12 s ago`, `5 min ago`. A time to come counts as now. */
export function formatAgo(time: string | null | undefined, now: number = Date.now()): string {
  if (!time) return 'never'
  const seconds = Math.max(0, (now - Date.parse(time)) / 1000)
  if (seconds < 2) return 'just now'
  if (seconds < 60) return `${Math.floor(seconds)} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} d ago`
}

export function formatTime(time: string | null | undefined): string {
  if (!time) return NOTHING
  return new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
}

/** `RESYNC_REQUIRED` as `Resync required`. */
export function humanize(name: string): string {
  const words = name.replaceAll('_', ' ').toLowerCase()
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** 180004 as `18.4`. */
export function formatServerVersion(version: number | null | undefined): string {
  return version == null ? NOTHING : `${Math.floor(version / 10_000)}.${version % 10_000}`
}

const cents = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const fraction = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** Decimal text of credits with two places; what is less than that keeps its first digits instead of being none. */
export function formatCredits(credits: string): string {
  const amount = Number(credits)
  return amount > 0 && amount < 0.01 ? fraction.format(amount) : cents.format(amount)
}
