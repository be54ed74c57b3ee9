import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { NewPipelinePage } from '@/features/pipelines/pages/new-pipeline-page'

export const Route = createFileRoute('/_app/pipelines/new')({
  validateSearch: z.object({ source: z.catch(z.optional(z.number()), undefined) }),
  component: function NewPipeline() {
    return <NewPipelinePage sourceId={Route.useSearch().source ?? null} />
  },
})
