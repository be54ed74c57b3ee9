import { useQuery } from '@tanstack/react-query'
import { ScrollText } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Pagination } from '@/components/shared/pagination'
import { SearchInput } from '@/components/shared/search-input'
import { Card } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatTime } from '@/lib/format'
import { auditQuery } from '@/repo/activity'

const PAGE = 50

/** Who changed what, the newest first. */
export function AuditLog() {
  const [action, setAction] = useState('')
  const [offset, setOffset] = useState(0)
  const wanted = useDeferredValue(action.trim())
  const query = useQuery(auditQuery({ ...(wanted && { action: wanted }), limit: PAGE, offset }))
  return (
    <div className="flex flex-col gap-3">
      <SearchInput
        label="Find an action, e.g. pipeline.pause"
        value={action}
        onChange={(next) => {
          setOffset(0)
          setAction(next)
        }}
      />
      <Card>
        <Loaded query={query} title="The audit log cannot be shown">
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState
                icon={ScrollText}
                title="No entry"
                text={wanted ? 'No action is called like that.' : 'Changes appear here.'}
              />
            ) : (
              <>
                <Table aria-label="Audit log">
                  <TableHeader>
                    <TableHead>When</TableHead>
                    <TableHead>Who</TableHead>
                    <TableHead>What</TableHead>
                    <TableHead>On</TableHead>
                    <TableHead>Details</TableHead>
                  </TableHeader>
                  <TableBody>
                    {data.items.map((entry) => (
                      <TableRow key={entry.id}>
                        <TableCell className="align-top whitespace-nowrap tabular-nums">
                          {formatTime(entry.created_at)}
                        </TableCell>
                        <TableCell className="align-top whitespace-nowrap">
                          {entry.actor_name}{' '}
                          <span className="text-muted-foreground text-xs">{entry.actor_kind}</span>
                        </TableCell>
                        <TableCell className="align-top font-mono text-xs leading-5">
                          {entry.action}
                        </TableCell>
                        <TableCell className="align-top whitespace-nowrap">
                          {[entry.entity_type, entry.entity_id].filter(Boolean).join(' ') || '–'}
                        </TableCell>
                        <TableCell className="text-muted-foreground max-w-md min-w-40 align-top font-mono text-xs leading-5 break-words">
                          {Object.entries(entry.details)
                            .map(
                              ([name, value]) =>
                                `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
                            )
                            .join(', ') || '–'}
                        </TableCell>
                      </TableRow>
                    ))}
                  </TableBody>
                </Table>
                <Pagination offset={offset} limit={PAGE} total={data.total} onOffset={setOffset} />
              </>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}
