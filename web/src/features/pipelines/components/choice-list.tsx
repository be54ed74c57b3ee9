import type { LucideIcon } from 'lucide-react'
import { cn } from '@/lib/cn'

interface Choice {
  id: number
  name: string
  detail: string
}

interface ChoiceListProps {
  label: string
  kind: 'radio' | 'checkbox'
  icon: LucideIcon
  choices: readonly Choice[]
  chosen: readonly number[]
  onChoose: (id: number) => void
}

/** One or several out of a few, as cards. */
export function ChoiceList({ label, kind, icon: Icon, choices, chosen, onChoose }: ChoiceListProps) {
  return (
    <div
      role={kind === 'radio' ? 'radiogroup' : 'group'}
      aria-label={label}
      className="grid gap-3 sm:grid-cols-2"
    >
      {choices.map(({ id, name, detail }) => {
        const on = chosen.includes(id)
        return (
          <label
            key={id}
            className={cn(
              'bg-card hover:border-ring has-focus-visible:ring-ring flex cursor-pointer items-center gap-3 rounded-lg border p-4 shadow-xs has-focus-visible:ring-2',
              on && 'border-primary ring-primary/30 ring-1',
            )}
          >
            <input
              type={kind}
              name={label}
              checked={on}
              onChange={() => onChoose(id)}
              className="accent-primary size-4 shrink-0 outline-none"
            />
            <Icon
              className={cn('size-5 shrink-0', on ? 'text-primary' : 'text-muted-foreground')}
              aria-hidden
            />
            <span className="flex min-w-0 flex-col">
              <span className="truncate font-semibold">{name}</span>
              <span className="text-muted-foreground truncate text-xs">{detail}</span>
            </span>
          </label>
        )
      })}
    </div>
  )
}
