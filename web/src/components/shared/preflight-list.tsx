import { CircleAlert, CircleCheck, Info, RotateCw, TriangleAlert } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { cn } from '@/lib/cn'
import { plural } from '@/lib/format'
import type { Finding, Preflight } from '@/repo/types'
import { CodeBlock } from './code-block'

const LOOKS: Record<string, { icon: typeof Info; color: string; word: string }> = {
  error: { icon: CircleAlert, color: 'text-destructive', word: 'Must be mended' },
  warning: { icon: TriangleAlert, color: 'text-warning', word: 'Warning' },
  ok: { icon: CircleCheck, color: 'text-success', word: 'In order' },
}
const NOTE = { icon: Info, color: 'text-info', word: 'Note' }
const ORDER = ['error', 'warning', 'info', 'ok']

function rank({ severity }: Finding): number {
  return ORDER.indexOf(severity)
}

interface PreflightListProps {
  preflight: Preflight
  onRecheck: () => void
  rechecking: boolean
}

/** What stands in the way, the worst first, each with the SQL that mends it. */
export function PreflightList({ preflight, onRecheck, rechecking }: PreflightListProps) {
  const findings = [...preflight.findings].sort((one, other) => rank(one) - rank(other))
  const blocking = findings.filter(({ severity }) => severity === 'error').length
  const flawless = findings.every(({ severity }) => severity === 'ok')
  const summary = preflight.ready
    ? flawless
      ? 'Everything is as it should be.'
      : 'Ready. Nothing below stands in the way.'
    : `${plural(blocking, 'finding')} must be mended first.`
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3" role="status">
        {preflight.ready ? (
          <CircleCheck className="text-success size-5 shrink-0" aria-hidden />
        ) : (
          <CircleAlert className="text-destructive size-5 shrink-0" aria-hidden />
        )}
        <p className="font-semibold">{summary}</p>
        <Button size="sm" variant="outline" className="ms-auto" onClick={onRecheck} pending={rechecking}>
          {!rechecking && <RotateCw aria-hidden />} Check again
        </Button>
      </div>
      {findings.length > 0 && (
        <ul className="divide-y rounded-lg border">
          {findings.map((finding, place) => {
            const { icon: Icon, color, word } = LOOKS[finding.severity] ?? NOTE
            return (
              <li key={place} className="flex gap-3 p-4">
                <Icon className={cn('mt-0.5 size-4 shrink-0', color)} aria-hidden />
                <div className="flex min-w-0 flex-1 flex-col gap-1.5">
                  <p className="font-medium break-words">
                    <span className="sr-only">{word}: </span>
                    {finding.title}
                  </p>
                  <p className="text-muted-foreground break-words">{finding.detail}</p>
                  {finding.remedy && <p className="break-words">{finding.remedy}</p>}
                  {finding.sql && <CodeBlock code={finding.sql} />}
                  {finding.severity !== 'ok' && (
                    <code className="text-muted-foreground text-xs">{finding.code}</code>
                  )}
                </div>
              </li>
            )
          })}
        </ul>
      )}
    </div>
  )
}
