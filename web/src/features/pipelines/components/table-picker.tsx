import { useVirtualizer } from '@tanstack/react-virtual'
import { useDeferredValue, useMemo, useRef, useState } from 'react'
import { SearchInput } from '@/components/shared/search-input'
import { Badge } from '@/components/ui/badge'
import { Checkbox } from '@/components/ui/checkbox'
import { formatBytes, formatCount } from '@/lib/format'
import type { SourceTable } from '@/repo/types'
import { matching, nameOf, toggleShown } from '../data/draft'

interface TablePickerProps {
  tables: readonly SourceTable[]
  picked: ReadonlySet<string>
  onPick: (picked: ReadonlySet<string>) => void
}

const ROW_HEIGHT = 40

/** Tables to choose from. Only what is in sight is drawn; the box for all means those that the filter shows. */
export function TablePicker({ tables, picked, onPick }: TablePickerProps) {
  const [text, setText] = useState('')
  const filter = useDeferredValue(text)
  const shown = useMemo(() => matching(tables, filter), [tables, filter])
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
  })
  const pickedShown = useMemo(
    () => shown.reduce((sum, table) => sum + (picked.has(nameOf(table)) ? 1 : 0), 0),
    [shown, picked],
  )
  const every = shown.length > 0 && pickedShown === shown.length
  const toggle = (name: string) => {
    const next = new Set(picked)
    if (!next.delete(name)) next.add(name)
    onPick(next)
  }
  return (
    <div className="bg-card overflow-hidden rounded-lg border shadow-xs">
      <div className="bg-muted/40 flex flex-wrap items-center gap-x-4 gap-y-2 border-b p-3">
        <label className="flex items-center gap-2 font-medium">
          <Checkbox
            checked={every ? true : pickedShown > 0 ? 'indeterminate' : false}
            disabled={shown.length === 0}
            onCheckedChange={() => onPick(toggleShown(picked, shown))}
          />
          {filter.trim() === ''
            ? `All ${formatCount(shown.length)}`
            : `All ${formatCount(shown.length)} that fit`}
        </label>
        <SearchInput label="Find a table" value={text} onChange={setText} />
        <span className="text-muted-foreground ms-auto text-xs tabular-nums" role="status">
          {formatCount(picked.size)} of {formatCount(tables.length)} chosen
        </span>
      </div>
      <div
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label="Tables"
        className="focus-visible:ring-ring h-80 overflow-y-auto outline-none focus-visible:ring-2 focus-visible:ring-inset"
      >
        {shown.length === 0 && (
          <p className="text-muted-foreground p-8 text-center">No table has this name.</p>
        )}
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const table = shown[index]
            if (!table) return null
            const name = nameOf(table)
            return (
              <label
                key={name}
                className="hover:bg-muted/50 absolute inset-x-0 top-0 flex items-center gap-3 border-b px-3"
                style={{ height: ROW_HEIGHT, transform: `translateY(${start}px)` }}
              >
                <Checkbox checked={picked.has(name)} onCheckedChange={() => toggle(name)} />
                <span className="min-w-0 flex-1 truncate">{name}</span>
                {table.key.length === 0 && <Badge tone="warning">no key</Badge>}
                {!table.in_publication && <Badge className="max-sm:hidden">not published</Badge>}
                <span className="text-muted-foreground w-20 shrink-0 text-end text-xs tabular-nums">
                  {formatBytes(table.size_bytes)}
                </span>
              </label>
            )
          })}
        </div>
      </div>
    </div>
  )
}
