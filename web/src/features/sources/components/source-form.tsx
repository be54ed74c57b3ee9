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
    const filled = await form.trigger(['pg_host', 'pg_port', 'pg_database', 'pg_username', 'sslmode'], {
      shouldFocus: true,
    })
    if (!filled) return
    const { pg_host, pg_port, pg_database, pg_username, pg_password, sslmode } = form.getValues()
    const connection = { pg_host, pg_port, pg_database, pg_username, pg_password, sslmode }
    testing.mutate(connection, { onError: (failure) => placeErrors(form, failure) })
  }
  return (
    <FormProvider {...form}>
      <form
        className="flex flex-col gap-5"
        noValidate
        onSubmit={(event) =>
          void form.handleSubmit((values) => onSave(values, (failure) => placeErrors(form, failure)))(event)
        }
      >
        <Card className="gap-5 p-5">
          <Field label="Name" hint="What it is called here." error={errors.name?.message}>
            <Input {...form.register('name')} placeholder="orders-production" autoComplete="off" />
          </Field>
          <PostgresFields hasPassword={hasPassword} />
          <Field
            label="Publication"
            error={errors.publication_name?.message}
            hint="Which tables are published. One that does not exist yet can be made in the next step."
          >
            <Input {...form.register('publication_name')} autoComplete="off" spellCheck={false} />
          </Field>
        </Card>
        <ConnectionResult result={testing.data} error={testing.error} />
        {error && <ErrorPanel error={error} title="The source was not saved" />}
        <div className="flex flex-wrap justify-end gap-2">
          {!hasPassword && (
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
