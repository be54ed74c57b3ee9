import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { RowsPending } from '@/components/shared/page-pending'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { told } from '@/lib/notify'
import { type Settings, settingsQuery, updateSettings } from '@/repo/settings'
import { THRESHOLDS, problemOf, settingsBody, shownStandard, shownValue } from '../data/thresholds'

export function ThresholdsForm() {
  const { data, error, refetch } = useQuery(settingsQuery)
  if (error && !data)
    return <ErrorPanel error={error} title="The settings cannot be shown" onRetry={() => void refetch()} />
  return (
    <Card>
      <CardHeader>
        <CardTitle>Thresholds</CardTitle>
      </CardHeader>
      {data ? <Form settings={data} /> : <RowsPending rows={4} />}
    </Card>
  )
}

function Form({ settings }: { settings: Settings }) {
  const [fields, setFields] = useState(() =>
    Object.fromEntries(THRESHOLDS.map((one) => [one.key, shownValue(one, settings)])),
  )
  const saving = useMutation({ ...updateSettings, onSuccess: () => told('The settings were saved.') })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (THRESHOLDS.every(({ key }) => problemOf(fields[key] ?? '') === null))
      saving.mutate(settingsBody(fields))
  }
  return (
    <CardContent>
      <form onSubmit={submit} noValidate className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          {THRESHOLDS.map((threshold) => (
            <Field
              key={threshold.key}
              label={`${threshold.label} (${threshold.unit})`}
              hint={threshold.hint}
              error={problemOf(fields[threshold.key] ?? '') ?? undefined}
            >
              <Input
                inputMode="decimal"
                value={fields[threshold.key] ?? ''}
                placeholder={`${shownStandard(threshold)} (standard)`}
                onChange={(event) => setFields((old) => ({ ...old, [threshold.key]: event.target.value }))}
              />
            </Field>
          ))}
        </div>
        {saving.isError && <ErrorPanel error={saving.error} title="The settings were not saved" />}
        <Button type="submit" className="self-end" pending={saving.isPending}>
          Save
        </Button>
      </form>
    </CardContent>
  )
}
