/** Every page: pictures for docs/screenshots, accessibility in both themes, no sideways scrolling. */
import { generateKeyPairSync } from 'node:crypto'
import { look } from './support/looks'
import { haveOneParked } from './support/parked'
import { expect, settled, test } from './support/test'

test.beforeAll(({ stage }) =>
  stage.sql('shop', 'ALTER TABLE shop.parcels ADD COLUMN IF NOT EXISTS colour text'),
)
haveOneParked()

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
  'settings-key': '/settings?tab=key',
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

test('the key and the credits of a destination in Snowflake', async ({ page, stage }) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { id } = await stage.api<{ id: number }>('/destinations', {
    name: 'analytics',
    snowflake_account: 'org-acct',
    snowflake_user: 'LOADER',
    snowflake_database: 'LANDING',
    snowflake_schema: 'PUBLIC',
    snowflake_private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  })
  await page.goto(`/destinations/${id}?tab=settings`)
  await expect(page.getByRole('heading', { name: 'Key pair' })).toBeVisible()
  await settled(page)
  await look(page, 'destination-key')
  // No account can be reached from here; the backend's own tests ask one.
  const used = (place: number) => (12 + 9 * Math.sin(place)).toFixed(4)
  const days = Array.from({ length: 12 }, (_, place) => ({
    day: new Date(Date.UTC(2026, 10, 20 - place)).toISOString().slice(0, 10),
    warehouse: 'LOADING',
    credits: used(place),
  }))
  const total = String(days.reduce((sum, { credits }) => sum + Number(credits), 0))
  await page.route(/\/credits\?/, (route) =>
    route.fulfill({
      json: { readable: true, reason: null, remedy: null, read_at: new Date().toISOString(), total, days },
    }),
  )
  await page.getByRole('tab', { name: 'Credits' }).click()
  await expect(page.getByRole('table', { name: 'Credits by day' })).toBeVisible()
  await look(page, 'destination-credits')
})

test('what channels answered, and what a pipeline cannot run with', async ({ page }) => {
  await page.goto('/settings')
  await page.getByRole('button', { name: 'Send a test by Webhook' }).click()
  await page.getByRole('button', { name: 'Send a test by Slack' }).click()
  await expect(page.getByText('Webhook took the test.')).toBeVisible()
  await expect(page.getByText('Slack did not take the test')).toBeVisible()
  await look(page, 'settings-alerts-tested', { kept: false })
  await page.goto('/pipelines/1?tab=settings')
  await page.getByRole('textbox', { name: 'Rows per batch' }).fill('1.5')
  await page.getByRole('textbox', { name: 'WAL budget (GiB)' }).fill('none')
  await page.getByRole('button', { name: 'Apply' }).click()
  await expect(page.getByText(/^A whole number from 1/)).toBeVisible()
  await look(page, 'pipeline-settings-wrong', { kept: false })
})

test('the menu on a phone', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  await page.goto('/')
  await settled(page)
  await page.getByRole('button', { name: 'Open menu' }).click()
  await look(page, 'menu-phone', { phone: false })
})
