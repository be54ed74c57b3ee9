import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { Pipeline } from '@/repo/types'
import { TuningForm } from './tuning-form'

const PIPELINE = {
  id: 4,
  engine: 'debezium',
  profile: 'small',
  max_batch_rows: null,
  wal_budget_bytes: 2 * 1024 ** 3,
  wal_budget_policy: 'pause',
} as unknown as Pipeline

it('sends what a pipeline runs with, and nothing while a number is wrong', async () => {
  const put = vi.spyOn(api, 'put').mockResolvedValue(PIPELINE)
  render(
    <QueryClientProvider client={createQueryClient()}>
      <TuningForm pipeline={PIPELINE} />
    </QueryClientProvider>,
  )
  const user = userEvent.setup()
  await user.type(screen.getByRole('textbox', { name: 'Rows per batch' }), '1.5')
  await user.click(screen.getByRole('button', { name: 'Apply' }))
  expect(screen.getByRole('alert')).toHaveTextContent('A whole number from 1')
  expect(put).not.toHaveBeenCalled()

  await user.clear(screen.getByRole('textbox', { name: 'Rows per batch' }))
  await user.type(screen.getByRole('textbox', { name: 'Rows per batch' }), '5000')
  await user.clear(screen.getByRole('textbox', { name: 'WAL budget (GiB)' }))
  await user.click(screen.getByRole('button', { name: 'Apply' }))
  expect(put).toHaveBeenCalledWith('/pipelines/4', {
    engine: 'debezium',
    profile: 'small',
    max_batch_rows: 5000,
    wal_budget_bytes: null,
    wal_budget_policy: 'pause',
  })
})
