import { useQueryErrorResetBoundary } from '@tanstack/react-query'
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router'
import { ErrorPanel } from './error-panel'

/** What stands where a page could not be shown. */
export function PageError({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const queries = useQueryErrorResetBoundary()
  return (
    <div className="mx-auto w-full max-w-2xl p-4">
      <ErrorPanel
        title="This page cannot be shown"
        error={error}
        onRetry={() => {
          queries.reset()
          reset()
          void router.invalidate()
        }}
      />
    </div>
  )
}
