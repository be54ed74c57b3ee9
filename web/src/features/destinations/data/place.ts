import type { Destination } from '@/repo/types'

/** Where a destination is, in one line. */
export function placeOf({ type, config }: Destination): string {
  const parts = config as Record<string, string | number | undefined>
  if (type === 'POSTGRESQL') {
    const schema = parts.pg_schema ? `, schema ${parts.pg_schema}` : ''
    return `${parts.pg_host}:${parts.pg_port}/${parts.pg_database}${schema}`
  }
  return `${parts.snowflake_account}, ${parts.snowflake_database}.${parts.snowflake_schema}`
}
