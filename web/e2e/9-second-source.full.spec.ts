import { expect, test } from './support/test'

test('a second source is connected by what the pages say, and its rows are in a target', async ({
  page,
  stage,
}) => {
  await stage.sql('shop', 'CREATE DATABASE crm OWNER shop')
  await stage.sql(
    'crm',
    `CREATE TABLE contacts (id int PRIMARY KEY, name text);
     ALTER TABLE contacts OWNER TO shop;
     INSERT INTO contacts SELECT n, 'contact ' || n FROM generate_series(1, 40) n`,
  )
  await page.goto('/')
  await page.getByRole('link', { name: 'Sources' }).click()
  await page.getByRole('link', { name: 'Add a source' }).click()
  await page.getByLabel('Name').fill('crm')
  await page.getByLabel('Connection URL').fill(stage.facts.databases.shop.replace(/shop$/, 'crm'))
  await page.getByRole('button', { name: 'Save and check' }).click()
  await page.getByRole('button', { name: 'Make the publication' }).click()
  await expect(page.getByText('Everything is as it should be.').or(page.getByText('Ready.'))).toBeVisible()

  await page.getByRole('link', { name: 'Create a pipeline' }).click()
  await page.getByRole('checkbox', { name: /warehouse/ }).check()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByRole('button', { name: 'Create and start' }).click()
  await expect(page.getByRole('heading', { name: 'crm to warehouse' })).toBeVisible()
  await page.getByRole('tab', { name: 'Tables' }).click()
  const row = page.getByRole('row').filter({ hasText: 'public.contacts' })
  await expect(row.getByText('Streaming')).toBeVisible({ timeout: 60_000 })
  await expect(row.getByRole('cell', { name: '40', exact: true })).toBeVisible({ timeout: 30_000 })
  expect(await stage.count('warehouse', 'public.contacts')).toBe(40)
})
