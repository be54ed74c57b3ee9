import { zodResolver } from '@hookform/resolvers/zod'
import { useMutation } from '@tanstack/react-query'
import { useForm } from 'react-hook-form'
import { ConnectionForm } from '@/components/shared/connection-form'
import { Field } from '@/components/shared/field'
import { Input, Textarea } from '@/components/ui/input'
import { placeErrors } from '@/lib/field-errors'
import type { ApiError } from '@/repo/api-error'
import { testDestination } from '@/repo/destinations'
import {
  type SnowflakeTarget,
  destinationBody,
  fieldOfRefusal,
  snowflakeSchema,
  snowflakeValues,
} from '../data/destination-form'
import type { DestinationFormProps } from './postgres-form'

const FIELDS = [
  ['snowflake_account', 'Account', 'organization-account'],
  ['snowflake_user', 'User', ''],
  ['snowflake_database', 'Database', ''],
  ['snowflake_schema', 'Schema', ''],
  ['snowflake_role', 'Role (optional)', ''],
  ['snowflake_warehouse', 'Warehouse (optional)', ''],
] as const

export function SnowflakeForm({ saved, action, pending, error, onSave }: DestinationFormProps) {
  const hasKey = Boolean(saved?.secrets.snowflake_private_key || saved?.config.snowflake_private_key_path)
  const form = useForm<SnowflakeTarget>({
    resolver: zodResolver(snowflakeSchema(hasKey)),
    defaultValues: snowflakeValues(saved),
    mode: 'onTouched',
  })
  const { errors } = form.formState
  const testing = useMutation(testDestination)
  const place = (failure: ApiError) => {
    const field = fieldOfRefusal(failure.code)
    if (field) form.setError(field, { message: failure.message }, { shouldFocus: true })
    else placeErrors(form, failure)
  }
  const test = form.handleSubmit((values) => {
    const { type, config } = destinationBody(values, false)
    testing.mutate({ type, config }, { onError: place })
  })
  const save = (values: SnowflakeTarget) => onSave(destinationBody(values, saved !== undefined), place)
  return (
    <ConnectionForm
      action={action}
      pending={pending}
      error={error}
      failed="The destination was not saved"
      onSubmit={(event) => void form.handleSubmit(save)(event)}
      test={saved ? undefined : { of: testing, onTest: () => void test() }}
    >
      <Field label="Name" hint="What it is called here." error={errors.name?.message}>
        <Input {...form.register('name')} placeholder="analytics" autoComplete="off" />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        {FIELDS.map(([name, label, placeholder]) => (
          <Field key={name} label={label} error={errors[name]?.message}>
            <Input {...form.register(name)} placeholder={placeholder} autoComplete="off" spellCheck={false} />
          </Field>
        ))}
      </div>
      <Field
        label="Private key"
        error={errors.snowflake_private_key?.message}
        hint={
          hasKey
            ? 'Left empty, the saved one stays.'
            : 'The whole file, or its base64 alone. Encrypted at rest, and never shown again.'
        }
      >
        <Textarea
          {...form.register('snowflake_private_key')}
          rows={5}
          className="font-mono text-xs sm:text-xs"
          placeholder="-----BEGIN ENCRYPTED PRIVATE KEY-----"
          autoComplete="off"
          spellCheck={false}
        />
      </Field>
      <Field
        label="Passphrase of the key (optional)"
        error={errors.snowflake_private_key_passphrase?.message}
      >
        <Input
          {...form.register('snowflake_private_key_passphrase')}
          type="password"
          autoComplete="new-password"
        />
      </Field>
    </ConnectionForm>
  )
}
