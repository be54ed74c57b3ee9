import { createFileRoute } from '@tanstack/react-router'
import { DestinationsPage } from '@/features/destinations/pages/destinations-page'

export const Route = createFileRoute('/_app/destinations/')({ component: DestinationsPage })
