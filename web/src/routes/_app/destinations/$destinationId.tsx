import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { DestinationPage } from '@/features/destinations/pages/destination-page'

export const Route = createFileRoute('/_app/destinations/$destinationId')({
  validateSearch: z.object({
    tab: z.catch(z.optional(z.enum(['used-by', 'preflight', 'credits', 'settings'])), undefined),
  }),
  component: function Destination() {
    const { destinationId } = Route.useParams()
    const { tab = 'used-by' } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <DestinationPage
        key={destinationId}
        destinationId={Number(destinationId)}
        tab={tab}
        onTab={(next) => void navigate({ search: { tab: next }, replace: true })}
      />
    )
  },
})
