import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { DashboardPage } from '@/features/dashboard/pages/dashboard-page'

export const Route = createFileRoute('/_app/')({
  validateSearch: z.object({ range: z.catch(z.optional(z.enum(['1h', '6h', '1d', '7d'])), undefined) }),
  component: function Dashboard() {
    const { range = '1h' } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <DashboardPage
        range={range}
        onRange={(next) => void navigate({ search: { range: next }, replace: true })}
      />
    )
  },
})
