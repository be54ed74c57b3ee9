import type { LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'

interface EmptyStateProps {
  icon: LucideIcon
  title: string
  text: ReactNode
  children?: ReactNode
  /** The page is nothing but this. */
  wholePage?: boolean
}

export function EmptyState({ icon: Icon, title, text, children, wholePage }: EmptyStateProps) {
  const Heading = wholePage ? 'h1' : 'h2'
  return (
    <div className="flex flex-col items-center gap-3 px-6 py-14 text-center">
      <span className="bg-accent text-primary flex size-12 items-center justify-center rounded-full">
        <Icon className="size-6" aria-hidden />
      </span>
      <Heading className="text-base font-semibold">{title}</Heading>
      <div className="text-muted-foreground max-w-md text-balance">{text}</div>
      {children && <div className="flex flex-wrap justify-center gap-2 pt-2">{children}</div>}
    </div>
  )
}
