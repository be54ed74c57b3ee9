import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import { expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { Credits } from '@/repo/types'
import CreditsTab from './credits-tab'

const CREDITS: Credits = {
  readable: true,
  reason: null,
  remedy: null,
  read_at: new Date().toISOString(),
  total: '1234.5',
  days: [
    { day: '2026-11-21', warehouse: 'LOADING', credits: '1000' },
    { day: '2026-11-20', warehouse: 'LOADING', credits: '234.5' },
  ],
}
const UNREADABLE = { readable: false, reason: 'The role may not read them.', remedy: 'Grant it.' }

function opened(credits: Credits) {
  vi.spyOn(api, 'get').mockResolvedValue(credits)
  render(
    <QueryClientProvider client={createQueryClient()}>
      <CreditsTab destinationId={9} />
    </QueryClientProvider>,
  )
}

it('shows what each warehouse used on each day, and all of it', async () => {
  opened(CREDITS)
  const table = await screen.findByRole('table', { name: 'Credits by day' })
  expect(table).toHaveTextContent(/2026-11-21LOADING1,000.00.*2026-11-20LOADING234.50/)
  expect(screen.getByText('1,234.50')).toBeVisible()
})

it('says why they cannot be read, and what mends it', async () => {
  opened({ ...CREDITS, ...UNREADABLE, total: '0', days: [] })
  expect(await screen.findByText('The role may not read them.')).toBeVisible()
  expect(screen.getByText('Grant it.')).toBeVisible()
})

it('keeps what was read before beside the reason why there is nothing newer', async () => {
  opened({ ...CREDITS, ...UNREADABLE })
  expect(await screen.findByText('The role may not read them. Grant it.')).toBeVisible()
  expect(screen.getByRole('table', { name: 'Credits by day' })).toBeVisible()
})

it('tells none used from none readable', async () => {
  opened({ ...CREDITS, total: '0', days: [] })
  expect(await screen.findByText('No credits used')).toBeVisible()
})
