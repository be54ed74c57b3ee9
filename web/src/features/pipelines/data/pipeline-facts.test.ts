import { expect, it } from 'vitest'
import type { Pipeline, PipelineFlow } from '@/repo/types'
import { tableRows } from './pipeline-facts'

const sync = (table_name: string) => ({
  schema_name: 'shop',
  table_name,
  target_schema: null,
  target_name: null,
})
const PIPELINE = {
  destinations: [
    { destination: { id: 1, name: 'warehouse' }, table_syncs: [sync('orders'), sync('items')] },
    { destination: { id: 2, name: 'archive' }, table_syncs: [sync('orders')] },
  ],
} as unknown as Pipeline

const point = (destination_id: number, table_name: string, lag_seconds_max: number | null) =>
  ({ destination_id, schema_name: 'shop', table_name, lag_seconds_max }) as PipelineFlow['points'][number]

it('shows beside each table the worst lag that was measured at its destination', () => {
  const rows = tableRows(PIPELINE, [
    point(1, 'orders', 0.2),
    point(1, 'orders', 4),
    point(1, 'items', null),
    point(2, 'orders', 0.1),
  ])
  expect(
    rows.map(({ destinationName, source, lagSeconds }) => [destinationName, source, lagSeconds]),
  ).toEqual([
    ['warehouse', 'shop.orders', 4],
    ['warehouse', 'shop.items', null],
    ['archive', 'shop.orders', 0.1],
  ])
})
