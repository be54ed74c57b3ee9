import { QueryClientProvider } from '@tanstack/react-query'
import { render, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it, vi } from 'vitest'
import { ApiError } from '@/repo/api-error'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { RulesPreview } from '@/repo/types'
import { PARCELS } from '@/test/parcels'
import type { TableRow } from '../data/pipeline-facts'
import RulesEditor from './rules-editor'

let role = 'admin'
vi.mock('@/lib/use-role', () => ({ useCan: (needed: string) => role === 'admin' || needed !== 'admin' }))

const ROW = {
  id: 3,
  schema_name: 'shop',
  table_name: 'parcels',
  source: 'shop.parcels',
  destinationId: 7,
  destinationName: 'archive',
  columns: null,
  masks: {},
  filters: [],
  custom_sql: null,
} as unknown as TableRow
const PREVIEW: RulesPreview = {
  rows: 500,
  rows_passing: 120,
  rows_entering: 0,
  rows_leaving: 380,
  columns: { id: 'bigint', name: 'text' },
  key: ['id'],
  sample: [{ id: '1', name: null }],
}

async function opened() {
  vi.spyOn(api, 'get').mockResolvedValue({ tables: [PARCELS] })
  const onClose = vi.fn()
  render(
    <QueryClientProvider client={createQueryClient()}>
      <RulesEditor pipelineId={4} sourceId={2} row={ROW} onClose={onClose} />
    </QueryClientProvider>,
  )
  await screen.findByRole('checkbox', { name: /every column/i })
  return { user: userEvent.setup(), onClose }
}

it('tries rules before it saves them, and sends both the same', async () => {
  const post = vi.spyOn(api, 'post').mockResolvedValue(PREVIEW)
  const put = vi.spyOn(api, 'put').mockResolvedValue({})
  const { user, onClose } = await opened()
  await user.click(screen.getByRole('checkbox', { name: /every column/i }))
  expect(screen.getByRole('checkbox', { name: 'Send id' })).toBeDisabled()
  await user.click(screen.getByRole('checkbox', { name: 'Send email' }))
  const name = screen.getByRole('textbox', { name: 'Name of label at the target' })
  await user.clear(name)
  await user.click(name)
  await user.paste('name')
  await user.click(screen.getByRole('button', { name: 'Add a filter' }))
  await user.click(screen.getByRole('textbox', { name: 'Filter 1' }))
  await user.paste('id > 5')
  await user.click(screen.getByRole('button', { name: 'Try it' }))
  const rules = { columns: { id: 'id', label: 'name' }, masks: {}, filters: ['id > 5'], custom_sql: null }
  const tables = '/pipelines/4/destinations/7/tables'
  expect(post).toHaveBeenCalledExactlyOnceWith(`${tables}/validate`, {
    sync_id: 3,
    schema_name: 'shop',
    table_name: 'parcels',
    ...rules,
  })
  const dryRun = await screen.findByRole('status', { name: 'Dry run' })
  expect(dryRun).toHaveTextContent(/Rows of the table500pass120come0go380/)
  expect(within(dryRun).getByRole('cell', { name: 'NULL' })).toBeVisible()
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(put).toHaveBeenCalledExactlyOnceWith(`${tables}/3`, rules)
  expect(onClose).toHaveBeenCalledOnce()
})

it('shows why rules do not fit, and forgets a dry run of other rules', async () => {
  const post = vi.spyOn(api, 'post')
  post.mockRejectedValueOnce(new ApiError(422, 'FILTER_INVALID', 'filter 1: there is no column x'))
  post.mockResolvedValueOnce(PREVIEW)
  const { user } = await opened()
  await user.click(screen.getByRole('button', { name: 'Try it' }))
  expect(await screen.findByRole('alert')).toHaveTextContent('there is no column x')
  await user.click(screen.getByRole('button', { name: 'Try it' }))
  await screen.findByRole('status', { name: 'Dry run' })
  await user.click(screen.getByRole('button', { name: 'Add a filter' }))
  expect(screen.queryByRole('status', { name: 'Dry run' })).toBeNull()
})

it('takes a statement of an admin, and shows one to others', async () => {
  const put = vi.spyOn(api, 'put').mockResolvedValue({})
  const { user } = await opened()
  await user.click(screen.getByRole('checkbox', { name: /SELECT of your own/ }))
  expect(screen.queryByRole('button', { name: 'Add a filter' })).toBeNull()
  await user.click(screen.getByRole('textbox', { name: 'Statement' }))
  await user.paste('SELECT id FROM batch')
  await user.click(screen.getByRole('button', { name: 'Save' }))
  expect(put).toHaveBeenCalledExactlyOnceWith('/pipelines/4/destinations/7/tables/3', {
    columns: null,
    masks: {},
    filters: [],
    custom_sql: 'SELECT id FROM batch',
  })
})

it('lets nobody but an admin write a statement', async () => {
  role = 'operator'
  await opened()
  expect(screen.getByRole('checkbox', { name: /SELECT of your own/ })).toBeDisabled()
})
