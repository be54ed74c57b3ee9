import { useQuery } from '@tanstack/react-query'
import { WifiOff } from 'lucide-react'
import { summaryQuery } from '@/repo/dashboard'
import { UpdatedAgo } from './updated-ago'

/** Says that what is shown is old, as long as the backend does not answer. */
export function ConnectionBanner() {
  const { error, failureReason, dataUpdatedAt } = useQuery(summaryQuery)
  const failure = error ?? failureReason
  if (!failure?.retryable) return null
  return (
    <div
      role="status"
      className="border-warning/40 bg-warning/10 flex flex-wrap items-center gap-x-3 gap-y-1 border-b px-4 py-2 sm:px-6"
    >
      <WifiOff className="text-warning size-4 shrink-0" aria-hidden />
      <span>
        {failure.message} {failure.remedy}
      </span>
      <UpdatedAgo at={dataUpdatedAt} />
    </div>
  )
}
