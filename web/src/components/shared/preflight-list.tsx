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
/** A source with ten thousand tables passes as many checks. */
const SHOWN = 100
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
  const open = findings.filter(({ severity }) => severity !== 'ok')
  const passed = findings.filter(({ severity }) => severity === 'ok')
  const summary = preflight.ready
    ? open.length === 0
      ? 'Everything is as it should be.'
      : 'Ready. Nothing below stands in the way.'
    : `${plural(blocking, 'finding')} must be mended first.`
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3" role="status">
        <span className="flex min-w-0 items-center gap-3">
          {preflight.ready ? (
            <CircleCheck className="text-success size-5 shrink-0" aria-hidden />
          ) : (
            <CircleAlert className="text-destructive size-5 shrink-0" aria-hidden />
          )}
          <p className="font-semibold">{summary}</p>
        </span>
        <Button size="sm" variant="outline" className="ms-auto" onClick={onRecheck} pending={rechecking}>
          {!rechecking && <RotateCw aria-hidden />} Check again
        </Button>
      </div>
      {open.length > 0 && <FindingList findings={open} />}
      {passed.length > 0 && (
        <details open={open.length === 0} className="group">
          <summary className="text-muted-foreground hover:text-foreground focus-visible:ring-ring w-fit cursor-pointer rounded-sm py-1 font-medium outline-none focus-visible:ring-2">
            {plural(passed.length, 'check')} in order
          </summary>
          <div className="pt-2">
            <FindingList findings={passed.slice(0, SHOWN)} />
            {passed.length > SHOWN && (
              <p className="text-muted-foreground pt-2">and {plural(passed.length - SHOWN, 'other')}.</p>
            )}
          </div>
        </details>
      )}
    </div>
  )
}

function FindingList({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul className="divide-y rounded-lg border">
      {findings.map((finding, place) => {
        const { icon: Icon, color, word } = LOOKS[finding.severity] ?? NOTE
        const passed = finding.severity === 'ok'
        return (
          <li key={place} className={cn('flex gap-3 px-4', passed ? 'py-2.5' : 'py-4')}>
            <Icon className={cn('mt-0.5 size-4 shrink-0', color)} aria-hidden />
            <div
              className={cn(
                'flex min-w-0 flex-1 gap-x-4 gap-y-1.5',
                'flex-col',
                passed && 'sm:flex-row sm:flex-wrap',
              )}
            >
              <p className={cn('font-medium break-words', passed && 'sm:w-44')}>
                <span className="sr-only">{word}: </span>
                {finding.title}
              </p>
              <p className={cn('text-muted-foreground min-w-0 break-words', passed && 'sm:flex-1')}>
                {finding.detail}
              </p>
              {finding.remedy && <p className="break-words">{finding.remedy}</p>}
              {finding.sql && <CodeBlock code={finding.sql} />}
              {!passed && <code className="text-muted-foreground text-xs">{finding.code}</code>}
            </div>
          </li>
        )
      })}
    </ul>
  )
}
