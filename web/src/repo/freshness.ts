/**
 * How what is shown stays true.
 *
 * An answer to a change is written into the cache at once; what else the change touches is asked for anew once,
 * 300 ms later, so that a burst of changes costs one question. Polling lies beneath and pauses in hidden pages.
 */
import {
  MutationCache,
  QueryClient,
  type QueryKey,
  type UseMutationOptions,
  hashKey,
  matchQuery,
} from '@tanstack/react-query'
import { ApiError } from './api-error'

export const SETTLE_MS = 300
/** While something is on its way from one state to another. */
export const TRANSITION_POLL_MS = 2_000
export const CALM_POLL_MS = 10_000
const MAX_RETRIES = 2

/** Asks anew for what keys name, once, `delayMs` after the first of a burst. */
export class Invalidator {
  private readonly waiting = new Map<string, QueryKey>()
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly client: QueryClient,
    private readonly delayMs: number,
  ) {}

  add(keys: readonly QueryKey[]): void {
    for (const key of keys) this.waiting.set(hashKey(key), key)
    if (this.waiting.size > 0) this.timer ??= setTimeout(() => this.flush(), this.delayMs)
  }

  private flush(): void {
    const keys = [...this.waiting.values()]
    this.waiting.clear()
    this.timer = undefined
    // A hidden page only learns that it is behind; it asks when somebody looks at it again.
    const refetchType = document.visibilityState === 'hidden' ? 'none' : 'active'
    // One pass for all keys: a query that two of them name is asked for once.
    void this.client.invalidateQueries({
      predicate: (query) => keys.some((queryKey) => matchQuery({ queryKey }, query)),
      refetchType,
    })
  }
}

interface ChangeMeta extends Record<string, unknown> {
  invalidates?: QueryKey[]
  writes?: (answer: never, variables: never) => readonly (readonly [QueryKey, unknown])[]
}

declare module '@tanstack/react-query' {
  interface Register {
    defaultError: ApiError
    mutationMeta: ChangeMeta
  }
}

export function createQueryClient(): QueryClient {
  const client: QueryClient = new QueryClient({
    mutationCache: new MutationCache({
      onSuccess: (answer, variables, _context, mutation) => {
        const { writes, invalidates } = mutation.meta ?? {}
        for (const [key, value] of writes?.(answer as never, variables as never) ?? []) {
          client.setQueryData(key, value)
        }
        settled.add(invalidates ?? [])
      },
    }),
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        retry: (failures, error) => failures < MAX_RETRIES && error instanceof ApiError && error.retryable,
      },
    },
  })
  const settled = new Invalidator(client, SETTLE_MS)
  return client
}

interface Change<Answer, Variables> {
  call: (variables: Variables) => Promise<Answer>
  /** Which cached answers this answer replaces at once. */
  writes?: (answer: Answer, variables: Variables) => readonly (readonly [QueryKey, unknown])[]
  /** What else it touches. */
  invalidates: QueryKey[]
}

/** Options of useMutation for one call that changes something. */
export function change<Answer, Variables>({
  call,
  writes,
  invalidates,
}: Change<Answer, Variables>): UseMutationOptions<Answer, ApiError, Variables> {
  return {
    mutationFn: call,
    meta: { invalidates, ...(writes && { writes: writes as ChangeMeta['writes'] }) },
  }
}
