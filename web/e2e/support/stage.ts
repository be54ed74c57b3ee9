/** What breaks and mends the platform behind the pages: tests/dashboard/stage.py. */

interface Facts {
  backend: string
  token: string
  api_token: string
  databases: Record<'shop' | 'warehouse' | 'archive', string>
}

/** `crm` is for a test to create, beside the shop. */
type Database = keyof Facts['databases'] | 'crm' | 'rosetta'
type Cell = string | number | boolean | null

export class Stage {
  constructor(
    private readonly url: string,
    readonly facts: Facts,
  ) {}

  static async open(): Promise<Stage> {
    const url = `http://127.0.0.1:${process.env.STAGE_PORT}`
    const answer = await fetch(`${url}/facts`)
    return new Stage(url, (await answer.json()) as Facts)
  }

  /** Runs SQL as superuser; the rows of the last statement. */
  async sql(database: Database, text: string): Promise<Cell[][]> {
    const { rows } = await this.post<{ rows: Cell[][] }>('/sql', { database, text })
    return rows
  }

  /** How many rows a table has, of those that `where` names; none while there is no such table. */
  async count(database: Database, table: string, where = 'true'): Promise<number> {
    const [found] = await this.sql(database, `SELECT to_regclass('${table}') IS NOT NULL`)
    if (!found?.[0]) return 0
    return Number((await this.sql(database, `SELECT count(*) FROM ${table} WHERE ${where}`))[0]?.[0])
  }

  /** A target that is not up refuses every connection. */
  async target(database: Database, up: boolean): Promise<void> {
    await this.post('/target', { database, up })
  }

  /** The titles of what the webhook was told. */
  async heard(): Promise<string[]> {
    const answer = await fetch(`${this.url}/heard`)
    return ((await answer.json()) as { titles: string[] }).titles
  }

  async backend(up: boolean): Promise<void> {
    await this.post('/backend', { up })
  }

  /** Asks the API, past the pages; with a body it posts that. */
  async api<Answer>(path: string, body?: object): Promise<Answer> {
    const answer = await fetch(`${this.facts.backend}/api/v1${path}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        Authorization: `Bearer ${this.facts.api_token}`,
        ...(body && { 'Content-Type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    return (await answer.json()) as Answer
  }

  private async post<Answer>(path: string, body: object): Promise<Answer> {
    const answer = await fetch(this.url + path, { method: 'POST', body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    return (await answer.json()) as Answer
  }
}
