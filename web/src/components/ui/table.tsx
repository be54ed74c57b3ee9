import type { ComponentProps } from 'react'
import { cn } from '@/lib/cn'

export function Table({ className, ...props }: ComponentProps<'table'>) {
  return (
    <div
      className="focus-visible:ring-ring relative w-full overflow-x-auto outline-none focus-visible:ring-2"
      tabIndex={0}
      role="region"
      aria-label={props['aria-label']}
    >
      <table className={cn('w-full caption-bottom text-sm', className)} {...props} />
    </div>
  )
}

/** The one row of heads above the others. */
export function TableHeader({ className, children, ...props }: ComponentProps<'thead'>) {
  return (
    <thead className={cn('bg-muted/50', className)} {...props}>
      <tr className="border-b">{children}</tr>
    </thead>
  )
}

export function TableBody({ className, ...props }: ComponentProps<'tbody'>) {
  return <tbody className={cn('[&_tr:last-child]:border-0', className)} {...props} />
}

export function TableRow({ className, ...props }: ComponentProps<'tr'>) {
  return <tr className={cn('hover:bg-muted/40 border-b transition-colors', className)} {...props} />
}

export function TableHead({ className, ...props }: ComponentProps<'th'>) {
  return (
    <th
      scope="col"
      className={cn(
        'text-muted-foreground h-10 px-4 first:ps-5 last:pe-5 text-start align-middle text-xs font-medium whitespace-nowrap',
        className,
      )}
      {...props}
    />
  )
}

export function TableCell({ className, ...props }: ComponentProps<'td'>) {
  return <td className={cn('px-4 first:ps-5 last:pe-5 py-2.5 align-middle', className)} {...props} />
}
