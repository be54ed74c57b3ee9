import { rmSync } from 'node:fs'
import { SESSION, expect, test } from './support/test'

test.describe.configure({ mode: 'serial' })

test.beforeAll(async ({ stage }) => {
  rmSync(SESSION, { force: true })
  await stage.sql('shop', 'CREATE TABLE shop.parcels (id int PRIMARY KEY, label text, weight numeric)')
  await stage.sql('shop', 'ALTER TABLE shop.parcels OWNER TO shop')
  await stage.sql(
    'shop',
    "INSERT INTO shop.parcels SELECT n, 'parcel ' || n, n FROM generate_series(1, 500) n",
  )
  // What the preflight shall find.
  await stage.sql('shop', 'ALTER ROLE shop NOREPLICATION')
})

test('nobody is signed in, and the one-time link signs in', async ({ page, stage, context }) => {
  await page.goto('/pipelines')
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  await page.goto(`/first-sign-in#token=${stage.facts.token}`)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByText('Three steps to the first replicated row')).toBeVisible()
  await context.storageState({ path: SESSION })
})

test('a source is connected, and its failed preflight is mended with the SQL that it shows', async ({
  page,
  stage,
  complaints,
}) => {
  complaints.announce(/test-connection/)
  await page.goto('/')
  await page.getByRole('link', { name: 'Add a source' }).click()
  await page.getByLabel('Name').fill('shop')
  await page
    .getByLabel('Connection URL')
    .fill(`${stage.facts.databases.shop.replace(/:[^:@]+@/, ':wrong@')}?sslmode=disable`)
  await page.getByLabel('Publication').fill('rosetta_shop')
  await page.getByRole('button', { name: 'Test the connection' }).click()
  await expect(page.getByRole('alert').filter({ hasText: 'The connection failed' })).toBeVisible()

  await page.getByLabel('Connection URL').fill(`${stage.facts.databases.shop}?sslmode=disable`)
  await page.getByRole('button', { name: 'Test the connection' }).click()
  await expect(page.getByText('wal_level logical')).toBeVisible()
  await page.getByRole('button', { name: 'Save and check' }).click()

  await expect(page.getByText(/findings? must be mended first/)).toBeVisible()
  const finding = page.getByRole('listitem').filter({ hasText: 'The user shop may not replicate.' })
  await finding.getByRole('button', { name: 'Copy' }).click()
  await stage.sql('shop', await page.evaluate(() => navigator.clipboard.readText()))
  await page.getByRole('button', { name: 'Make the publication' }).click()
  await expect(page.getByText(/Publication rosetta_shop has/)).toBeVisible()
  await page.getByRole('button', { name: 'Check again' }).click()
  await expect(page.getByText('Everything is as it should be.').or(page.getByText('Ready.'))).toBeVisible()
})

for (const name of ['warehouse', 'archive'] as const) {
  test(`the destination ${name} is connected`, async ({ page, stage }) => {
    await page.goto('/destinations/new')
    await page.getByLabel('Name').fill(name)
    await page.getByLabel('Connection URL').fill(`${stage.facts.databases[name]}?sslmode=disable`)
    await page.getByRole('button', { name: 'Save and check' }).click()
    await expect(page.getByRole('heading', { name: `Check ${name}` })).toBeVisible()
    await expect(page.getByText('Everything is as it should be.').or(page.getByText('Ready.'))).toBeVisible()
  })
}
