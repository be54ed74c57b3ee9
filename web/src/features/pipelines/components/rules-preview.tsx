import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatCount } from '@/lib/format'
import type { RulesPreview as Preview } from '@/repo/types'

/** What rules would do: how many rows pass, come and go, and what some of them look like at the target. */
export function RulesPreview({ preview }: { preview: Preview }) {
  const figures = [
    ['Rows of the table', preview.rows],
    ['pass', preview.rows_passing],
    ['come', preview.rows_entering],
    ['go', preview.rows_leaving],
  ] as const
  const columns = Object.entries(preview.columns)
  return (
    <section aria-label="Dry run" className="flex flex-col gap-3" role="status">
      <dl className="flex flex-wrap gap-x-6 gap-y-2">
        {figures.map(([what, count]) => (
          <div key={what} className="flex flex-col">
            <dt className="text-muted-foreground text-xs">{what}</dt>
            <dd className="font-medium tabular-nums">{formatCount(count)}</dd>
          </div>
        ))}
      </dl>
      {preview.rows === null && (
        <p className="text-muted-foreground text-xs">Counting would take too long; the rules are right.</p>
      )}
      {preview.sample.length > 0 && (
        <Table aria-label="Rows as the target would have them">
          <TableHeader>
            {columns.map(([name, type]) => (
              <TableHead key={name}>
                {name} <span className="text-muted-foreground font-normal">{type}</span>
              </TableHead>
            ))}
          </TableHeader>
          <TableBody>
            {preview.sample.map((row, place) => (
              <TableRow key={place}>
                {columns.map(([name]) => (
                  <TableCell key={name} className="max-w-60 truncate font-mono text-xs">
                    {row[name] ?? <span className="text-muted-foreground">NULL</span>}
                  </TableCell>
                ))}
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </section>
  )
}
