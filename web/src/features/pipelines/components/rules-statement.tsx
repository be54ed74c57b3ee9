import { Checkbox } from '@/components/ui/checkbox'
import { Textarea } from '@/components/ui/input'
import { useCan } from '@/lib/use-role'

interface RulesStatementProps {
  /** Null: columns, masks and filters are what counts. */
  statement: string | null
  onChange: (statement: string | null) => void
}

/** One SELECT over the rows on their way, in place of all other rules; only admins may write one. */
export function RulesStatement({ statement, onChange }: RulesStatementProps) {
  const mayWrite = useCan('admin')
  return (
    <div className="flex flex-col gap-2">
      <label className="flex items-center gap-2" htmlFor="own-statement">
        <Checkbox
          id="own-statement"
          checked={statement !== null}
          disabled={!mayWrite}
          onCheckedChange={(on) => onChange(on === true ? '' : null)}
        />
        By a SELECT of your own, in place of columns and filters {!mayWrite && '(an admin writes it)'}
      </label>
      {statement !== null && (
        <>
          <Textarea
            aria-label="Statement"
            rows={8}
            className="font-mono text-xs sm:text-xs"
            placeholder={'SELECT id, upper(name) AS name\nFROM batch\nWHERE amount > 0'}
            value={statement}
            readOnly={!mayWrite}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => onChange(event.target.value)}
          />
          <p className="text-muted-foreground text-xs">
            DuckDB&apos;s SQL over one table, batch, row by row; the columns of the key are passed on as they
            are.
          </p>
        </>
      )}
    </div>
  )
}
