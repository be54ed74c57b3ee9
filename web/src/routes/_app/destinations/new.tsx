import { createFileRoute } from '@tanstack/react-router'
import { NewDestinationPage } from '@/features/destinations/pages/new-destination-page'

export const Route = createFileRoute('/_app/destinations/new')({ component: NewDestinationPage })
