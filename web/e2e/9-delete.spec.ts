import { expect, openPipeline, test } from './support/test'

test('deleting asks for the name and says what becomes of the slot, which is dropped', async ({
  page,
  stage,
}) => {
  await openPipeline(page, 'orders', 'Settings')
  await page.getByRole('button', { name: 'Delete…' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('slot')
  const confirm = dialog.getByRole('button', { name: /Delete/ })
  await expect(confirm).toBeDisabled()
  await dialog.getByLabel(/Type orders to confirm/).fill('orders')
  await confirm.click()
  await expect(page.getByText('No pipeline yet')).toBeVisible()
  await expect.poll(() => stage.count('shop', 'pg_replication_slots'), { timeout: 40_000 }).toBe(0)
})
