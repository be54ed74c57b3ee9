import { useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useState } from 'react'
import { Loaded } from '@/components/shared/loaded'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatCount, plural } from '@/lib/format'
import { type Lane, parkedGroupsQuery } from '@/repo/dead-letters'
import type { ParkedGroup } from '@/repo/types'
import { type ParkedSearch, isChosen, reasonOf, searchOf } from '../data/parked-groups'

/** So many are shown at first: the list beneath stays in sight. */
const FIRST = 5

interface ParkedGroupsProps {
  lane: Lane
  search: ParkedSearch
  /** They do not change while somebody looks into a record. */
  paused: boolean
  onChoose: (search: ParkedSearch) => void
}

/** What is parked by table and error; each group narrows the list beneath, and widens it again. */
export function ParkedGroups({ lane, search, paused, onChoose }: ParkedGroupsProps) {
  const [every, setEvery] = useState(false)
  const query = useQuery(parkedGroupsQuery(lane, paused))
  if (query.data?.total === 0) return null
  return (
    <Card>
      <Loaded query={query} title="The groups cannot be shown" rows={2}>
        {({ items, total }) => (
          <>
            <Table aria-label="Groups of parked records">
              <TableHeader>
                <TableHead>Why</TableHead>
                <TableHead>Table</TableHead>
                <TableHead className="text-end">Records</TableHead>
                <TableHead className="text-end">Changes</TableHead>
              </TableHeader>
              <TableBody>
                {items
                  .filter((group, place) => every || place < FIRST || isChosen(group, search))
                  .map((group) => (
                    <Row
                      key={JSON.stringify(searchOf(group))}
                      group={group}
                      chosen={isChosen(group, search)}
                      onChoose={onChoose}
                    />
                  ))}
              </TableBody>
            </Table>
            {items.length > FIRST && (
              <div className="text-muted-foreground flex flex-wrap items-center gap-3 border-t px-5 py-2 text-xs">
                {total > items.length && (
                  <span>
                    The largest {formatCount(items.length)} of {plural(total, 'group')}
                  </span>
                )}
                <Button size="sm" variant="link" aria-expanded={every} onClick={() => setEvery(!every)}>
                  {every ? 'Show fewer groups' : `Show all ${formatCount(items.length)} groups`}
                </Button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Card>
  )
}

interface RowProps {
  group: ParkedGroup
  chosen: boolean
  onChoose: (search: ParkedSearch) => void
}

function Row({ group, chosen, onChoose }: RowProps) {
  return (
    <TableRow className={chosen ? 'bg-muted/50' : undefined}>
      <TableCell className="min-w-56">
        <button
          type="button"
          aria-pressed={chosen}
          onClick={() => onChoose(chosen ? {} : searchOf(group))}
          className="focus-visible:ring-ring -mx-1 flex items-center gap-2 rounded-sm px-1 text-start outline-none hover:underline focus-visible:ring-2"
        >
          <span className="flex flex-col gap-0.5">
            <span className="font-medium">{reasonOf(group)}</span>
            {group.error_code && <code className="text-muted-foreground text-xs">{group.error_code}</code>}
          </span>
          {chosen && <X className="size-4 shrink-0" aria-hidden />}
        </button>
      </TableCell>
      <TableCell className="whitespace-nowrap">
        {group.schema_name}.{group.table_name}
      </TableCell>
      <TableCell className="text-end tabular-nums">{formatCount(group.records)}</TableCell>
      <TableCell className="text-end tabular-nums">{formatCount(group.changes)}</TableCell>
    </TableRow>
  )
}
