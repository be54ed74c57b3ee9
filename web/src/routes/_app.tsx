import { createFileRoute, redirect } from '@tanstack/react-router'
import { AppShell } from '@/components/shared/app-shell'
import { meQuery } from '@/repo/auth'

export const Route = createFileRoute('/_app')({
  beforeLoad: async ({ context, location }) => {
    const actor = await context.queryClient.ensureQueryData(meQuery)
    if (!actor) throw redirect({ to: '/sign-in', search: { next: location.href } })
  },
  component: AppShell,
})
