import { Badge } from '@/components/ui/badge'
import { Checkbox } from '@/components/ui/checkbox'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { type ColumnDraft, KEY_MASKS, MASKS, type RulesDraft } from '../data/rules-draft'

interface RulesColumnsProps {
  draft: RulesDraft
  onChange: (draft: RulesDraft) => void
}

/** Which columns are sent, under which names, and masked how. */
export function RulesColumns({ draft, onChange }: RulesColumnsProps) {
  const put = (place: number, changed: Partial<ColumnDraft>) =>
    onChange({
      ...draft,
      columns: draft.columns.map((column, at) => (at === place ? { ...column, ...changed } : column)),
    })
  return (
    <div className="flex flex-col gap-3">
      <label className="flex items-center gap-2" htmlFor="every-column">
        <Checkbox
          id="every-column"
          checked={draft.everything}
          onCheckedChange={(on) => onChange({ ...draft, everything: on === true })}
        />
        Send every column under its own name, also those that join later
      </label>
      <Table aria-label="Columns">
        <TableHeader>
          <TableHead>Column</TableHead>
          <TableHead>Name at the target</TableHead>
          <TableHead>Value</TableHead>
        </TableHeader>
        <TableBody>
          {draft.columns.map((column, place) => {
            const sent = draft.everything || column.sent
            return (
              <TableRow key={column.name}>
                <TableCell>
                  <span className="flex items-center gap-2">
                    <Checkbox
                      aria-label={`Send ${column.name}`}
                      checked={sent}
                      disabled={draft.everything || column.inKey}
                      onCheckedChange={(on) => put(place, { sent: on === true })}
                    />
                    <span className="flex min-w-0 flex-col">
                      <span className="flex flex-wrap items-center gap-1.5 font-medium wrap-anywhere">
                        {column.name} {column.inKey && <Badge>key</Badge>}
                      </span>
                      <span className="text-muted-foreground text-xs">{column.type}</span>
                    </span>
                  </span>
                </TableCell>
                <TableCell>
                  <Input
                    aria-label={`Name of ${column.name} at the target`}
                    className="h-8 min-w-32"
                    value={draft.everything ? column.name : column.target}
                    disabled={draft.everything || !sent}
                    autoComplete="off"
                    spellCheck={false}
                    onChange={(event) => put(place, { target: event.target.value })}
                  />
                </TableCell>
                <TableCell>
                  <Select
                    aria-label={`Value of ${column.name}`}
                    className="h-8 w-28"
                    value={column.mask}
                    disabled={!sent}
                    onValueChange={(mask) => put(place, { mask })}
                    options={column.inKey ? KEY_MASKS : MASKS}
                  />
                </TableCell>
              </TableRow>
            )
          })}
        </TableBody>
      </Table>
    </div>
  )
}
