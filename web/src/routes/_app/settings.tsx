import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { SettingsPage } from '@/features/settings/pages/settings-page'

export const Route = createFileRoute('/_app/settings')({
  validateSearch: z.object({
    tab: z.catch(z.optional(z.enum(['account', 'general', 'users', 'tokens', 'key'])), undefined),
  }),
  component: function Settings() {
    const { tab } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <SettingsPage part={tab} onPart={(next) => void navigate({ search: { tab: next }, replace: true })} />
    )
  },
})
