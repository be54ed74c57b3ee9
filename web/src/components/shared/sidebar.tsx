import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { formatCompact } from '@/lib/format'
import { summaryQuery } from '@/repo/dashboard'
import { Logo } from './logo'
import { PLACES } from './navigation'

export function Sidebar({ onNavigate }: { onNavigate?: () => void }) {
  const { data: unread = 0 } = useQuery({
    ...summaryQuery,
    select: (summary) => summary.unread_notifications,
  })
  return (
    <div className="flex h-full flex-col gap-6 px-3 py-4">
      <div className="px-2">
        <Logo />
      </div>
      <nav aria-label="Main" className="flex flex-col gap-0.5">
        {PLACES.map(({ to, label, icon: Icon }) => (
          <Link
            key={to}
            to={to}
            onClick={onNavigate}
            activeOptions={{ exact: to === '/' }}
            className="text-muted-foreground hover:bg-accent/70 hover:text-foreground focus-visible:ring-ring data-[status=active]:bg-accent data-[status=active]:text-accent-foreground flex h-9 items-center gap-2.5 rounded-md px-2.5 font-medium outline-none focus-visible:ring-2"
          >
            <Icon className="size-4 shrink-0" aria-hidden />
            {label}
            {to === '/activity' && unread > 0 && (
              <span className="bg-primary text-primary-foreground ms-auto rounded-full px-1.5 text-[11px] leading-[18px] font-semibold tabular-nums">
                {formatCompact(unread)}
                <span className="sr-only"> unread</span>
              </span>
            )}
          </Link>
        ))}
      </nav>
    </div>
  )
}
