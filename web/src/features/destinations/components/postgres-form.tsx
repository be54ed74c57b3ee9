import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation } from '@tanstack/react-query'
import { FormProvider, useForm } from 'react-hook-form'
import { ConnectionForm } from '@/components/shared/connection-form'
import { Field } from '@/components/shared/field'
import { PostgresFields } from '@/components/shared/postgres-fields'
import { Input } from '@/components/ui/input'
import { placeErrors } from '@/lib/field-errors'
import { CONNECTION_FIELDS } from '@/lib/postgres-form'
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
    const filled = await form.trigger(CONNECTION_FIELDS, { shouldFocus: true })
    if (!filled) return
    const { type, config } = destinationBody(form.getValues(), false)
    testing.mutate({ type, config }, { onError: (failure) => placeErrors(form, failure) })
  }
  const save = (values: PostgresTarget) =>
    onSave(destinationBody(values, saved !== undefined), (failure) => placeErrors(form, failure))
  return (
    <FormProvider {...form}>
      <ConnectionForm
        action={action}
        pending={pending}
        error={error}
        failed="The destination was not saved"
        onSubmit={(event) => void form.handleSubmit(save)(event)}
        test={saved ? undefined : { of: testing, onTest: () => void test() }}
      >
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
      </ConnectionForm>
    </FormProvider>
  )
}
