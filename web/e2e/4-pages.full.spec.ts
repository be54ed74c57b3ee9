/** Every page and dialog: pictures for docs/screenshots, accessibility in both themes, no sideways scrolling. */
import type { Page } from '@playwright/test'
import { look } from './support/looks'
import { expect, openPipeline, settled, test } from './support/test'

test.beforeAll(async ({ stage }) => {
  await stage.sql('archive', 'ALTER TABLE shop.parcels DROP CONSTRAINT IF EXISTS no_glass')
  await stage.sql('archive', "ALTER TABLE shop.parcels ADD CONSTRAINT no_glass CHECK (label <> 'glass')")
  await stage.sql(
    'shop',
    "INSERT INTO shop.parcels VALUES (700, 'glass', 7) ON CONFLICT (id) DO UPDATE SET weight = parcels.weight + 1",
  )
  await expect
    .poll(async () => Number((await stage.sql('rosetta', 'SELECT count(*) FROM dlq_records'))[0]?.[0]), {
      timeout: 30_000,
    })
    .toBeGreaterThan(0)
})

test.afterAll(async ({ stage }) => {
  await stage.sql('archive', 'ALTER TABLE shop.parcels DROP CONSTRAINT IF EXISTS no_glass')
})

const PAGES = {
  dashboard: '/',
  pipelines: '/pipelines',
  sources: '/sources',
  'source-new': '/sources/new',
  'source-preflight': '/sources/1',
  'source-tables': '/sources/1?tab=tables',
  'source-history': '/sources/1?tab=history',
  'source-slots': '/sources/1?tab=slots',
  'source-presets': '/sources/1?tab=presets',
  'source-used-by': '/sources/1?tab=used-by',
  'source-settings': '/sources/1?tab=settings',
  destinations: '/destinations',
  'destination-new': '/destinations/new',
  'destination-preflight': '/destinations/1?tab=preflight',
  'destination-used-by': '/destinations/1?tab=used-by',
  'destination-settings': '/destinations/1?tab=settings',
  'pipeline-overview': '/pipelines/1',
  'pipeline-tables': '/pipelines/1?tab=tables',
  'pipeline-destinations': '/pipelines/1?tab=destinations',
  'pipeline-backfills': '/pipelines/1?tab=backfills',
  'pipeline-dlq': '/pipelines/1?tab=dlq&destination=2',
  'pipeline-verify': '/pipelines/1?tab=verify',
  'pipeline-flow': '/pipelines/1?tab=flow',
  'pipeline-logs': '/pipelines/1?tab=logs',
  'pipeline-settings': '/pipelines/1?tab=settings',
  'activity-notifications': '/activity',
  'activity-audit': '/activity?tab=audit',
  'settings-general': '/settings',
  'settings-users': '/settings?tab=users',
  'settings-tokens': '/settings?tab=tokens',
  'settings-account': '/settings?tab=account',
  'common-errors': '/common-errors',
  'not-found': '/nowhere',
}

for (const [name, address] of Object.entries(PAGES)) {
  test(`page ${name}`, async ({ page }) => {
    await page.goto(address)
    await settled(page)
    await look(page, name)
  })
}

test.describe('signed out', () => {
  test.use({ storageState: { cookies: [], origins: [] } })
  for (const [name, address] of [
    ['sign-in', '/sign-in'],
    ['first-sign-in', '/first-sign-in#token=shown-once'],
  ] as const) {
    test(`page ${name}`, async ({ page }) => {
      await page.goto(address)
      await settled(page)
      await look(page, name)
    })
  }
})

test('the wizard of a pipeline', async ({ page }) => {
  await page.goto('/pipelines/new')
  await settled(page)
  await page.getByRole('radio', { name: /shop/ }).check()
  await look(page, 'pipeline-new-source')
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('checkbox', { name: /warehouse/ }).check()
  await look(page, 'pipeline-new-destinations')
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('radio', { name: /Only the tables/ }).check()
  await page.getByRole('checkbox', { name: /^All/ }).check()
  await page.getByLabel('Name of the preset').fill('everything')
  await page.getByRole('button', { name: 'Save preset' }).click()
  await expect(page.getByRole('combobox', { name: 'Take a preset' })).toBeVisible()
  await look(page, 'pipeline-new-tables')
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByLabel('Name of the pipeline').fill('second')
  await settled(page)
  await expect(page.getByText('Everything is as it should be.').or(page.getByText('Ready.'))).toBeVisible()
  await look(page, 'pipeline-new-review')
})

test('a destination in Snowflake', async ({ page }) => {
  await page.goto('/destinations/new')
  await page.getByRole('button', { name: /Snowflake/ }).click()
  await settled(page)
  await look(page, 'destination-new-snowflake')
})

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
  'pipeline-delete': async (page) => {
    await openPipeline(page, 'orders', 'Settings')
    await page.getByRole('button', { name: 'Delete…' }).click()
  },
}

for (const [name, open] of Object.entries(DIALOGS)) {
  test(`dialog ${name}`, async ({ page }) => {
    await open(page)
    await expect(page.getByRole('dialog').or(page.getByRole('menu')).first()).toBeVisible()
    await look(page, name, { phone: false })
  })
}

test('the menu on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto('/')
  await settled(page)
  await page.getByRole('button', { name: 'Open menu' }).click()
  await look(page, 'menu-phone', { phone: false })
})
