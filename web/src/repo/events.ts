/**
 * Hints that something changed, which only make cached answers be asked for anew.
 *
 * A browser opens few connections to one host, so one tab leads: it holds a Web Lock and the stream, and tells
 * the others by a BroadcastChannel. Without locks (no secure context) there are no hints; polling goes on anyway.
 */
import type { QueryClient, QueryKey } from '@tanstack/react-query'
import { API_URL } from './client'
import { Invalidator } from './freshness'

const NAME = 'rosetta-events'
/** Hints come in bursts: at most one refetch in this time. */
export const HINT_MS = 1_000
const RECONNECT_MS = 5_000

const KEYS_OF_TABLE: Record<string, QueryKey[]> = {
  sources: [['sources'], ['dashboard']],
  destinations: [['destinations'], ['pipelines'], ['dashboard']],
  pipelines: [['pipelines'], ['dashboard'], ['audit-log']],
  pipeline_destinations: [['pipelines'], ['dashboard'], ['audit-log']],
  pipeline_metadata: [['pipelines'], ['dashboard', 'summary']],
  table_syncs: [['pipelines'], ['dashboard', 'summary']],
  dlq_records: [['dead-letters'], ['pipelines'], ['dashboard', 'summary']],
  notifications: [['notifications'], ['dashboard', 'summary']],
  settings: [['settings']],
  queue_backfill_data: [['backfills'], ['dashboard', 'summary']],
  wal_monitor: [['wal-monitor']],
}

/** What a hint makes stale; null stands for everything. Undefined for a text that is no hint. */
export function keysOfHint(text: string): QueryKey[] | null | undefined {
  let hint: unknown
  try {
    hint = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof hint !== 'object' || hint === null || !('table' in hint)) return undefined
  if (hint.table === null) return null
  return typeof hint.table === 'string' ? KEYS_OF_TABLE[hint.table] : undefined
}

/** Listens until the function that it answers is called. */
export function followEvents(client: QueryClient): () => void {
  const ended = new AbortController()
  const invalidator = new Invalidator(client, HINT_MS)
  const hear = (text: string) => {
    const keys = keysOfHint(text)
    if (keys === null) invalidator.add([[]])
    else if (keys) invalidator.add(keys)
  }
  if (!('locks' in navigator) || !('BroadcastChannel' in globalThis) || !('EventSource' in globalThis)) {
    return () => ended.abort()
  }
  const channel = new BroadcastChannel(NAME)
  channel.onmessage = (message: MessageEvent<string>) => hear(message.data)
  const tell = (text: string) => {
    hear(text)
    channel.postMessage(text)
  }
  navigator.locks
    .request(NAME, { signal: ended.signal }, () => lead(tell, ended.signal))
    .catch((error: unknown) => {
      // The wish to lead is given up when the page goes; anything else is a mistake that must be seen.
      if (!ended.signal.aborted) throw error
    })
  ended.signal.addEventListener('abort', () => channel.close())
  return () => ended.abort()
}

/** Keeps the stream open until `signal`; EventSource itself gives up after an answer that is not 200. */
function lead(tell: (text: string) => void, signal: AbortSignal): Promise<void> {
  // The lock may be given in the very moment in which the page goes.
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    let stream: EventSource
    let timer: ReturnType<typeof setTimeout> | undefined
    const open = () => {
      stream = new EventSource(`${API_URL}/events`, { withCredentials: true })
      stream.onmessage = (message: MessageEvent<string>) => tell(message.data)
      stream.onerror = () => {
        if (stream.readyState === EventSource.CLOSED) timer = setTimeout(open, RECONNECT_MS)
      }
    }
    open()
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      stream.close()
      resolve()
    })
  })
}
