import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ErrorPanel } from './error-panel'
import { RowsPending } from './page-pending'

interface LoadedProps<T> {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'refetch'>
  /** What is said where there is nothing to show, e.g. `The queue cannot be shown`. */
  title: string
  rows?: number
  /** Of the panel that says so. */
  className?: string
  children: (data: T) => ReactNode
}

/** What a query answered, also while it is asked again; before, that it is awaited, or why it did not come. */
export function Loaded<T>({ query, title, rows, className = 'm-4', children }: LoadedProps<T>) {
  const { data, error, refetch } = query
  if (data !== undefined) return children(data)
  if (error)
    return <ErrorPanel className={className} error={error} title={title} onRetry={() => void refetch()} />
  return <RowsPending rows={rows} />
}
