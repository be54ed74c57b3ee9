import { MutationObserver, QueryObserver, type QueryClient } from '@tanstack/react-query'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Invalidator, SETTLE_MS, change, createQueryClient } from './freshness'

let client: QueryClient

beforeEach(() => {
  vi.useFakeTimers()
  client = createQueryClient()
})
afterEach(() => {
  client.clear()
  vi.useRealTimers()
})

function watch(queryKey: readonly unknown[]) {
  const queryFn = vi.fn(() => Promise.resolve('asked'))
  const end = new QueryObserver(client, {
    queryKey,
    queryFn,
    initialData: 'first',
    staleTime: Infinity,
  }).subscribe(() => undefined)
  return { queryFn, end }
}

describe('Invalidator', () => {
  it('asks once for a burst, after the delay', async () => {
    const { queryFn, end } = watch(['pipelines', 'list'])
    const invalidator = new Invalidator(client, SETTLE_MS)
    for (let i = 0; i < 20; i += 1) invalidator.add([['pipelines'], ['dashboard']])
    await vi.advanceTimersByTimeAsync(SETTLE_MS - 1)
    expect(queryFn).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(queryFn).toHaveBeenCalledOnce()
    end()
  })

  it('asks for a query once that several keys name, and for no other', async () => {
    const named = watch(['pipelines', 'list'])
    const other = watch(['sources', 'list'])
    new Invalidator(client, 10).add([['pipelines'], ['pipelines', 'list']])
    await vi.advanceTimersByTimeAsync(10)
    expect(named.queryFn).toHaveBeenCalledOnce()
    expect(other.queryFn).not.toHaveBeenCalled()
    named.end()
    other.end()
  })

  it('does not ask while the page is hidden, and knows that it is behind', async () => {
    const { queryFn, end } = watch(['pipelines'])
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    new Invalidator(client, 10).add([['pipelines']])
    await vi.advanceTimersByTimeAsync(10)
    expect(queryFn).not.toHaveBeenCalled()
    expect(client.getQueryState(['pipelines'])?.isInvalidated).toBe(true)
    end()
  })
})

describe('change', () => {
  it('writes the answer at once, and asks for what it touches later', async () => {
    const { queryFn, end } = watch(['pipelines', 'list'])
    const rename = change({
      call: (name: string) => Promise.resolve({ id: 1, name }),
      writes: (pipeline) => [[['pipelines', 'one', pipeline.id], pipeline]],
      invalidates: [['pipelines', 'list']],
    })
    await new MutationObserver(client, rename).mutate('new')
    expect(client.getQueryData(['pipelines', 'one', 1])).toEqual({ id: 1, name: 'new' })
    expect(queryFn).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(SETTLE_MS)
    expect(queryFn).toHaveBeenCalledOnce()
    end()
  })
})
