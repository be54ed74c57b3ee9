import { expect, test } from './support/test'

test('each alert channel is tested by itself, and says beside it how it went', async ({ page, stage }) => {
  await page.goto('/settings')
  const channels = page.getByRole('list', { name: 'Alert channels' }).getByRole('listitem')
  await expect(channels).toHaveCount(4)
  const channel = (name: string) => channels.filter({ hasText: name })
  const tried = (await stage.heard()).filter((title) => title === TEST).length

  await page.getByRole('button', { name: 'Send a test by Webhook' }).click()
  await expect(channel('Webhook').getByRole('status')).toHaveText('Webhook took the test.')
  const heard = await stage.heard()
  expect(heard.filter((title) => title === TEST)).toHaveLength(tried + 1)

  await page.getByRole('button', { name: 'Send a test by Slack' }).click()
  await expect(channel('Slack').getByRole('alert')).toContainText('status 500')
  await expect(channel('Slack').getByRole('alert')).toContainText('ALERT_NOT_SENT')
  await expect(channel('Webhook').getByRole('status')).toBeVisible()

  await expect(page.getByRole('button', { name: 'Send a test by Telegram' })).toBeDisabled()
  await expect(channel('Telegram')).toContainText('ALERT_TELEGRAM_TOKEN, ALERT_TELEGRAM_CHAT')
})

const TEST = 'A test of this channel'

test('the key in use is named, and a secret that no key opens is counted', async ({ page, stage }) => {
  const { key_id, secrets } = await stage.api<{ key_id: string; secrets: { current: number } }>(
    '/settings/encryption-key',
  )
  expect(secrets.current).toBeGreaterThan(2) // of the source and both destinations
  await page.goto('/settings?tab=key')
  await expect(page.getByText(key_id)).toBeVisible()
  const row = page.getByRole('row').filter({ hasText: 'Passwords and private keys' })
  await expect(row.getByRole('cell')).toHaveText([
    'Passwords and private keys',
    String(secrets.current),
    '0',
    '0',
  ])
  const states = page.getByRole('list', { name: 'State of the key' })
  await expect(states).toContainText('Everything that is sealed is sealed under this key.')

  await stage.sql('rosetta', LOST)
  await page.reload()
  await expect(states).toContainText('1 item can be opened by no key that is known.')
  await expect(row.getByRole('cell').last()).toHaveText('1')
  await stage.sql('rosetta', "DELETE FROM destinations WHERE name = 'lost'")
  await page.reload()
  await expect(states).toContainText('Everything that is sealed is sealed under this key.')
})

const LOST = `INSERT INTO destinations (name, type, config) VALUES ('lost', 'POSTGRESQL', jsonb_build_object(
  'pg_host', 'nowhere', 'pg_password', 'rsk1:0123456789abcdef:' || repeat('A', 60)))`
