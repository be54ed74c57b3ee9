import { createFileRoute } from '@tanstack/react-router'
import { FirstSignInPage } from '@/components/shared/first-sign-in-page'

export const Route = createFileRoute('/first-sign-in')({ component: FirstSignInPage })
