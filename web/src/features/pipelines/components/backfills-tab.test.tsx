import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { type MockInstance, beforeEach, expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { Backfill, Pipeline } from '@/repo/types'
import BackfillsTab from './backfills-tab'

vi.mock('@/lib/use-role', () => ({ useCan: () => true }))

const sync = (id: number, table_name: string) => ({
  id,
  schema_name: 'shop',
  table_name,
  target_schema: null,
  target_name: null,
})
const PIPELINE = {
  id: 4,
  destinations: [
    { destination: { id: 7, name: 'archive' }, table_syncs: [sync(1, 'parcels')] },
    { destination: { id: 8, name: 'warehouse' }, table_syncs: [sync(2, 'parcels'), sync(3, 'orders')] },
  ],
} as unknown as Pipeline

const JOB: Backfill = {
  id: 11,
  pipeline_id: 4,
  schema_name: 'shop',
  table_name: 'parcels',
  filters: [{ column: 'id', operator: '>', value: '5' }],
  destination_ids: [7],
  batch_rows: null,
  status: 'EXECUTING',
  status_reason: 'The source does not answer.',
  cancel_requested: false,
  chunks_done: 1,
  rows_done: 250,
  bytes_done: 2048,
  rows_estimated: 1000,
  rows_per_second: 125,
  seconds_left: 6,
  attempts: 1,
  error_code: null,
  error_message: null,
  error_remedy: null,
  requested_by: null,
  created_at: new Date().toISOString(),
  started_at: new Date().toISOString(),
  completed_at: null,
  updated_at: new Date().toISOString(),
}

let posted: MockInstance

beforeEach(() => {
  posted = vi.spyOn(api, 'post').mockResolvedValue(JOB)
  vi.spyOn(api, 'get').mockResolvedValue({ items: [JOB], total: 1, limit: 20, offset: 0 })
  render(
    <QueryClientProvider client={createQueryClient()}>
      <BackfillsTab pipeline={PIPELINE} />
    </QueryClientProvider>,
  )
})

it('asks for the rows of a table that pass what is written', async () => {
  const user = userEvent.setup()
  const start = screen.getByRole('button', { name: 'Start the backfill' })
  await user.click(screen.getByRole('combobox', { name: 'Table' }))
  await user.paste('shop.orders')
  await user.click(screen.getByRole('button', { name: 'Add a filter' }))
  await user.click(screen.getByRole('textbox', { name: 'Filter 1' }))
  await user.paste("kind = 'late'")
  await user.click(screen.getByRole('button', { name: 'Add a filter' }))
  await user.click(start)
  expect(posted).toHaveBeenCalledExactlyOnceWith('/pipelines/4/backfill', {
    schema_name: 'shop',
    table_name: 'orders',
    filters: ["kind = 'late'"],
    destination_ids: null,
  })
})

it('takes no table that the pipeline has not, and no sixth filter', async () => {
  const user = userEvent.setup()
  await user.click(screen.getByRole('combobox', { name: 'Table' }))
  await user.paste('shop.others')
  expect(screen.getByRole('alert')).toHaveTextContent('The pipeline has no such table')
  expect(screen.getByRole('button', { name: 'Start the backfill' })).toBeDisabled()
  for (let filter = 0; filter < 5; filter += 1)
    await user.click(screen.getByRole('button', { name: 'Add a filter' }))
  expect(screen.getByRole('button', { name: 'Add a filter' })).toBeDisabled()
})

it('shows how far a backfill is, why it waits, and cancels it', async () => {
  const user = userEvent.setup()
  const bar = await screen.findByRole('progressbar', { name: 'Backfill of shop.parcels' })
  expect(bar).toHaveAttribute('value', '25')
  const list = screen.getByRole('list', { name: 'Backfills' })
  expect(list).toHaveTextContent(
    /to archive.*id > '5'.*250 of about 1,000 rows, 2 KiB, 125 rows\/s, 6 s left/,
  )
  expect(list).toHaveTextContent('The source does not answer.')
  await user.click(screen.getByRole('button', { name: 'Cancel the backfill of shop.parcels' }))
  await user.click(screen.getByRole('button', { name: 'Cancel the backfill' }))
  expect(posted).toHaveBeenCalledExactlyOnceWith('/pipelines/4/backfill/11/cancel')
})
