import { existsSync } from 'node:fs'
import { type BrowserContext, type Page, test as base, expect } from '@playwright/test'
import { Stage } from './stage'

/** Where the first test leaves its session for the others. */
export const SESSION = '../.reports/e2e-session.json'

/** What the browser's console complained about. A test fails with the first line that it did not announce. */
class Complaints {
  private readonly lines: string[] = []
  private readonly announced: RegExp[] = []

  listen(context: BrowserContext): void {
    context.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning')
        this.lines.push(`${message.type()}: ${message.text()} (${message.location().url})`)
    })
    context.on('weberror', (error) => this.lines.push(`exception: ${error.error().stack}`))
  }

  /** The browser itself reports each answer that is an error; a test that provokes one says so. */
  announce(...lines: RegExp[]): void {
    this.announced.push(...lines)
  }

  unexpected(): string[] {
    return this.lines.filter((line) => !this.announced.some((known) => known.test(line)))
  }
}

interface Fixtures {
  complaints: Complaints
}

export const test = base.extend<Fixtures, { stage: Stage }>({
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the names of the fixtures from it
  stage: [async ({}, use) => use(await Stage.open()), { scope: 'worker' }],
  baseURL: async ({ stage }, use) => use(stage.facts.backend),
  // eslint-disable-next-line no-empty-pattern
  storageState: async ({}, use) => use(existsSync(SESSION) ? SESSION : undefined),
  complaints: [
    async ({ context }, use) => {
      const complaints = new Complaints()
      complaints.listen(context)
      await use(complaints)
      expect(complaints.unexpected(), 'the console is silent').toEqual([])
    },
    { auto: true },
  ],
})

/** The page has drawn what it shows: no placeholder is left. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator('h1').first()).toBeVisible()
  await expect(page.locator('[data-slot=skeleton], .animate-pulse')).toHaveCount(0)
  await page.evaluate(() => document.fonts.ready)
}

export async function openPipeline(page: Page, name: string, tab?: string): Promise<void> {
  await page.goto('/pipelines')
  await page.getByRole('link', { name, exact: true }).click()
  if (tab) await page.getByRole('tab', { name: tab }).click()
}

export { expect }
