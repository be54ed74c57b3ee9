import { ChevronLeft, ChevronRight } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { formatCount } from '@/lib/format'

interface PaginationProps {
  offset: number
  limit: number
  total: number
  onOffset: (offset: number) => void
}

export function Pagination({ offset, limit, total, onOffset }: PaginationProps) {
  if (total <= limit && offset === 0) return null
  return (
    <nav aria-label="Pages" className="flex items-center justify-between gap-3 border-t px-4 py-2.5">
      <span className="text-muted-foreground text-xs tabular-nums">
        {formatCount(Math.min(offset + 1, total))}–{formatCount(Math.min(offset + limit, total))} of{' '}
        {formatCount(total)}
      </span>
      <div className="flex gap-1">
        <Button
          variant="outline"
          size="icon-sm"
          aria-label="Previous page"
          disabled={offset === 0}
          onClick={() => onOffset(Math.max(0, offset - limit))}
        >
          <ChevronLeft className="rtl:rotate-180" aria-hidden />
        </Button>
        <Button
          variant="outline"
          size="icon-sm"
          aria-label="Next page"
          disabled={offset + limit >= total}
          onClick={() => onOffset(offset + limit)}
        >
          <ChevronRight className="rtl:rotate-180" aria-hidden />
        </Button>
      </div>
    </nav>
  )
}
