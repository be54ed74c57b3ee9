import { createFileRoute, redirect } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { SignInPage } from '@/components/shared/sign-in-page'
import { safePath } from '@/lib/safe-path'
import { meQuery } from '@/repo/auth'

export const Route = createFileRoute('/sign-in')({
  validateSearch: z.object({ next: z.catch(z.optional(z.string()), undefined) }),
  beforeLoad: async ({ context, search }) => {
    const actor = await context.queryClient.ensureQueryData(meQuery).catch(() => null)
    if (actor) throw redirect({ href: safePath(search.next) })
  },
  component: function SignIn() {
    return <SignInPage next={safePath(Route.useSearch().next)} />
  },
})
