import type { ReactNode } from 'react'
import { useDocumentTitle } from '@/lib/use-document-title'

interface PageHeaderProps {
  title: string
  /** Beside the title: badges. */
  aside?: ReactNode
  description?: ReactNode
  actions?: ReactNode
}

export function PageHeader({ title, aside, description, actions }: PageHeaderProps) {
  useDocumentTitle(title)
  return (
    <header className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
      <div className="flex min-w-0 flex-col gap-1">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1.5">
          <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{title}</h1>
          {aside}
        </div>
        {description && <div className="text-muted-foreground">{description}</div>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  )
}
