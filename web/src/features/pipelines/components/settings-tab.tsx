import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { told } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { deletePipeline, renamePipeline } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { TuningForm } from './tuning-form'

export function SettingsTab({ pipeline }: { pipeline: Pipeline }) {
  const mayChange = useCan('operator')
  if (!mayChange) return <p className="text-muted-foreground">Changing a pipeline needs the role operator.</p>
  return (
    <div className="flex max-w-2xl flex-col gap-5">
      <Rename pipeline={pipeline} />
      <TuningForm pipeline={pipeline} />
      <DangerZone pipeline={pipeline} />
    </div>
  )
}

function Rename({ pipeline }: { pipeline: Pipeline }) {
  const [name, setName] = useState(pipeline.name)
  const renaming = useMutation({ ...renamePipeline, onSuccess: () => told('The name was saved.') })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    renaming.mutate({ id: pipeline.id, name: name.trim() })
  }
  return (
    <Card>
      <CardHeader>
        <CardTitle>Name</CardTitle>
      </CardHeader>
      <CardContent>
        <form onSubmit={submit} className="flex flex-wrap items-start gap-2">
          <Field label="Name of the pipeline" error={renaming.error?.message} className="min-w-56 flex-1">
            <Input value={name} maxLength={200} required onChange={(event) => setName(event.target.value)} />
          </Field>
          <Button
            type="submit"
            variant="outline"
            className="mt-5.5"
            disabled={name.trim() === '' || name.trim() === pipeline.name}
            pending={renaming.isPending}
          >
            Save
          </Button>
        </form>
      </CardContent>
    </Card>
  )
}

function DangerZone({ pipeline }: { pipeline: Pipeline }) {
  const navigate = useNavigate()
  const [asking, setAsking] = useState(false)
  const deleting = useMutation({
    ...deletePipeline,
    onSuccess: () => {
      told(`${pipeline.name} is deleted. Its slot is being dropped.`)
      void navigate({ to: '/pipelines' })
    },
  })
  return (
    <Card className="border-destructive/40">
      <CardHeader>
        <CardTitle className="text-destructive">Danger zone</CardTitle>
      </CardHeader>
      <CardContent className="flex flex-wrap items-center justify-between gap-3">
        <div className="flex max-w-md flex-col gap-1">
          <p className="font-medium">Delete this pipeline</p>
          <p className="text-muted-foreground">
            Its process ends, and its slot is dropped at the source. Rows at the destinations stay.
          </p>
        </div>
        <Button variant="destructive" onClick={() => setAsking(true)}>
          Delete…
        </Button>
      </CardContent>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete ${pipeline.name}?`}
        action="Delete the pipeline"
        typed={pipeline.name}
        pending={deleting.isPending}
        error={deleting.error}
        onConfirm={() => deleting.mutate(pipeline.id)}
      >
        <ul className="list-disc space-y-1 ps-5">
          <li>
            The replication slot{' '}
            {pipeline.slot_name && <code className="font-mono text-xs">{pipeline.slot_name}</code>} is
            dropped; while the source is away this is tried until it is gone.
          </li>
          <li>The publication is dropped too, if Rosetta made it and nothing else uses it.</li>
          <li>What is parked in the dead letter queue is lost. Rows at the destinations stay as they are.</li>
        </ul>
      </ConfirmDialog>
    </Card>
  )
}
