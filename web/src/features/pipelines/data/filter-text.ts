/** As many conditions as the API takes. */
export const MOST_FILTERS = 5

interface Condition {
  column: string
  operator: string
  value?: unknown
}

const isCondition = (filter: unknown): filter is Condition =>
  typeof filter === 'object' && filter !== null && 'column' in filter && 'operator' in filter

const quotedName = (name: string) =>
  /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
const quotedValue = (value: unknown) => `'${String(value).replaceAll("'", "''")}'`

/** A condition as people write it, which the API reads as the same condition; text stays as it is. */
export function filterText(filter: unknown): string {
  if (!isCondition(filter)) return String(filter)
  const { column, operator, value } = filter
  const start = `${quotedName(column)} ${operator}`
  if (Array.isArray(value)) {
    const values = value.map(quotedValue)
    return operator === 'BETWEEN' ? `${start} ${values.join(' AND ')}` : `${start} (${values.join(', ')})`
  }
  return value == null ? start : `${start} ${quotedValue(value)}`
}

/** What is written, without the lines that were left empty. */
export const writtenFilters = (lines: readonly string[]): string[] =>
  lines.map((line) => line.trim()).filter((line) => line !== '')
