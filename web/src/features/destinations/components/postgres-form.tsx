import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation } from '@tanstack/react-query'
import { PlugZap } from 'lucide-react'
import { FormProvider, useForm } from 'react-hook-form'
import { ConnectionResult } from '@/components/shared/connection-result'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { PostgresFields } from '@/components/shared/postgres-fields'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { placeErrors } from '@/lib/field-errors'
import type { ApiError } from '@/repo/api-error'
import { testDestination } from '@/repo/destinations'
import type { Destination, DestinationBody } from '@/repo/types'
import {
  type PostgresTarget,
  destinationBody,
  postgresSchema,
  postgresValues,
} from '../data/destination-form'

export interface DestinationFormProps {
  saved?: Destination
  action: string
  pending: boolean
  error: ApiError | null
  onSave: (body: DestinationBody, onError: (error: ApiError) => void) => void
}

export function PostgresForm({ saved, action, pending, error, onSave }: DestinationFormProps) {
  const form = useForm<PostgresTarget>({
    resolver: zodResolver(postgresSchema),
    defaultValues: postgresValues(saved),
    mode: 'onTouched',
  })
  const { errors } = form.formState
  const testing = useMutation(testDestination)
  const test = async () => {
    const filled = await form.trigger(['pg_host', 'pg_port', 'pg_database', 'pg_username', 'sslmode'], {
      shouldFocus: true,
    })
    if (!filled) return
    const { type, config } = destinationBody(form.getValues(), false)
    testing.mutate({ type, config }, { onError: (failure) => placeErrors(form, failure) })
  }
  const save = (values: PostgresTarget) =>
    onSave(destinationBody(values, saved !== undefined), (failure) => placeErrors(form, failure))
  return (
    <FormProvider {...form}>
      <form
        className="flex flex-col gap-5"
        noValidate
        onSubmit={(event) => void form.handleSubmit(save)(event)}
      >
        <Card className="gap-5 p-5">
          <Field label="Name" hint="What it is called here." error={errors.name?.message}>
            <Input {...form.register('name')} placeholder="warehouse" autoComplete="off" />
          </Field>
          <PostgresFields hasPassword={saved?.has_password} />
          <Field
            label="Schema (optional)"
            error={errors.pg_schema?.message}
            hint="Where every table goes. Left empty, tables keep the schema that they have at the source."
          >
            <Input {...form.register('pg_schema')} autoComplete="off" spellCheck={false} />
          </Field>
        </Card>
        <ConnectionResult result={testing.data} error={testing.error} />
        {error && <ErrorPanel error={error} title="The destination was not saved" />}
        <div className="flex flex-wrap justify-end gap-2">
          {!saved && (
            <Button variant="outline" onClick={() => void test()} pending={testing.isPending}>
              {!testing.isPending && <PlugZap aria-hidden />} Test the connection
            </Button>
          )}
          <Button type="submit" pending={pending}>
            {action}
          </Button>
        </div>
      </form>
    </FormProvider>
  )
}
