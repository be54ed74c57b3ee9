import { describe, expect, it } from 'vitest'
import { parsePostgresUrl } from './postgres-url'

describe('parsePostgresUrl', () => {
  it('takes every part', () => {
    expect(
      parsePostgresUrl(' postgresql://ann:p%40ss%2Fword@db.example.org:6543/sh%20op?sslmode=require '),
    ).toEqual({
      pg_host: 'db.example.org',
      pg_port: 6543,
      pg_username: 'ann',
      pg_password: 'p@ss/word',
      pg_database: 'sh op',
      sslmode: 'require',
    })
  })

  it('knows the standard port, port 80, and addresses in brackets', () => {
    expect(parsePostgresUrl('postgres://h/d')?.pg_port).toBe(5432)
    expect(parsePostgresUrl('postgres://h:80/d')?.pg_port).toBe(80)
    expect(parsePostgresUrl('postgres://u@[::1]:5433/d')).toMatchObject({ pg_host: '::1', pg_port: 5433 })
  })

  it('leaves out what is not said, and a mode that does not exist', () => {
    expect(parsePostgresUrl('postgresql://host?sslmode=maybe')).toEqual({ pg_host: 'host', pg_port: 5432 })
  })

  it.each(['', 'host=localhost dbname=x', 'mysql://h/d', 'postgresql://h:99999999/d'])(
    'refuses %s',
    (text) => {
      expect(parsePostgresUrl(text)).toBeNull()
    },
  )

  it('takes a password with a broken escape as it stands', () => {
    expect(parsePostgresUrl('postgresql://u:100%@h/d')?.pg_password).toBe('100%')
  })
})
