import { useMutation, useQuery } from '@tanstack/react-query'
import { Scale } from 'lucide-react'
import { useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Checkbox } from '@/components/ui/checkbox'
import { Select } from '@/components/ui/select'
import { formatSeconds } from '@/lib/format'
import { toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import type { Pipeline, VerifyRun } from '@/repo/types'
import {
  type VerifyReport,
  cancelVerification,
  startVerification,
  verificationsQuery,
} from '@/repo/verifications'
import { DestinationSelect } from './destination-select'
import { VerifiedTables } from './verified-tables'

/** Compares every row of the source with the targets, and says what differs. */
export default function VerifyTab({ pipeline }: { pipeline: Pipeline }) {
  const query = useQuery(verificationsQuery(pipeline.id))
  const mayChange = useCan('operator')
  const [chosen, setChosen] = useState<number | null>(null)
  const runs = query.data?.items ?? []
  const shown = runs.find(({ id }) => id === chosen) ?? runs[0]
  return (
    <div className="flex flex-col gap-4">
      {mayChange && <StartVerification pipeline={pipeline} busy={runs[0]?.completed_at === null} />}
      <Loaded query={query} title="The verifications cannot be shown" className="">
        {() =>
          !shown ? (
            <Card>
              <EmptyState
                icon={Scale}
                title="Never verified"
                text="A verification reads both sides while the pipeline runs, and waits for what is still on its way."
              />
            </Card>
          ) : (
            <>
              {runs.length > 1 && (
                <Select
                  aria-label="Verification"
                  className="w-64"
                  value={String(shown.id)}
                  onValueChange={(id) => setChosen(Number(id))}
                  options={runs.map(({ id, created_at }) => ({
                    value: String(id),
                    label: new Date(created_at).toLocaleString('en-GB', {
                      dateStyle: 'medium',
                      timeStyle: 'medium',
                    }),
                  }))}
                />
              )}
              <Run run={shown} mayChange={mayChange} />
            </>
          )
        }
      </Loaded>
    </div>
  )
}

function StartVerification({ pipeline, busy }: { pipeline: Pipeline; busy: boolean }) {
  const [destination, setDestination] = useState<number | null>(null)
  const [repair, setRepair] = useState(false)
  const starting = useMutation({
    ...startVerification,
    onError: (error) => toldError('No verification was started', error),
  })
  const start = () =>
    starting.mutate({
      pipelineId: pipeline.id,
      destination_id: destination,
      repair,
    })
  return (
    <Card className="flex-row flex-wrap items-center gap-x-5 gap-y-3 p-5">
      <DestinationSelect pipeline={pipeline} className="w-52" value={destination} onChange={setDestination} />
      <label className="flex items-center gap-2" htmlFor="repair">
        <Checkbox id="repair" checked={repair} onCheckedChange={(on) => setRepair(on === true)} />
        Resync the tables that differ
      </label>
      <Button className="sm:ms-auto" pending={starting.isPending} disabled={busy} onClick={start}>
        {!starting.isPending && <Scale aria-hidden />} Compare every row
      </Button>
    </Card>
  )
}

function Run({ run, mayChange }: { run: VerifyRun; mayChange: boolean }) {
  const cancelling = useMutation({
    ...cancelVerification,
    onError: (error) => toldError('It was not cancelled', error),
  })
  const report = run.report as VerifyReport | null
  const seconds =
    run.started_at && run.completed_at
      ? (Date.parse(run.completed_at) - Date.parse(run.started_at)) / 1000
      : null
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-3" role="status">
        <StatusBadge status={report?.outcome ?? run.status} />
        <span className="text-muted-foreground text-xs">
          asked for <Ago time={run.created_at} />
          {seconds !== null && `, took ${formatSeconds(seconds)}`}
          {run.repair && ', with repair'}
        </span>
        {mayChange && run.completed_at === null && (
          <Button
            size="sm"
            variant="outline"
            pending={cancelling.isPending}
            onClick={() => cancelling.mutate(run)}
          >
            Cancel
          </Button>
        )}
      </div>
      {run.error_message && <p className="text-destructive break-words">{run.error_message}</p>}
      {report?.reason && <p className="break-words">{report.reason}</p>}
      {report && report.destinations.length > 0 && (
        <p className="text-muted-foreground text-xs">
          Rows are counted while they change, so counts may part; what differs was looked at again until it
          stayed.
        </p>
      )}
      {report?.destinations.map((compared) => (
        <VerifiedTables key={compared.destination} compared={compared} />
      ))}
    </div>
  )
}
