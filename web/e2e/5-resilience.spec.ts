import type { Page } from '@playwright/test'
import { expect, openPipeline, test } from './support/test'

test('a deep link opens its tab, after signing in where nobody is', async ({ page, stage, browser }) => {
  const { id } = (await stage.api<{ items: [{ id: number }] }>('/pipelines')).items[0]
  await page.goto(`/pipelines/${id}?tab=tables`)
  await expect(page.getByRole('tab', { name: 'Tables', selected: true })).toBeVisible()
  await page.reload()
  await expect(page.getByRole('tab', { name: 'Tables', selected: true })).toBeVisible()

  const stranger = await browser.newContext({ baseURL: stage.facts.backend, storageState: undefined })
  const other = await stranger.newPage()
  await other.goto(`/pipelines/${id}?tab=tables`)
  await expect(other).toHaveURL(/\/sign-in\?next=/)
  await stranger.close()
})

test('ten tabs share one stream, and all of them hear of a change', async ({ context, stage }) => {
  const { id, name } = (await stage.api<{ items: [{ id: number; name: string }] }>('/pipelines')).items[0]
  const streams = new Set<unknown>()
  context.on('request', (request) => request.url().endsWith('/events') && streams.add(request))
  context.on('requestfailed', (request) => streams.delete(request))
  const tabs = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const tab = await context.newPage()
      await tab.goto(`/pipelines/${id}?tab=settings`)
      return tab
    }),
  )
  for (const tab of tabs) {
    await tab.bringToFront()
    await expect(tab.getByRole('heading', { name, exact: true })).toBeVisible()
  }
  expect(streams.size).toBe(1)
  await rename(tabs[3], 'orders, all')
  for (const tab of tabs) {
    await tab.bringToFront()
    await expect(tab.getByRole('heading', { name: 'orders, all' })).toBeVisible()
  }
  await rename(tabs[0], name)
})

async function rename(tab: Page | undefined, name: string): Promise<void> {
  if (!tab) throw new Error('there is no such tab')
  await tab.bringToFront()
  await tab.getByLabel('Name of the pipeline').fill(name)
  await tab.getByRole('button', { name: 'Save' }).click()
  await expect(tab.getByRole('heading', { name, exact: true })).toBeVisible()
}

test('while the backend is down what was shown stays, and the page says so', async ({
  page,
  stage,
  complaints,
}) => {
  complaints.announce(
    /Failed to load resource|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET/,
  )
  await openPipeline(page, 'orders')
  await expect(page.getByRole('img', { name: 'Records per second over time' })).toBeVisible()
  await stage.backend(false)
  await expect(page.getByText('The backend does not answer.')).toBeVisible({ timeout: 40_000 })
  await expect(page.getByRole('heading', { name: 'orders' })).toBeVisible()
  await stage.backend(true)
  await expect(page.getByText('The backend does not answer.')).toHaveCount(0, { timeout: 40_000 })
})
