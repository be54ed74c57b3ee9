import { expect, it } from 'vitest'
import type { Destination } from '@/repo/types'
import { destinationBody, postgresValues, snowflakeValues } from './destination-form'

const saved = {
  id: 1,
  name: 'warehouse',
  type: 'POSTGRESQL',
  config: {
    pg_host: 'h',
    pg_port: 5433,
    pg_database: 'd',
    pg_username: 'u',
    pg_schema: 'copy',
    sslmode: 'require',
  },
  secrets: { pg_password: true },
  has_password: true,
  created_at: '',
  updated_at: '',
} as Destination

it('never shows a secret, and sends none that was not typed', () => {
  const values = postgresValues(saved)
  expect(values.pg_password).toBe('')
  expect(destinationBody(values, true).config).not.toHaveProperty('pg_password')
})

it('removes a setting that was emptied', () => {
  expect(destinationBody({ ...postgresValues(saved), pg_schema: '' }, true).config.pg_schema).toBeNull()
  expect(destinationBody({ ...postgresValues(), pg_host: 'h' }, false).config).not.toHaveProperty('pg_schema')
})

it('tells the kinds apart', () => {
  expect(destinationBody(postgresValues(), false).type).toBe('POSTGRESQL')
  expect(destinationBody(snowflakeValues(), false)).toEqual({ name: '', type: 'SNOWFLAKE', config: {} })
})
