import { createFileRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { PIPELINE_TABS } from '@/features/pipelines/data/pipeline-tabs'
import { PipelinePage } from '@/features/pipelines/pages/pipeline-page'

const text = z.catch(z.optional(z.string()), undefined)

export const Route = createFileRoute('/_app/pipelines/$pipelineId')({
  validateSearch: z.object({
    tab: z.catch(z.optional(z.enum(PIPELINE_TABS)), undefined),
    destination: z.catch(z.optional(z.number()), undefined),
    cause: z.catch(z.optional(z.enum(['DATA', 'OUTAGE'])), undefined),
    schema: text,
    table: text,
    code: text,
  }),
  component: function Pipeline() {
    const { pipelineId } = Route.useParams()
    const { tab = PIPELINE_TABS[0] } = Route.useSearch()
    const navigate = Route.useNavigate()
    return (
      <PipelinePage
        key={pipelineId}
        pipelineId={Number(pipelineId)}
        tab={tab}
        onTab={(next) => void navigate({ search: { tab: next }, replace: true })}
      />
    )
  },
})
