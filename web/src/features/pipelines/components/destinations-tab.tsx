import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { HardDriveDownload } from 'lucide-react'
import { useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { destinationsQuery } from '@/repo/destinations'
import { addDestination } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { DestinationCard } from './destination-card'

export function DestinationsTab({ pipeline }: { pipeline: Pipeline }) {
  const mayChange = useCan('operator')
  return (
    <div className="flex flex-col gap-4">
      {pipeline.destinations.length === 0 && (
        <Card>
          <EmptyState
            icon={HardDriveDownload}
            title="No destination yet"
            text="Add one below; the pipeline need not stop for it."
          />
        </Card>
      )}
      {pipeline.destinations.map((lane) => (
        <DestinationCard key={lane.id} pipeline={pipeline} lane={lane} />
      ))}
      {mayChange && <AddDestination pipeline={pipeline} />}
    </div>
  )
}

function AddDestination({ pipeline }: { pipeline: Pipeline }) {
  const { data } = useQuery(destinationsQuery)
  const [chosen, setChosen] = useState('')
  const adding = useMutation({
    ...addDestination,
    onSuccess: ({ destination }) => {
      setChosen('')
      told(`${destination.name} joins; its tables are copied first.`)
    },
    onError: (error) => toldError('The destination was not added', error),
  })
  const taken = new Set(pipeline.destinations.map(({ destination_id }) => destination_id))
  const free = (data?.items ?? []).filter(({ id }) => !taken.has(id))
  return (
    <Card className="gap-3 border-dashed p-5">
      <h3 className="font-semibold">Add a destination</h3>
      <p className="text-muted-foreground">
        It gets every table of the publication, copied beside the stream. The other destinations go on as they
        are.
      </p>
      <div className="flex flex-wrap gap-2">
        {free.length > 0 ? (
          <>
            <Select
              aria-label="Destination to add"
              className="w-64"
              placeholder="Choose a destination"
              value={chosen}
              onValueChange={setChosen}
              options={free.map(({ id, name }) => ({ value: String(id), label: name }))}
            />
            <Button
              disabled={chosen === ''}
              pending={adding.isPending}
              onClick={() => adding.mutate({ pipelineId: pipeline.id, destinationId: Number(chosen) })}
            >
              Add
            </Button>
          </>
        ) : (
          <Button asChild variant="outline">
            <Link to="/destinations/new">Connect another destination</Link>
          </Button>
        )}
      </div>
    </Card>
  )
}
