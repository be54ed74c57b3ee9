import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { CommonErrorsPage } from '@/features/activity/pages/common-errors-page'

export const Route = createFileRoute('/_app/common-errors')({
  validateSearch: z.object({ q: z.catch(z.optional(z.string()), undefined) }),
  component: function CommonErrors() {
    const { q = '' } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <CommonErrorsPage
        text={q}
        onText={(text) => void navigate({ search: { q: text || undefined }, replace: true })}
      />
    )
  },
})
