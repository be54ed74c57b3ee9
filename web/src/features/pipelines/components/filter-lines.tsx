import { Plus, X } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { Input } from '@/components/ui/input'
import { MOST_FILTERS } from '../data/filter-text'

interface FilterLinesProps {
  lines: readonly string[]
  onChange: (lines: string[]) => void
}

/** Conditions that a row has to meet, all of them, each on a line of its own. */
export function FilterLines({ lines, onChange }: FilterLinesProps) {
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-2 text-sm font-medium">
        Only rows that pass {lines.length > 1 ? 'all of these' : 'this'}
      </legend>
      {lines.map((line, place) => (
        <div key={place} className="flex gap-2">
          <Input
            aria-label={`Filter ${place + 1}`}
            className="font-mono"
            value={line}
            placeholder="created_at >= '2026-01-01'"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onChange(lines.with(place, event.target.value))}
          />
          <Button
            variant="ghost"
            size="icon"
            aria-label={`Remove filter ${place + 1}`}
            onClick={() => onChange(lines.toSpliced(place, 1))}
          >
            <X aria-hidden />
          </Button>
        </div>
      ))}
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Button
          variant="outline"
          size="sm"
          disabled={lines.length >= MOST_FILTERS}
          onClick={() => onChange([...lines, ''])}
        >
          <Plus aria-hidden /> Add a filter
        </Button>
        <span className="text-muted-foreground text-xs">
          At most {MOST_FILTERS}; with = != &gt; &lt; &gt;= &lt;= LIKE ILIKE IN BETWEEN IS NULL.
        </span>
      </div>
    </fieldset>
  )
}
