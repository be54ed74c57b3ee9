interface PostgresUrl {
  pg_host?: string
  pg_port?: number
  pg_database?: string
  pg_username?: string
  pg_password?: string
  sslmode?: string
}

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

/** What `postgresql://user:password@host:port/database?sslmode=...` says; null for a text that is no such URL. */
export function parsePostgresUrl(text: string): PostgresUrl | null {
  const trimmed = text.trim()
  if (!/^postgres(ql)?:\/\//i.test(trimmed)) return null
  let url: URL
  try {
    // The browser takes apart only schemes that it knows; the rest of the grammar is the same.
    url = new URL(trimmed.replace(/^[^:]+:/, 'http:'))
  } catch {
    return null
  }
  const parts: PostgresUrl = {}
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part)
    } catch {
      return part
    }
  }
  if (url.hostname) parts.pg_host = url.hostname.replace(/^\[|\]$/g, '')
  parts.pg_port = portOf(trimmed) ?? 5432
  if (url.username) parts.pg_username = decoded(url.username)
  if (url.password) parts.pg_password = decoded(url.password)
  const database = decoded(url.pathname.replace(/^\//, ''))
  if (database) parts.pg_database = database
  const sslmode = url.searchParams.get('sslmode')
  if (sslmode && SSL_MODES.includes(sslmode)) parts.sslmode = sslmode
  return parts
}

/** The port as written: `URL` hides 80, which is http's own. */
function portOf(text: string): number | null {
  const authority = text.replace(/^[^:]+:\/\//, '').split(/[/?#]/)[0] ?? ''
  const port = /:(\d{1,5})$/.exec(authority)?.[1]
  return port ? Number(port) : null
}
