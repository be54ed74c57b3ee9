import {
  type ColumnDef,
  type SortingState,
  createSortedRowModel,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
  useTable,
} from '@tanstack/react-table'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react'
import { type ReactNode, useRef, useState } from 'react'
import { TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { cn } from '@/lib/cn'

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
})

interface Row {
  id: number | string
}

export interface Column<Item> {
  id: string
  header: string
  cell: (item: Item) => ReactNode
  /** What the column is sorted by; left out, it is not. */
  sortBy?: (item: Item) => string | number
  className?: string
  /** The heading is for screen readers only: a column of buttons. */
  hideHeader?: boolean
}

interface DataTableProps<Item extends Row> {
  label: string
  columns: readonly Column<Item>[]
  items: readonly Item[]
  initialSort?: SortingState
  rowClassName?: (item: Item) => string | undefined
}

const ROW_HEIGHT = 49
/** Beyond this only the rows in sight are drawn. */
const WINDOW_FROM = 100

const definition = <Item extends Row>(column: Column<Item>): ColumnDef<typeof features, Item> => ({
  id: column.id,
  header: column.header,
  accessorFn: (item) => column.sortBy?.(item) ?? '',
  enableSorting: column.sortBy !== undefined,
  sortFn: 'alphanumeric',
})

/** Rows that can be sorted by their headings; ten thousand are no slower than a hundred. */
export function DataTable<Item extends Row>({
  label,
  columns,
  items,
  initialSort = [],
  rowClassName,
}: DataTableProps<Item>) {
  const scroller = useRef<HTMLDivElement>(null)
  const [sorting, setSorting] = useState<SortingState>(initialSort)
  const [definitions] = useState(() => columns.map(definition))
  const table = useTable({
    features,
    columns: definitions,
    data: items as Item[],
    getRowId: (item) => String(item.id),
    state: { sorting },
    onSortingChange: setSorting,
  })
  const rows = table.getRowModel().rows
  const windowed = rows.length > WINDOW_FROM
  const virtual = useVirtualizer({
    count: rows.length,
    enabled: windowed,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 10,
  })
  const shown = virtual.getVirtualItems()
  const before = windowed ? (shown[0]?.start ?? 0) : 0
  const after = windowed ? virtual.getTotalSize() - (shown.at(-1)?.end ?? 0) : 0
  const visible = windowed ? shown.flatMap(({ index }) => rows[index] ?? []) : rows
  return (
    <div
      ref={scroller}
      role="region"
      aria-label={label}
      tabIndex={0}
      className={cn(
        'focus-visible:ring-ring relative w-full overflow-auto rounded-lg outline-none focus-visible:ring-2',
        windowed && 'max-h-[70dvh]',
      )}
    >
      <table className="w-full text-sm" aria-rowcount={rows.length + 1}>
        <TableHeader className={windowed ? 'bg-muted sticky top-0 z-10' : undefined}>
          {columns.map((column) => (
            <Heading
              key={column.id}
              column={column}
              direction={table.getColumn(column.id)?.getIsSorted() ?? false}
              onSort={() => table.getColumn(column.id)?.toggleSorting()}
            />
          ))}
        </TableHeader>
        <tbody className="[&>tr:last-child]:border-0">
          {before > 0 && <tr aria-hidden style={{ height: before }} />}
          {visible.map(({ id, original }) => (
            <TableRow key={id} className={rowClassName?.(original)}>
              {columns.map((column) => (
                <TableCell key={column.id} className={column.className}>
                  {column.cell(original)}
                </TableCell>
              ))}
            </TableRow>
          ))}
          {after > 0 && <tr aria-hidden style={{ height: after }} />}
        </tbody>
      </table>
    </div>
  )
}

interface HeadingProps {
  column: Pick<Column<never>, 'header' | 'className' | 'hideHeader'> & { sortBy?: unknown }
  direction: false | 'asc' | 'desc'
  onSort: () => void
}

function Heading({ column, direction, onSort }: HeadingProps) {
  const className = cn(column.className, 'align-middle')
  if (column.hideHeader) {
    return (
      <TableHead className={className}>
        <span className="sr-only">{column.header}</span>
      </TableHead>
    )
  }
  if (!column.sortBy) return <TableHead className={className}>{column.header}</TableHead>
  const Icon = direction === 'asc' ? ArrowUp : direction === 'desc' ? ArrowDown : ChevronsUpDown
  return (
    <TableHead
      className={className}
      aria-sort={direction === 'asc' ? 'ascending' : direction === 'desc' ? 'descending' : 'none'}
    >
      <button
        type="button"
        onClick={onSort}
        className="hover:text-foreground focus-visible:ring-ring -mx-1 inline-flex items-center gap-1 rounded-sm px-1 outline-none focus-visible:ring-2"
      >
        {column.header}
        <Icon className={cn('size-3', !direction && 'opacity-50')} aria-hidden />
      </button>
    </TableHead>
  )
}
