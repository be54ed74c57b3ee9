import { Link } from '@tanstack/react-router'
import { Check } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { cn } from '@/lib/cn'
import type { Summary } from '@/repo/types'

const STEPS = [
  {
    to: '/sources/new',
    title: 'Connect a source',
    text: 'The PostgreSQL database whose changes are replicated. Its settings are checked, and the SQL for what is missing is shown.',
    action: 'Add a source',
    done: (summary: Summary) => summary.sources > 0,
  },
  {
    to: '/destinations/new',
    title: 'Connect a destination',
    text: 'Where the rows go: PostgreSQL or Snowflake.',
    action: 'Add a destination',
    done: (summary: Summary) => summary.destinations > 0,
  },
  {
    to: '/pipelines/new',
    title: 'Create a pipeline',
    text: 'Choose the tables; they are copied first, then every change follows within a second.',
    action: 'Create a pipeline',
    done: (summary: Summary) => summary.pipelines > 0,
  },
] as const

/** The first three steps of a newcomer. */
export function Checklist({ summary, mayChange }: { summary: Summary; mayChange: boolean }) {
  const next = STEPS.findIndex((step) => !step.done(summary))
  return (
    <Card className="mx-auto w-full max-w-2xl p-6">
      <h2 className="text-base font-semibold">Three steps to the first replicated row</h2>
      <ol className="mt-5 flex flex-col gap-5">
        {STEPS.map((step, place) => {
          const done = step.done(summary)
          return (
            <li key={step.to} className="flex gap-4">
              <span
                className={cn(
                  'flex size-8 shrink-0 items-center justify-center rounded-full border text-sm font-semibold',
                  done && 'border-success/30 bg-success/10 text-success',
                  place === next && 'border-primary text-primary',
                )}
              >
                {done ? <Check className="size-4" aria-label="done" /> : place + 1}
              </span>
              <div className="flex min-w-0 flex-1 flex-col gap-1">
                <p className={cn('pt-1 font-semibold', done && 'text-muted-foreground')}>{step.title}</p>
                <p className="text-muted-foreground">{step.text}</p>
                {place === next && mayChange && (
                  <Button asChild size="sm" className="mt-2 w-fit">
                    <Link to={step.to}>{step.action}</Link>
                  </Button>
                )}
              </div>
            </li>
          )
        })}
      </ol>
    </Card>
  )
}
