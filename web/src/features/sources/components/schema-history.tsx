import { useQuery } from '@tanstack/react-query'
import { GitCommitHorizontal } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Pagination } from '@/components/shared/pagination'
import { SearchInput } from '@/components/shared/search-input'
import { Badge } from '@/components/ui/badge'
import { Card } from '@/components/ui/card'
import { Checkbox } from '@/components/ui/checkbox'
import { formatTime } from '@/lib/format'
import { schemaChangesQuery } from '@/repo/sources'
import type { SchemaVersion } from '@/repo/types'

const PAGE = 50
const SEEN = { poll: 'by a look at the source', stream: 'in the stream' }

/** How the tables of a source changed their shape. */
export function SchemaHistory({ sourceId }: { sourceId: number }) {
  const [text, setText] = useState('')
  const [first, setFirst] = useState(false)
  const [offset, setOffset] = useState(0)
  const wanted = useDeferredValue(text.trim())
  const query = useQuery(
    schemaChangesQuery(sourceId, { ...(wanted && { table_name: wanted }), first, limit: PAGE, offset }),
  )
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <SearchInput
          label="Find a table"
          value={text}
          onChange={(next) => {
            setOffset(0)
            setText(next)
          }}
        />
        <label className="flex items-center gap-2" htmlFor="first-versions">
          <Checkbox
            id="first-versions"
            checked={first}
            onCheckedChange={(on) => {
              setOffset(0)
              setFirst(on === true)
            }}
          />
          Also the first version of each table
        </label>
      </div>
      <Card>
        <Loaded query={query} title="The history cannot be shown">
          {({ items, total }) =>
            items.length === 0 ? (
              <EmptyState
                icon={GitCommitHorizontal}
                title="Nothing changed"
                text={
                  wanted
                    ? 'No table of this name has changed its shape.'
                    : 'Columns that join, go, or change their name or type appear here.'
                }
              />
            ) : (
              <>
                <ol className="divide-y" aria-label="Versions">
                  {items.map((version) => (
                    <Version key={version.id} version={version} />
                  ))}
                </ol>
                <Pagination offset={offset} limit={PAGE} total={total} onOffset={setOffset} />
              </>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}

function Version({
  version: { schema_name, table_name, version, changes, seen_by, created_at },
}: {
  version: SchemaVersion
}) {
  return (
    <li className="flex flex-col gap-1 px-5 py-3">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="font-medium wrap-anywhere">
          {schema_name}.{table_name}
        </span>
        <Badge>version {version}</Badge>
        <span className="text-muted-foreground text-xs">
          <time dateTime={created_at}>{formatTime(created_at)}</time>, seen {SEEN[seen_by]}
        </span>
      </p>
      {changes.length === 0 ? (
        <p className="text-muted-foreground">The first version that was seen.</p>
      ) : (
        <ul className="list-disc ps-5">
          {changes.map(({ text }) => (
            <li key={text} className="break-words">
              {text}
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}
