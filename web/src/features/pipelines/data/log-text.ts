import type { LogLine } from '@/repo/types'

/** What a line says besides its event: `destination=archive rows=7`. */
export function wordsOf({ fields }: LogLine): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}

/** A line of the file that can be downloaded. */
export function textOf(line: LogLine): string {
  return [line.timestamp, line.level.toUpperCase(), line.logger, line.event, wordsOf(line)]
    .filter(Boolean)
    .join(' ')
}
