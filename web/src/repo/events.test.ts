import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, it, vi } from 'vitest'
import { HINT_MS, followEvents, keysOfHint } from './events'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

it('knows what a hint makes stale', () => {
  expect(keysOfHint('{"table": "sources", "op": "INSERT", "id": 1}')).toEqual([['sources'], ['dashboard']])
  expect(keysOfHint('{"table": "queue_backfill_data"}')).toContainEqual(['backfills'])
  expect(keysOfHint('{"table": null}')).toBeNull()
})

it.each(['', 'no json', '7', 'null', '{}', '{"table": "leases"}'])('ignores %s', (text) => {
  expect(keysOfHint(text)).toBeUndefined()
})

class Stream {
  static opened: Stream[] = []
  static CLOSED = 2
  readyState = 1
  onmessage: ((message: { data: string }) => void) | null = null
  onerror: (() => void) | null = null
  constructor(readonly url: string) {
    Stream.opened.push(this)
  }
  close() {
    this.readyState = Stream.CLOSED
  }
}

function stubBrowser(posted: string[]) {
  Stream.opened = []
  vi.stubGlobal('EventSource', Stream)
  vi.stubGlobal(
    'BroadcastChannel',
    class {
      onmessage = null
      postMessage = (text: string) => posted.push(text)
      close = () => undefined
    },
  )
  vi.stubGlobal('navigator', {
    locks: { request: (_: string, __: object, work: () => Promise<void>) => Promise.resolve().then(work) },
  })
}

it('opens no stream when it was ended before it came to lead', async () => {
  vi.useFakeTimers()
  stubBrowser([])
  followEvents(new QueryClient())()
  await vi.advanceTimersByTimeAsync(0)
  expect(Stream.opened).toHaveLength(0)
})

it('opens one stream when it leads, tells the other tabs, and opens it anew after it was refused', async () => {
  vi.useFakeTimers()
  const posted: string[] = []
  stubBrowser(posted)
  const client = new QueryClient()
  const invalidate = vi.spyOn(client, 'invalidateQueries').mockResolvedValue()
  const stop = followEvents(client)
  await vi.advanceTimersByTimeAsync(0)
  expect(Stream.opened).toHaveLength(1)
  Stream.opened[0]?.onmessage?.({ data: '{"table": "pipelines"}' })
  expect(posted).toEqual(['{"table": "pipelines"}'])
  await vi.advanceTimersByTimeAsync(HINT_MS)
  expect(invalidate).toHaveBeenCalledOnce()
  Stream.opened[0]?.close()
  Stream.opened[0]?.onerror?.()
  await vi.advanceTimersByTimeAsync(5_000)
  expect(Stream.opened).toHaveLength(2)
  stop()
  expect(Stream.opened[1]?.readyState).toBe(Stream.CLOSED)
})
