import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { cn } from '@/lib/cn'

interface StatProps {
  icon: LucideIcon
  label: string
  value: ReactNode
  hint?: ReactNode
  tone?: 'plain' | 'warning'
}

/** One figure, with what it means. */
export function Stat({ icon: Icon, label, value, hint, tone = 'plain' }: StatProps) {
  return (
    <div className="bg-card flex min-w-0 flex-col gap-1 rounded-lg border p-4 shadow-xs">
      <dt className="text-muted-foreground flex items-center gap-2 text-xs font-medium">
        <Icon className="size-3.5 shrink-0" aria-hidden />
        <span className="truncate">{label}</span>
      </dt>
      <dd
        className={cn(
          'text-2xl font-semibold tracking-tight tabular-nums',
          tone === 'warning' && 'text-warning',
        )}
      >
        {value}
      </dd>
      {hint && <dd className="text-muted-foreground text-xs">{hint}</dd>}
    </div>
  )
}
