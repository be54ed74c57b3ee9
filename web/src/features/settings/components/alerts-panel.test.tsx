import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import { AlertsPanel } from './alerts-panel'

const ANSWERS: Record<string, object> = {
  webhook: { channel: 'webhook', error: null, code: null, remedy: null },
  slack: { channel: 'slack', error: 'Status 404.', code: 'ALERT_NOT_SENT', remedy: 'Check ALERT_SLACK_URL.' },
}

it('tests each channel by itself, says beside it how it went, and what those that are off need', async () => {
  vi.spyOn(api, 'get').mockResolvedValue([
    { channel: 'webhook', missing: [] },
    { channel: 'slack', missing: [] },
    { channel: 'telegram', missing: ['ALERT_TELEGRAM_TOKEN', 'ALERT_TELEGRAM_CHAT'] },
  ])
  const post = vi
    .spyOn(api, 'post')
    .mockImplementation((_path, body) => Promise.resolve(ANSWERS[(body as { channel: string }).channel]))
  render(
    <QueryClientProvider client={createQueryClient()}>
      <AlertsPanel />
    </QueryClientProvider>,
  )
  const [webhook, slack, telegram] = await screen.findAllByRole('listitem')
  if (!webhook || !slack || !telegram) throw new Error('a channel is not shown')
  expect(telegram).toHaveTextContent('Needs ALERT_TELEGRAM_TOKEN, ALERT_TELEGRAM_CHAT')
  expect(within(telegram).getByRole('button')).toBeDisabled()

  const user = userEvent.setup()
  await user.click(within(webhook).getByRole('button', { name: 'Send a test by Webhook' }))
  expect(await within(webhook).findByRole('status')).toHaveTextContent('Webhook took the test.')
  expect(within(slack).queryByRole('status')).toBeNull()

  await user.click(within(slack).getByRole('button', { name: 'Send a test by Slack' }))
  const refused = await within(slack).findByRole('alert')
  for (const said of [
    'Slack did not take the test',
    'Status 404.',
    'Check ALERT_SLACK_URL.',
    'ALERT_NOT_SENT',
  ])
    expect(refused).toHaveTextContent(said)
  expect(post.mock.calls).toEqual([
    ['/settings/alerts/test', { channel: 'webhook' }],
    ['/settings/alerts/test', { channel: 'slack' }],
  ])
})
