import type { Page } from '@playwright/test'
import { expect, openPipeline, test } from './support/test'

test.describe.configure({ mode: 'serial' })

test('a target that is away is shown with its remedy, delays nobody else, and catches up', async ({
  page,
  stage,
}) => {
  await stage.target('archive', false)
  await page.goto('/')
  await expect(page.getByRole('list', { name: 'Problems' })).toContainText('archive')
  await stage.sql('shop', "INSERT INTO shop.parcels VALUES (503, 'while archive is away', 1)")
  await expect.poll(() => stage.count('warehouse', 'shop.parcels', 'id = 503')).toBe(1)
  await openPipeline(page, 'orders', 'Destinations')
  await expect(page.getByText(/Retrying|Blocked/).first()).toBeVisible()
  await expect(page.getByRole('link', { name: /[1-9]\d* changes?/ })).toBeVisible({ timeout: 30_000 })
  await stage.target('archive', true)
  await expect.poll(() => stage.count('archive', 'shop.parcels', 'id = 503'), { timeout: 60_000 }).toBe(1)
  await page.goto('/')
  await expect(page.getByRole('list', { name: 'Problems' })).toHaveCount(0, { timeout: 60_000 })
})

async function openQueue(page: Page): Promise<void> {
  await openPipeline(page, 'orders', 'Dead letter queue')
  await page.getByRole('combobox', { name: 'Destination' }).click()
  await page.getByRole('option', { name: 'archive' }).click()
}

test('a refused change is inspected, edited and replayed', async ({ page, stage }) => {
  await stage.sql('archive', "ALTER TABLE shop.parcels ADD CONSTRAINT no_glass CHECK (label <> 'glass')")
  await stage.sql('shop', "INSERT INTO shop.parcels VALUES (600, 'glass', 7)")
  await openQueue(page)
  await page
    .getByRole('button', { name: /Inspect record/ })
    .first()
    .click({ timeout: 40_000 })
  const sheet = page.getByRole('dialog')
  await expect(sheet.getByText('glass').first()).toBeVisible()
  await sheet.getByRole('textbox', { name: 'label' }).fill('packed glass')
  await sheet.getByRole('button', { name: 'Save and retry' }).click()
  await expect
    .poll(() => stage.count('archive', 'shop.parcels', "label = 'packed glass'"), { timeout: 40_000 })
    .toBe(1)
  await page.keyboard.press('Escape')
  await expect(page.getByText('Nothing is parked')).toBeVisible({ timeout: 30_000 })
})

test('a refused change is discarded, with a reason that the audit log keeps', async ({ page, stage }) => {
  await stage.sql('shop', "INSERT INTO shop.parcels VALUES (601, 'glass', 8)")
  await openQueue(page)
  const group = page
    .getByRole('region', { name: 'Groups of parked records' })
    .getByRole('button', { name: /A check constraint refuses the row/ })
  await group.click({ timeout: 40_000 })
  await expect(page).toHaveURL(/table=parcels&code=PG_23514/)
  await expect(page.getByRole('button', { name: 'Retry 1 record of this group' })).toBeVisible()
  await expect(page.getByRole('button', { name: /Inspect record/ })).toHaveCount(1)
  await group.click()
  await expect(page).not.toHaveURL(/code=/)
  await page.getByRole('button', { name: 'Discard…' }).click()
  await page.getByLabel('Reason').fill('broken on the way')
  await page.getByRole('button', { name: /^Discard the record/ }).click()
  await expect(page.getByText('Nothing is parked')).toBeVisible({ timeout: 30_000 })
  await page.goto('/activity?tab=audit')
  await expect(page.getByText(/discard/i).first()).toBeVisible()
  await stage.sql('archive', 'ALTER TABLE shop.parcels DROP CONSTRAINT no_glass')
})

test('every row is compared, and nothing differs', async ({ page }) => {
  await openPipeline(page, 'orders', 'Verify')
  await page.getByRole('button', { name: 'Compare every row' }).click()
  const tables = page.getByRole('region', { name: 'Tables of warehouse' })
  await expect(tables.getByRole('row').filter({ hasText: 'shop.parcels' })).toContainText('Equal', {
    timeout: 60_000,
  })
})
