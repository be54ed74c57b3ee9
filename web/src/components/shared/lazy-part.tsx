import { CatchBoundary } from '@tanstack/react-router'
import { type ReactNode, Suspense } from 'react'
import { ErrorPanel } from './error-panel'

interface LazyPartProps {
  /** Shown while the part is fetched. */
  pending: ReactNode
  children: ReactNode
}

/** A part of a page whose code is fetched when it is needed. When that fails, the rest of the page stays. */
export function LazyPart({ pending, children }: LazyPartProps) {
  return (
    <CatchBoundary
      getResetKey={() => 'part'}
      // A part that failed to load fails again until the page is loaded anew.
      onCatch={() => undefined}
      errorComponent={({ error }) => (
        <ErrorPanel
          error={error}
          title="This part of the page could not be loaded"
          onRetry={() => window.location.reload()}
        />
      )}
    >
      <Suspense fallback={pending}>{children}</Suspense>
    </CatchBoundary>
  )
}
