import * as z from 'zod/mini'
import { EMPTY_POSTGRES, objectName, postgresFields } from '@/lib/postgres-form'
import type { Destination, DestinationBody } from '@/repo/types'

export const postgresSchema = z.object({ name: objectName, ...postgresFields, pg_schema: z.string() })
export type PostgresTarget = z.infer<typeof postgresSchema>

const needed = z.string().check(z.trim(), z.minLength(1, 'This is needed'))

/** Which text is a key only the backend knows, which reads every form that tools write; here it only must be there. */
export const snowflakeSchema = (keyIsSaved: boolean) =>
  z.object({
    name: objectName,
    snowflake_account: needed,
    snowflake_user: needed,
    snowflake_database: needed,
    snowflake_schema: needed,
    snowflake_role: z.string(),
    snowflake_warehouse: z.string(),
    snowflake_private_key: keyIsSaved ? z.string() : needed,
    snowflake_private_key_passphrase: z.string(),
  })
export type SnowflakeTarget = z.infer<ReturnType<typeof snowflakeSchema>>

const FIELD_OF_CODE: readonly (readonly [RegExp, keyof SnowflakeTarget])[] = [
  [/^KEY_PASSPHRASE_/, 'snowflake_private_key_passphrase'],
  [/^KEY_/, 'snowflake_private_key'],
  [/^ACCOUNT_/, 'snowflake_account'],
  [/^USER_/, 'snowflake_user'],
  [/^ROLE_/, 'snowflake_role'],
  [/^WAREHOUSE_/, 'snowflake_warehouse'],
]

/** The field that a refusal is about, by its code: what is no body's mistake comes without the name of a field. */
export const fieldOfRefusal = (code: string): keyof SnowflakeTarget | undefined =>
  FIELD_OF_CODE.find(([codes]) => codes.test(code))?.[1]

const text = (value: unknown) => (typeof value === 'string' ? value : '')

export function postgresValues(saved?: Destination): PostgresTarget {
  const config = saved?.config ?? {}
  return {
    name: saved?.name ?? '',
    ...EMPTY_POSTGRES,
    ...(config as Partial<PostgresTarget>),
    pg_password: '',
    pg_schema: text(config.pg_schema),
  }
}

export function snowflakeValues(saved?: Destination): SnowflakeTarget {
  const config = saved?.config ?? {}
  return {
    name: saved?.name ?? '',
    snowflake_account: text(config.snowflake_account),
    snowflake_user: text(config.snowflake_user),
    snowflake_database: text(config.snowflake_database),
    snowflake_schema: text(config.snowflake_schema),
    snowflake_role: text(config.snowflake_role),
    snowflake_warehouse: text(config.snowflake_warehouse),
    snowflake_private_key: '',
    snowflake_private_key_passphrase: '',
  }
}

const SECRETS = new Set(['pg_password', 'snowflake_private_key', 'snowflake_private_key_passphrase'])

/**
 * The body of a destination. What was left empty is not sent; when `saved` is changed, an emptied setting is sent
 * as null, which removes it, and an empty secret stays as it is.
 */
export function destinationBody(values: PostgresTarget | SnowflakeTarget, saved: boolean): DestinationBody {
  const { name, ...fields } = values
  const config: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(fields)) {
    if (value !== '') config[key] = value
    else if (saved && !SECRETS.has(key)) config[key] = null
  }
  return { name, type: 'pg_host' in values ? 'POSTGRESQL' : 'SNOWFLAKE', config }
}
