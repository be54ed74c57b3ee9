import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { SourcePage } from '@/features/sources/pages/source-page'

export const Route = createFileRoute('/_app/sources/$sourceId')({
  validateSearch: z.object({
    tab: z.catch(
      z.optional(z.enum(['preflight', 'tables', 'history', 'slots', 'presets', 'used-by', 'settings'])),
      undefined,
    ),
  }),
  component: function Source() {
    const { sourceId } = Route.useParams()
    const { tab = 'preflight' } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <SourcePage
        key={sourceId}
        sourceId={Number(sourceId)}
        tab={tab}
        onTab={(next) => void navigate({ search: { tab: next }, replace: true })}
      />
    )
  },
})
