/** Every dialog and menu: pictures for docs/screenshots, and accessibility in both themes. */
import type { Page } from '@playwright/test'
import { look } from './support/looks'
import { haveOneParked } from './support/parked'
import { expect, openPipeline, settled, test } from './support/test'

haveOneParked()

/** What opens over a page, by what opens it. */
const DIALOGS: Record<string, (page: Page) => Promise<void>> = {
  'command-palette': async (page) => {
    await page.goto('/')
    await settled(page)
    await page.keyboard.press('Control+k')
  },
  'user-menu': async (page) => {
    await page.goto('/')
    await settled(page)
    await page.getByRole('button', { name: 'Account and theme' }).click()
  },
  'table-actions': async (page) => {
    await openPipeline(page, 'orders', 'Tables')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
  },
  'table-resync': async (page) => {
    await openPipeline(page, 'orders', 'Tables')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Resync…' }).click()
  },
  'table-tags': async (page) => {
    await openPipeline(page, 'orders', 'Tables')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Tags…' }).click()
    await page.getByLabel('New tag').fill('nightly')
    await page.getByRole('button', { name: 'Add', exact: true }).click()
    await expect(page.getByRole('checkbox', { name: 'nightly' })).toBeChecked()
  },
  'table-rules': async (page) => {
    await openPipeline(page, 'orders', 'Tables')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Columns and rows…' }).click()
    await page.getByRole('button', { name: 'Try it' }).click()
    await expect(page.getByRole('status', { name: 'Dry run' })).toBeVisible()
  },
  'destination-remove': async (page) => {
    await openPipeline(page, 'orders', 'Destinations')
    await page.getByRole('button', { name: 'Remove…' }).first().click()
  },
  'dlq-inspector': async (page) => {
    await page.goto('/pipelines/1?tab=dlq&destination=2')
    await page
      .getByRole('button', { name: /Inspect record/ })
      .first()
      .click()
    await page.getByRole('textbox', { name: 'label' }).fill('packed glass')
  },
  'dlq-discard': async (page) => {
    await page.goto('/pipelines/1?tab=dlq&destination=2')
    await page.getByRole('button', { name: 'Discard…' }).click()
  },
  'destination-resync': async (page) => {
    await openPipeline(page, 'orders', 'Destinations')
    await page.getByRole('button', { name: 'Resync…' }).first().click()
  },
  'source-delete': async (page) => {
    await page.goto('/sources/1?tab=settings')
    await page.getByRole('button', { name: 'Delete…' }).click()
  },
  'destination-delete': async (page) => {
    await page.goto('/destinations/1?tab=settings')
    await page.getByRole('button', { name: 'Delete…' }).click()
  },
  'preset-delete': async (page) => {
    await page.goto('/sources/1?tab=presets')
    await page
      .getByRole('button', { name: /^Delete/ })
      .first()
      .click()
  },
  'user-actions': async (page) => {
    await page.goto('/settings?tab=users')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
  },
  'user-link': async (page) => {
    await page.goto('/settings?tab=users')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Make a sign-in link' }).click()
  },
  'user-delete': async (page) => {
    await page.goto('/settings?tab=users')
    await page
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Delete…' }).click()
  },
  'token-created': async (page) => {
    await page.goto('/settings?tab=tokens')
    await page.getByLabel('Name of a new token').fill('reports')
    await page.getByRole('button', { name: 'Create' }).click()
  },
  'token-revoke': async (page) => {
    await page.goto('/settings?tab=tokens')
    await page
      .getByRole('button', { name: /^Revoke/ })
      .first()
      .click()
  },
  'pipeline-delete': async (page) => {
    await openPipeline(page, 'orders', 'Settings')
    await page.getByRole('button', { name: 'Delete…' }).click()
  },
}

/** Their pictures show what signs in. */
const SECRET = new Set(['user-link', 'token-created'])

for (const [name, open] of Object.entries(DIALOGS)) {
  test(`dialog ${name}`, async ({ page }) => {
    await open(page)
    await expect(page.getByRole('dialog').or(page.getByRole('menu')).first()).toBeVisible()
    await look(page, name, { phone: false, kept: !SECRET.has(name) })
  })
}
