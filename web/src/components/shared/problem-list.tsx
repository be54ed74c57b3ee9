import { Link } from '@tanstack/react-router'
import { ArrowRight, CircleAlert, Info, TriangleAlert } from 'lucide-react'
import { cn } from '@/lib/cn'
import type { Problem } from '@/repo/types'

const LOOKS = {
  CRITICAL: { icon: CircleAlert, color: 'text-destructive', edge: 'border-s-destructive', word: 'Critical' },
  WARNING: { icon: TriangleAlert, color: 'text-warning', edge: 'border-s-warning', word: 'Warning' },
  INFO: { icon: Info, color: 'text-info', edge: 'border-s-info', word: 'Note' },
} as const

const look =
  'text-primary focus-visible:ring-ring inline-flex items-center gap-1 rounded-sm font-medium outline-none hover:underline focus-visible:ring-2'

function Where({ problem }: { problem: Problem }) {
  const arrow = <ArrowRight className="size-3.5 rtl:rotate-180" aria-hidden />
  if (problem.pipeline_id != null) {
    const tab = problem.code?.startsWith('DLQ')
      ? 'dlq'
      : problem.destination_id != null
        ? 'destinations'
        : undefined
    return (
      <Link
        to="/pipelines/$pipelineId"
        params={{ pipelineId: String(problem.pipeline_id) }}
        search={{ tab, destination: tab === 'dlq' ? (problem.destination_id ?? undefined) : undefined }}
        className={look}
      >
        Open the pipeline {arrow}
      </Link>
    )
  }
  if (problem.source_id != null) {
    return (
      <Link to="/sources/$sourceId" params={{ sourceId: String(problem.source_id) }} className={look}>
        Open the source {arrow}
      </Link>
    )
  }
  return null
}

/** What deserves attention, the worst first, each with what mends it. */
export function ProblemList({ problems }: { problems: readonly Problem[] }) {
  return (
    <ul className="flex flex-col gap-2" aria-label="Problems">
      {problems.map((problem, place) => {
        const { icon: Icon, color, edge, word } = LOOKS[problem.severity as keyof typeof LOOKS] ?? LOOKS.INFO
        return (
          <li
            key={place}
            className={cn('bg-card flex gap-3 rounded-lg border border-s-4 p-4 shadow-xs', edge)}
          >
            <Icon className={cn('mt-0.5 size-4 shrink-0', color)} aria-hidden />
            <div className="flex min-w-0 flex-1 flex-col gap-1">
              <p className="font-semibold break-words">
                <span className="sr-only">{word}: </span>
                {problem.title}
              </p>
              <p className="break-words">{problem.message}</p>
              {problem.remedy && <p className="text-muted-foreground break-words">{problem.remedy}</p>}
              <div className="flex flex-wrap items-center gap-x-4 gap-y-1 pt-0.5 text-sm">
                <Where problem={problem} />
                {problem.code && <code className="text-muted-foreground text-xs">{problem.code}</code>}
              </div>
            </div>
          </li>
        )
      })}
    </ul>
  )
}
