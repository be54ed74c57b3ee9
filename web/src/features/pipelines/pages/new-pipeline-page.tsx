import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Play } from 'lucide-react'
import { useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { PageHeader } from '@/components/shared/page-header'
import { Steps } from '@/components/shared/steps'
import { Button } from '@/components/ui/button'
import { plural } from '@/lib/format'
import { told } from '@/lib/notify'
import { destinationsQuery } from '@/repo/destinations'
import { createPipeline, wishPipeline } from '@/repo/pipelines'
import { createPublication, preflightQuery, sourceTablesQuery, sourcesQuery } from '@/repo/sources'
import { DestinationsStep, ReviewStep, SourceStep, TablesStep } from '../components/wizard-steps'
import { type Draft, EMPTY_DRAFT, bodyOf, chosenTables, missingAt, suggestedName } from '../data/draft'

const STEPS = ['Source', 'Destinations', 'Tables', 'Review'] as const
const LAST = STEPS.length - 1

export function NewPipelinePage({ sourceId }: { sourceId: number | null }) {
  const [made, setMade] = useState<Draft>({ ...EMPTY_DRAFT, sourceId })
  const [named, setNamed] = useState(false)
  const suggestion = useSuggestedName(made)
  const draft = named ? made : { ...made, name: suggestion }
  const [step, setStep] = useState(sourceId === null ? 0 : 1)
  const [said, setSaid] = useState(false)
  const change = (part: Partial<Draft>) => {
    if (part.name !== undefined) setNamed(true)
    setMade((old) => ({ ...old, ...part }))
  }
  const missing = missingAt(step, draft)
  const go = (next: number) => {
    setSaid(next > step && missing !== null)
    if (next < step || missing === null) setStep(next)
  }
  const steps = { draft, onDraft: change }
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-5">
      <PageHeader
        title="Create a pipeline"
        description="It copies the tables first, then every change follows."
      />
      <Steps names={STEPS} current={step} />
      {step === 0 && <SourceStep {...steps} />}
      {step === 1 && <DestinationsStep {...steps} />}
      {step === 2 && draft.sourceId !== null && <TablesStep {...steps} sourceId={draft.sourceId} />}
      {step === LAST && draft.sourceId !== null && (
        <ReviewStep
          {...steps}
          sourceId={draft.sourceId}
          nameError={said ? (missing ?? undefined) : undefined}
        />
      )}
      {said && missing && step !== LAST && (
        <p role="alert" className="text-destructive">
          {missing}
        </p>
      )}
      <div className="flex flex-wrap items-start justify-between gap-2">
        <Button variant="outline" disabled={step === 0} onClick={() => go(step - 1)}>
          Back
        </Button>
        {step < LAST ? (
          <Button onClick={() => go(step + 1)}>Next</Button>
        ) : (
          <CreateButtons draft={draft} onMissing={() => setSaid(true)} />
        )}
      </div>
    </div>
  )
}

function useSuggestedName({ sourceId, destinationIds }: Draft): string {
  const sources = useQuery(sourcesQuery).data?.items
  const destinations = useQuery(destinationsQuery).data?.items
  const chosen = destinations?.filter(({ id }) => destinationIds.includes(id)) ?? []
  return suggestedName(
    sources?.find(({ id }) => id === sourceId)?.name,
    chosen.map(({ name }) => name),
  )
}

/** Publishes what is not yet, creates the pipeline, and starts it when that was asked for. */
function CreateButtons({ draft, onMissing }: { draft: Draft; onMissing: () => void }) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const publishing = useMutation(createPublication)
  const creating = useMutation(createPipeline)
  const starting = useMutation(wishPipeline)
  const [started, setStarted] = useState<boolean | null>(null)
  const source = draft.sourceId ?? 0
  const ready = useQuery(preflightQuery(source)).data?.ready
  const failure = publishing.error ?? creating.error
  const create = async (start: boolean) => {
    if (draft.sourceId === null || missingAt(LAST, draft)) return onMissing()
    setStarted(start)
    try {
      const { items } = await queryClient.ensureQueryData(sourceTablesQuery(draft.sourceId))
      const unpublished = chosenTables(draft, items).filter(({ in_publication }) => !in_publication)
      if (unpublished.length > 0) {
        const tables = unpublished.map(({ schema_name, table_name }) => ({ schema_name, table_name }))
        const { skipped } = await publishing.mutateAsync({ id: draft.sourceId, tables })
        if (skipped.length > 0)
          told(`${plural(skipped.length, 'table')} could not be published; see the preflight.`)
      }
      const pipeline = await creating.mutateAsync(bodyOf({ ...draft, sourceId: draft.sourceId }, items))
      if (start) await starting.mutateAsync({ id: pipeline.id, wish: 'start' })
      told(`${pipeline.name} is created${start ? ' and starts' : ', paused'}.`)
      await navigate({ to: '/pipelines/$pipelineId', params: { pipelineId: String(pipeline.id) } })
    } catch {
      // What failed stands below the buttons; a pipeline that was created but not started is in the list.
      setStarted(null)
    }
  }
  return (
    <div className="flex min-w-0 flex-col items-end gap-3">
      <div className="flex flex-wrap justify-end gap-2">
        <Button
          variant="outline"
          disabled={started !== null}
          pending={started === false}
          onClick={() => void create(false)}
        >
          Create paused
        </Button>
        <Button
          disabled={started !== null || ready === false}
          pending={started === true}
          onClick={() => void create(true)}
        >
          {started !== true && <Play aria-hidden />} Create and start
        </Button>
      </div>
      {ready === false && (
        <p className="text-muted-foreground text-end text-xs">
          It can start when the preflight has no error.
        </p>
      )}
      {failure && <ErrorPanel error={failure} title="The pipeline was not created" />}
      {starting.error && (
        <ErrorPanel error={starting.error} title="The pipeline was created, but not started" />
      )}
    </div>
  )
}
