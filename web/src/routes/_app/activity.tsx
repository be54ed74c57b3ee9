import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { ActivityPage } from '@/features/activity/pages/activity-page'

export const Route = createFileRoute('/_app/activity')({
  validateSearch: z.object({ tab: z.catch(z.optional(z.enum(['notifications', 'audit'])), undefined) }),
  component: function Activity() {
    const { tab = 'notifications' } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <ActivityPage tab={tab} onTab={(next) => void navigate({ search: { tab: next }, replace: true })} />
    )
  },
})
