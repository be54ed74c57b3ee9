import { CircleAlert, RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from '@/components/ui/button'
import { cn } from '@/lib/cn'
import { asApiError } from '@/repo/api-error'

interface ErrorPanelProps {
  error: unknown
  /** What could not be done, e.g. `The pipelines cannot be shown`. */
  title: string
  onRetry?: () => void
  className?: string
  children?: ReactNode
}

/** An error as every page shows it: what, why, what mends it, and its code. */
export function ErrorPanel({ error, title, onRetry, className, children }: ErrorPanelProps) {
  const { code, message, remedy } = asApiError(error)
  return (
    <div
      role="alert"
      className={cn('border-destructive/35 bg-destructive/5 flex gap-3 rounded-lg border p-4', className)}
    >
      <CircleAlert className="text-destructive mt-0.5 size-5 shrink-0" aria-hidden />
      <div className="flex min-w-0 flex-1 flex-col gap-1.5">
        <p className="font-semibold">{title}</p>
        <p className="break-words">{message}</p>
        {remedy && <p className="text-muted-foreground break-words">{remedy}</p>}
        {children}
        <div className="flex flex-wrap items-center gap-3 pt-1">
          {onRetry && (
            <Button size="sm" variant="outline" onClick={onRetry}>
              <RotateCw aria-hidden /> Try again
            </Button>
          )}
          <code className="text-muted-foreground text-xs">{code}</code>
        </div>
      </div>
    </div>
  )
}
