import { PlugZap } from 'lucide-react'
import type { FormEvent, ReactNode } from 'react'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import type { ApiError } from '@/repo/api-error'
import type { Connection } from '@/repo/types'
import { ConnectionResult } from './connection-result'
import { ErrorPanel } from './error-panel'

interface ConnectionFormProps {
  /** What becomes of it when it is sent, e.g. `Save`. */
  action: string
  pending: boolean
  error: ApiError | null
  /** What a failure is called, e.g. `The source was not saved`. */
  failed: string
  onSubmit: (event: FormEvent) => void
  /** For what is not saved yet; a saved connection is tested where it is shown. */
  test?: {
    of: { data: Connection | undefined; error: ApiError | null; isPending: boolean }
    onTest: () => void
  }
  children: ReactNode
}

/** The frame of a form that says how to reach a database. */
export function ConnectionForm({
  action,
  pending,
  error,
  failed,
  onSubmit,
  test,
  children,
}: ConnectionFormProps) {
  return (
    <form className="flex flex-col gap-5" noValidate onSubmit={onSubmit}>
      <Card className="gap-5 p-5">{children}</Card>
      {test && <ConnectionResult result={test.of.data} error={test.of.error} />}
      {error && <ErrorPanel error={error} title={failed} />}
      <div className="flex flex-wrap justify-end gap-2">
        {test && (
          <Button variant="outline" onClick={test.onTest} pending={test.of.isPending}>
            {!test.of.isPending && <PlugZap aria-hidden />} Test the connection
          </Button>
        )}
        <Button type="submit" pending={pending}>
          {action}
        </Button>
      </div>
    </form>
  )
}
