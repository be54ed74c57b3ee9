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
import { testSource } from '@/repo/sources'
import { type SourceValues, sourceSchema } from '../data/source-form'

interface SourceFormProps {
  initial: SourceValues
  hasPassword?: boolean
  action: string
  pending: boolean
  error: ApiError | null
  onSave: (values: SourceValues, onError: (error: ApiError) => void) => void
}

export function SourceForm({ initial, hasPassword, action, pending, error, onSave }: SourceFormProps) {
  const form = useForm<SourceValues>({
    resolver: zodResolver(sourceSchema),
    defaultValues: initial,
    mode: 'onTouched',
  })
  const { errors } = form.formState
  const testing = useMutation(testSource)
  const test = async () => {
    const filled = await form.trigger(CONNECTION_FIELDS, { shouldFocus: true })
    if (!filled) return
    const { pg_host, pg_port, pg_database, pg_username, pg_password, sslmode } = form.getValues()
    const connection = { pg_host, pg_port, pg_database, pg_username, pg_password, sslmode }
    testing.mutate(connection, { onError: (failure) => placeErrors(form, failure) })
  }
  return (
    <FormProvider {...form}>
      <ConnectionForm
        action={action}
        pending={pending}
        error={error}
        failed="The source was not saved"
        onSubmit={(event) =>
          void form.handleSubmit((values) => onSave(values, (failure) => placeErrors(form, failure)))(event)
        }
        test={hasPassword ? undefined : { of: testing, onTest: () => void test() }}
      >
        <Field label="Name" hint="What it is called here." error={errors.name?.message}>
          <Input {...form.register('name')} placeholder="orders-production" autoComplete="off" />
        </Field>
        <PostgresFields hasPassword={hasPassword} />
        <Field
          label="Publication"
          error={errors.publication_name?.message}
          hint={`Which tables are published. One that does not exist yet can be made ${hasPassword === undefined ? 'in the next step' : 'under Preflight'}.`}
        >
          <Input {...form.register('publication_name')} autoComplete="off" spellCheck={false} />
        </Field>
      </ConnectionForm>
    </FormProvider>
  )
}
