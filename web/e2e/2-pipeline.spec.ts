import { expect, openPipeline, test } from './support/test'

test.describe.configure({ mode: 'serial' })

test('a pipeline is created and started, and its rows arrive', async ({ page, stage }) => {
  await page.goto('/pipelines/new')
  await page.getByRole('radio', { name: /shop/ }).check()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('checkbox', { name: /warehouse/ }).check()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('radio', { name: /Only the tables/ }).check()
  await page.getByLabel('Find a table').fill('parc')
  await page.getByRole('checkbox', { name: /All 1 that fit/ }).check()
  await expect(page.getByText(/1 of \d+ chosen/)).toBeVisible()
  await page.getByRole('radio', { name: /Every table/ }).check()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByLabel('Name of the pipeline').fill('orders')
  await page.getByRole('button', { name: 'Create and start' }).click()

  await expect(page.getByRole('heading', { name: 'orders' })).toBeVisible()
  await expect(page.getByText('Running', { exact: true }).first()).toBeVisible({ timeout: 60_000 })
  await expect.poll(() => stage.count('warehouse', 'shop.parcels'), { timeout: 30_000 }).toBe(500)
  await stage.sql('shop', "INSERT INTO shop.parcels VALUES (501, 'streamed', 1)")
  await expect.poll(() => stage.count('warehouse', 'shop.parcels')).toBe(501)
})

test('a paused pipeline stops, and goes on where it stopped', async ({ page, stage }) => {
  await openPipeline(page, 'orders')
  await page.getByRole('button', { name: 'Pause' }).click()
  await expect(page.getByText('Paused', { exact: true }).first()).toBeVisible()
  await expect(page.getByRole('button', { name: 'Start' })).toBeVisible()
  await stage.sql('shop', "INSERT INTO shop.parcels VALUES (502, 'while paused', 1)")
  await page.getByRole('button', { name: 'Start' }).click()
  await expect(page.getByText('Running', { exact: true }).first()).toBeVisible({ timeout: 60_000 })
  await expect.poll(() => stage.count('warehouse', 'shop.parcels', 'id = 502')).toBe(1)
})

test('a destination joins while the pipeline runs', async ({ page, stage }) => {
  await openPipeline(page, 'orders', 'Destinations')
  await page.getByRole('combobox', { name: 'Destination to add' }).click()
  await page.getByRole('option', { name: 'archive' }).click()
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(page.getByRole('link', { name: 'archive' })).toBeVisible()
  await expect.poll(() => stage.count('archive', 'shop.parcels'), { timeout: 60_000 }).toBe(502)
  await page.getByRole('tab', { name: 'Tables' }).click()
  const row = page.getByRole('row').filter({ hasText: 'shop.parcels' }).filter({ hasText: 'archive' })
  await expect(row.getByText('Streaming')).toBeVisible()
})

test('rows that are wrong at a target are copied again by a backfill', async ({ page, stage }) => {
  await stage.sql('warehouse', "UPDATE shop.parcels SET label = 'tampered' WHERE id <= 20")
  await openPipeline(page, 'orders', 'Backfills')
  await page.getByRole('combobox', { name: 'Table' }).fill('shop.parcels')
  await page.getByRole('button', { name: 'Add a filter' }).click()
  await page.getByRole('textbox', { name: 'Filter 1' }).fill('id <= 10')
  await page.getByRole('button', { name: 'Start the backfill' }).click()
  const job = page.getByRole('list', { name: 'Backfills' }).getByRole('listitem').first()
  await expect(job.getByText('Completed')).toBeVisible({ timeout: 60_000 })
  await expect(job).toContainText('id <= ')
  const left = () => stage.count('warehouse', 'shop.parcels', "label = 'tampered'")
  expect(await left()).toBe(10) // those that do not pass are left as they are
  await stage.sql('shop', "UPDATE shop.parcels SET label = 'parcel' WHERE id <= 20")
  await expect.poll(left).toBe(0)
})

test('the rules of a table are tried before they are saved', async ({ page }) => {
  await openPipeline(page, 'orders', 'Tables')
  await page.getByRole('button', { name: 'Actions for shop.parcels at warehouse' }).click()
  await page.getByRole('menuitem', { name: 'Columns and rows…' }).click()
  await page.getByRole('button', { name: 'Add a filter' }).click()
  await page.getByRole('textbox', { name: 'Filter 1' }).fill('id <= 10')
  await page.getByRole('button', { name: 'Try it' }).click()
  await expect(page.getByRole('status', { name: 'Dry run' })).toContainText(
    /Rows of the table502.*pass10.*go492/,
  )
})

test('a running pipeline goes on with another profile and fewer rows per batch', async ({ page, stage }) => {
  await openPipeline(page, 'orders', 'Settings')
  await page.getByRole('combobox', { name: 'Profile' }).click()
  await page.getByRole('option', { name: /^Fast/ }).click()
  await page.getByRole('textbox', { name: 'Rows per batch' }).fill('700')
  await page.getByRole('button', { name: 'Apply' }).click()
  await expect(page.getByText('It was saved; a running pipeline goes on with it.')).toBeVisible()
  const { items } = await stage.api<{ items: [{ id: number }] }>('/pipelines')
  expect(await stage.api(`/pipelines/${items[0].id}`)).toMatchObject({ profile: 'fast', max_batch_rows: 700 })
  await page.reload()
  await expect(page.getByRole('textbox', { name: 'Rows per batch' })).toHaveValue('700')
  await expect(page.getByRole('combobox', { name: 'Profile' })).toContainText('Fast')
  await stage.sql('shop', "UPDATE shop.parcels SET label = 'in smaller batches' WHERE id = 500")
  await expect
    .poll(() => stage.count('warehouse', 'shop.parcels', "label = 'in smaller batches'"), { timeout: 60_000 })
    .toBe(1)
})

test('a pipeline tells what was done with it, and the list is narrowed by what its pipelines have', async ({
  page,
}) => {
  await openPipeline(page, 'orders')
  const entries = page.getByRole('list', { name: 'Timeline' }).getByRole('listitem')
  // The newest ones are shown: what was done last is there, whatever else was told meanwhile.
  await expect(entries.filter({ hasText: 'Changed' }).first()).toBeVisible()

  await page.goto('/pipelines')
  await page.getByRole('combobox', { name: 'Destination' }).click()
  await page.getByRole('option', { name: 'archive (1)' }).click()
  await expect(page).toHaveURL(/destination=archive/)
  await expect(page.getByRole('link', { name: 'orders', exact: true })).toBeVisible()
  await page.goto('/pipelines?source=nowhere')
  await expect(page.getByText('Nothing fits')).toBeVisible()
  await expect(page.getByRole('combobox', { name: 'Source' })).toContainText('nowhere (0)')
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect(page.getByRole('link', { name: 'orders', exact: true })).toBeVisible()
})
