import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { SchemaVersion } from '@/repo/types'
import { SchemaHistory } from './schema-history'

const VERSION: SchemaVersion = {
  id: 5,
  source_id: 2,
  schema_name: 'shop',
  table_name: 'parcels',
  version: 3,
  definition: {},
  changes: [
    {
      kind: 'column_added',
      column: 'colour',
      before: null,
      after: 'text',
      text: 'column colour (text) was added',
    },
  ],
  seen_by: 'poll',
  created_at: '2026-11-21T12:00:00Z',
}

it('says what became of which table, and asks for the first versions when they are wanted', async () => {
  const get = vi.spyOn(api, 'get').mockResolvedValue({ items: [VERSION], total: 1, limit: 50, offset: 0 })
  render(
    <QueryClientProvider client={createQueryClient()}>
      <SchemaHistory sourceId={2} />
    </QueryClientProvider>,
  )
  const list = await screen.findByRole('list', { name: 'Versions' })
  expect(list).toHaveTextContent(/shop.parcels.*version 3.*column colour \(text\) was added/)
  await userEvent.setup().click(screen.getByRole('checkbox', { name: /first version/ }))
  expect(get).toHaveBeenLastCalledWith(
    '/sources/2/schema-changes',
    { first: true, limit: 50, offset: 0 },
    expect.anything(),
  )
})
