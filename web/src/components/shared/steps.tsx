import { Check } from 'lucide-react'
import { cn } from '@/lib/cn'

/** Where in a wizard one is. */
export function Steps({ names, current }: { names: readonly string[]; current: number }) {
  return (
    <ol className="flex flex-wrap items-center gap-x-5 gap-y-2" aria-label="Steps">
      {names.map((name, place) => (
        <li
          key={name}
          aria-current={place === current ? 'step' : undefined}
          className={cn(
            'flex items-center gap-2',
            place === current ? 'font-medium' : 'text-muted-foreground',
          )}
        >
          <span
            className={cn(
              'flex size-6 items-center justify-center rounded-full border text-xs font-semibold',
              place === current && 'border-primary bg-primary text-primary-foreground',
              place < current && 'border-success/40 bg-success/10 text-success',
            )}
          >
            {place < current ? <Check className="size-3.5" aria-label="done" /> : place + 1}
          </span>
          {name}
        </li>
      ))}
    </ol>
  )
}
