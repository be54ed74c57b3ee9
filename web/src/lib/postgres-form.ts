import * as z from 'zod/mini'

const bytes = (text: string) => new TextEncoder().encode(text).length

/** A name in a PostgreSQL catalog. */
export const identifier = z.string().check(
  z.minLength(1, 'This is needed'),
  z.refine((name) => bytes(name) <= 63, 'A PostgreSQL name has at most 63 bytes'),
)

export const postgresFields = {
  pg_host: z.string().check(z.trim(), z.minLength(1, 'This is needed'), z.maxLength(253, 'This is too long')),
  pg_port: z
    .number('A port is a number')
    .check(z.int('A port is a whole number'), z.gte(1, 'From 1 to 65535'), z.lte(65_535, 'From 1 to 65535')),
  pg_database: identifier,
  pg_username: identifier,
  pg_password: z.string(),
  sslmode: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']),
}

export const objectName = z
  .string()
  .check(z.trim(), z.minLength(1, 'This is needed'), z.maxLength(200, 'At most 200 characters'))

export interface PostgresValues {
  pg_host: string
  pg_port: number
  pg_database: string
  pg_username: string
  pg_password: string
  sslmode: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
}

/** What a connection test needs; a password may be left out. */
export const CONNECTION_FIELDS = ['pg_host', 'pg_port', 'pg_database', 'pg_username', 'sslmode'] as const

export const EMPTY_POSTGRES: PostgresValues = {
  pg_host: '',
  pg_port: 5432,
  pg_database: '',
  pg_username: '',
  pg_password: '',
  sslmode: 'prefer',
}
