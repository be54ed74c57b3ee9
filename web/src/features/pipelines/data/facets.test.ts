import { expect, it } from 'vitest'
import type { Pipeline } from '@/repo/types'
import { facetOptions, narrowed } from './facets'

const pipeline = (name: string, source: string, ...destinations: [name: string, status: string][]) =>
  ({
    name,
    source: { name: source },
    destinations: destinations.map(([destination, status]) => ({
      destination: { name: destination },
      metadata: { status },
    })),
  }) as unknown as Pipeline

const ALL = [
  pipeline('orders', 'shop', ['warehouse', 'RUNNING'], ['archive', 'FAILED']),
  pipeline('stock', 'shop', ['warehouse', 'RUNNING']),
  pipeline('people', 'crm', ['archive', 'RUNNING']),
]
const names = (found: Pipeline[]) => found.map(({ name }) => name)

it('narrows by every facet that is chosen, and by the text', () => {
  expect(names(narrowed(ALL, {}))).toEqual(['orders', 'stock', 'people'])
  expect(names(narrowed(ALL, { source: 'shop', state: 'RUNNING' }))).toEqual(['stock'])
  expect(names(narrowed(ALL, { destination: 'archive', q: 'SHOP' }))).toEqual(['orders'])
})

it('counts what each choice would leave, under what the other facets say', () => {
  expect(facetOptions(ALL, {}, 'destination')).toEqual([
    { value: 'archive', label: 'archive (2)' },
    { value: 'warehouse', label: 'warehouse (2)' },
  ])
  expect(facetOptions(ALL, { source: 'shop', destination: 'archive' }, 'destination')).toEqual([
    { value: 'archive', label: 'archive (1)' },
    { value: 'warehouse', label: 'warehouse (2)' },
  ])
  expect(facetOptions(ALL, { source: 'shop' }, 'state').map(({ label }) => label)).toEqual([
    'Failed (1)',
    'Running (1)',
  ])
})

it('keeps what is chosen among the choices when nothing has it any more', () => {
  expect(facetOptions(ALL, { source: 'gone' }, 'source')).toContainEqual({ value: 'gone', label: 'gone (0)' })
})
