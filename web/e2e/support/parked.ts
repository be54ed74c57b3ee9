import { expect, test } from './test'

/** What was let through since a former file of tests goes first: it would not pass the constraint. */
const REFUSE_GLASS = `
  BEGIN;
  LOCK TABLE shop.parcels;
  ALTER TABLE shop.parcels DROP CONSTRAINT IF EXISTS no_glass;
  DELETE FROM shop.parcels WHERE label = 'glass';
  ALTER TABLE shop.parcels ADD CONSTRAINT no_glass CHECK (label <> 'glass');
  COMMIT`
const PARKED = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"

/** While a file's tests run, one change waits in the dead letter queue of the archive: its target takes no glass. */
export function haveOneParked(): void {
  test.beforeAll(async ({ stage }) => {
    await stage.sql('archive', REFUSE_GLASS)
    await stage.sql(
      'shop',
      "INSERT INTO shop.parcels VALUES (700, 'glass', 7) ON CONFLICT (id) DO UPDATE SET weight = parcels.weight + 1",
    )
    await expect
      .poll(async () => Number((await stage.sql('rosetta', PARKED))[0]?.[0]), { timeout: 30_000 })
      .toBeGreaterThan(0)
  })

  test.afterAll(async ({ stage }) => {
    await stage.sql('archive', 'ALTER TABLE shop.parcels DROP CONSTRAINT IF EXISTS no_glass')
  })
}
