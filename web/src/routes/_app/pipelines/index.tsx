import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PipelinesPage } from '@/features/pipelines/pages/pipelines-page'

const text = z.catch(z.optional(z.string()), undefined)

export const Route = createFileRoute('/_app/pipelines/')({
  validateSearch: z.object({ q: text, state: text, source: text, destination: text }),
  component: function Pipelines() {
    const navigate = Route.useNavigate()
    return (
      <PipelinesPage
        search={Route.useSearch()}
        onSearch={(search) => void navigate({ search, replace: true })}
      />
    )
  },
})
