import { CircleCheck } from 'lucide-react'
import type { ApiError } from '@/repo/api-error'
import type { Connection } from '@/repo/types'
import { ErrorPanel } from './error-panel'

/** The answer may lie below what is in sight. */
const show = (element: HTMLElement | null) =>
  element?.scrollIntoView({ block: 'nearest', behavior: 'smooth' })

/** How a connection test went. */
export function ConnectionResult({ result, error }: { result?: Connection; error: ApiError | null }) {
  if (error) {
    return (
      <div ref={show}>
        <ErrorPanel error={error} title="The connection failed" />
      </div>
    )
  }
  if (!result) return null
  return (
    <div role="status" className="border-success/35 bg-success/5 flex gap-3 rounded-lg border p-4">
      <CircleCheck className="text-success mt-0.5 size-5 shrink-0" aria-hidden />
      <div className="flex flex-col gap-1">
        <p className="font-semibold">{result.message}</p>
        <p className="text-muted-foreground">
          {[
            `Database ${result.database}`,
            result.tls ? 'encrypted by TLS' : 'not encrypted',
            ...(result.wal_level ? [`wal_level ${result.wal_level}`] : []),
            ...('role' in result && result.role ? [`role ${result.role}`] : []),
            ...('warehouse' in result && result.warehouse ? [`warehouse ${result.warehouse}`] : []),
          ].join(', ')}
          .
        </p>
      </div>
    </div>
  )
}
