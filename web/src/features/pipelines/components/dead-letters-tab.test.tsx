import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from '@tanstack/react-router'
import { render, screen, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { type MockInstance, beforeEach, expect, it, vi } from 'vitest'
import { ApiError } from '@/repo/api-error'
import { api } from '@/repo/client'
import { createQueryClient } from '@/repo/freshness'
import type { ParkedGroup, Pipeline } from '@/repo/types'
import DeadLettersTab from './dead-letters-tab'

vi.mock('@/lib/use-role', () => ({ useCan: () => true }))

const PIPELINE = {
  id: 4,
  destinations: [{ destination_id: 7, parked_changes: 3, destination: { id: 7, name: 'archive' } }],
} as unknown as Pipeline
const LANE = '/pipelines/4/destinations/7'

const group = (error_code: string, records: number): ParkedGroup => ({
  schema_name: 'shop',
  table_name: 'parcels',
  error_class: 'DATA',
  error_code,
  records,
  changes: records,
})
const record = (id: number, error_code: string) => ({
  id,
  schema_name: 'shop',
  table_name: 'parcels',
  kind: 'RECORD',
  operation: 'INSERT',
  state: 'PARKED',
  error_message: 'refused',
  error_code,
  attempts: 1,
  created_at: new Date().toISOString(),
})

let groups: ParkedGroup[] | ApiError
let records: ReturnType<typeof record>[]
let asked: MockInstance<typeof api.get>

beforeEach(() => {
  groups = [group('PG_23514', 2), group('PG_23505', 1)]
  records = [record(1, 'PG_23514'), record(2, 'PG_23514'), record(3, 'PG_23505')]
  asked = vi.spyOn(api, 'get').mockImplementation((url, params) => {
    if (url === `${LANE}/dlq/groups`) {
      if (groups instanceof ApiError) return Promise.reject(groups)
      return Promise.resolve({ items: groups, total: groups.length } as never)
    }
    const items = records.filter(({ error_code }) =>
      [undefined, error_code].includes(params?.error_code as never),
    )
    return Promise.resolve({ items, total: items.length, limit: 50, offset: 0, next_cursor: null } as never)
  })
})

function open(address: string) {
  const router = createRouter({
    routeTree: createRootRoute({ component: () => <DeadLettersTab pipeline={PIPELINE} /> }),
    history: createMemoryHistory({ initialEntries: [address] }),
  })
  render(
    <QueryClientProvider client={createQueryClient()}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  )
  return router
}

const listed = () => screen.getAllByRole('button', { name: /^Inspect record/ })

it('narrows the list to a group, in the address too, and acts on all of it', async () => {
  const posted = vi
    .spyOn(api, 'post')
    .mockResolvedValue({ asked: 2, changes: 2, complete: true, warnings: [] })
  const user = userEvent.setup()
  const router = open('/')
  const refused = await screen.findByRole('button', { name: /A check constraint refuses the row/ })
  expect(refused).toHaveAttribute('aria-pressed', 'false')
  await screen.findByRole('button', { name: 'Retry all 3 records' })
  await user.click(refused)
  await user.click(await screen.findByRole('button', { name: 'Retry 2 records of this group' }))
  expect(listed()).toHaveLength(2)
  expect(router.state.location.search).toEqual({
    destination: 7,
    cause: 'DATA',
    schema: 'shop',
    table: 'parcels',
    code: 'PG_23514',
  })
  const filter = {
    error_class: 'DATA',
    schema_name: 'shop',
    table_name: 'parcels',
    error_code: 'PG_23514',
  }
  expect(asked).toHaveBeenCalledWith(
    `${LANE}/dlq`,
    { ...filter, limit: 50, offset: 0, sort: '-id' },
    expect.anything(),
  )
  expect(posted).toHaveBeenCalledExactlyOnceWith(`${LANE}/recover-dlq`, { filter })
  const chosen = screen.getByRole('button', { name: /A check constraint refuses the row/ })
  expect(chosen).toHaveAttribute('aria-pressed', 'true')
  await user.click(chosen)
  await screen.findByRole('button', { name: 'Retry all 3 records' })
  expect(router.state.location.search).toEqual({ destination: 7 })
})

it('says so where a group is no more, and shows all again', async () => {
  const user = userEvent.setup()
  const router = open('/?destination=7&cause=DATA&schema=shop&table=parcels&code=PG_23502')
  expect(await screen.findByText('Nothing fits')).toBeInTheDocument()
  expect(screen.queryByRole('button', { name: 'Discard…' })).toBeNull()
  await user.click(screen.getByRole('button', { name: 'Show all' }))
  await screen.findByRole('button', { name: 'Retry all 3 records' })
  expect(router.state.location.search).toEqual({ destination: 7 })
})

it('shows the largest groups first, the chosen one always, and all on demand', async () => {
  groups = [1, 2, 3, 4, 5, 6, 7].map((number) => group(`PG_2200${number}`, 10 - number))
  const user = userEvent.setup()
  open('/?destination=7&cause=DATA&schema=shop&table=parcels&code=PG_22007')
  const table = await screen.findByRole('table', { name: 'Groups of parked records' })
  const codes = () =>
    within(table)
      .getAllByRole('button')
      .map((button) => button.querySelector('code')?.textContent?.at(-1))
      .join('')
  expect(codes()).toBe('123457')
  await user.click(screen.getByRole('button', { name: 'Show all 7 groups' }))
  expect(codes()).toBe('1234567')
})

it('is shown without its groups where they cannot be had', async () => {
  groups = new ApiError(422, 'BROKEN', 'Something is wrong.', 'Mend it.')
  open('/')
  expect(await screen.findByText('The groups cannot be shown')).toBeInTheDocument()
  expect(listed()).toHaveLength(3)
})

it('says that nothing is parked, once', async () => {
  groups = []
  records = []
  open('/')
  expect(await screen.findByText('Nothing is parked')).toBeInTheDocument()
  await vi.waitFor(() => expect(screen.queryByRole('status', { name: 'Loading' })).toBeNull())
  expect(screen.queryByRole('table')).toBeNull()
})
