import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import { told } from '@/lib/notify'
import { tunePipeline } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import {
  BUDGET_POLICIES,
  ENGINES,
  PROFILES,
  type TuningFields,
  tuningBody,
  tuningOf,
  tuningProblems,
} from '../data/tuning'

export function TuningForm({ pipeline }: { pipeline: Pipeline }) {
  const [fields, setFields] = useState(() => tuningOf(pipeline))
  const set = (changed: Partial<TuningFields>) => setFields((old) => ({ ...old, ...changed }))
  const problems = tuningProblems(fields)
  const saving = useMutation({
    ...tunePipeline,
    onSuccess: () => told('It was saved; a running pipeline goes on with it.'),
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!problems.batchRows && !problems.budgetGib)
      saving.mutate({ id: pipeline.id, tuning: tuningBody(fields) })
  }
  return (
    <Card>
      <CardHeader>
        <CardTitle>How it runs</CardTitle>
      </CardHeader>
      <CardContent>
        <form onSubmit={submit} noValidate className="flex flex-col gap-4">
          <div className="grid gap-4 sm:grid-cols-2">
            <Field
              label="Engine"
              hint="What reads the slot. Changed while it runs, nothing is lost or copied again."
            >
              <Select value={fields.engine} onValueChange={(engine) => set({ engine })} options={ENGINES} />
            </Field>
            <Field label="Profile" hint="How much memory batches may take.">
              <Select
                value={fields.profile}
                onValueChange={(profile) => set({ profile })}
                options={PROFILES}
              />
            </Field>
            <Field label="Rows per batch" hint="At most." error={problems.batchRows}>
              <Input
                inputMode="numeric"
                value={fields.batchRows}
                placeholder="as many as the memory holds"
                onChange={(event) => set({ batchRows: event.target.value })}
              />
            </Field>
            <Field
              label="WAL budget (GiB)"
              hint="What its slot may retain at the source."
              error={problems.budgetGib}
            >
              <Input
                inputMode="decimal"
                value={fields.budgetGib}
                placeholder="none"
                onChange={(event) => set({ budgetGib: event.target.value })}
              />
            </Field>
            <Field
              label="Beyond the budget"
              hint="Destinations that are left behind need a resync."
              className="sm:col-span-2"
            >
              <Select
                value={fields.budgetPolicy}
                onValueChange={(budgetPolicy) => set({ budgetPolicy })}
                options={BUDGET_POLICIES}
              />
            </Field>
          </div>
          {saving.isError && <ErrorPanel error={saving.error} title="It was not saved" />}
          <Button type="submit" className="self-end" pending={saving.isPending}>
            Apply
          </Button>
        </form>
      </CardContent>
    </Card>
  )
}
