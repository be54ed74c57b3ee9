import { useState } from 'react'
import { Controller, useFormContext } from 'react-hook-form'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import type { PostgresValues } from '@/lib/postgres-form'
import { parsePostgresUrl } from '@/lib/postgres-url'
import { Field } from './field'

const SSL_MODES = [
  { value: 'disable', label: 'disable: never' },
  { value: 'allow', label: 'allow: if the server insists' },
  { value: 'prefer', label: 'prefer: if the server can' },
  { value: 'require', label: 'require: always, any certificate' },
  { value: 'verify-ca', label: 'verify-ca: a trusted certificate' },
  { value: 'verify-full', label: 'verify-full: certificate and name' },
]

interface PostgresFieldsProps {
  /** A saved password stays when the field is left empty. */
  hasPassword?: boolean
}

/** How to reach a PostgreSQL database: paste a URL, or fill the fields. */
export function PostgresFields({ hasPassword }: PostgresFieldsProps) {
  const { register, control, setValue, formState } = useFormContext<PostgresValues>()
  const { errors } = formState
  return (
    <div className="flex flex-col gap-5">
      <UrlField
        onUrl={(parts) => {
          for (const [name, value] of Object.entries(parts)) {
            setValue(name as keyof PostgresValues, value as never, {
              shouldValidate: true,
              shouldDirty: true,
            })
          }
        }}
      />
      <div className="grid gap-4 sm:grid-cols-[1fr_7rem]">
        <Field label="Host" error={errors.pg_host?.message}>
          <Input
            {...register('pg_host')}
            placeholder="db.example.org"
            autoComplete="off"
            spellCheck={false}
          />
        </Field>
        <Field label="Port" error={errors.pg_port?.message}>
          <Input {...register('pg_port', { valueAsNumber: true })} inputMode="numeric" autoComplete="off" />
        </Field>
      </div>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Database" error={errors.pg_database?.message}>
          <Input {...register('pg_database')} autoComplete="off" spellCheck={false} />
        </Field>
        <Controller
          control={control}
          name="sslmode"
          render={({ field }) => (
            <Field label="TLS" error={errors.sslmode?.message}>
              <Select value={field.value} onValueChange={field.onChange} options={SSL_MODES} />
            </Field>
          )}
        />
        <Field label="User" error={errors.pg_username?.message}>
          <Input {...register('pg_username')} autoComplete="off" spellCheck={false} />
        </Field>
        <Field
          label="Password"
          error={errors.pg_password?.message}
          hint={
            hasPassword ? 'Left empty, the saved one stays.' : 'Encrypted at rest, and never shown again.'
          }
        >
          <Input
            {...register('pg_password')}
            type="password"
            autoComplete="new-password"
            placeholder={hasPassword ? '••••••••' : undefined}
          />
        </Field>
      </div>
    </div>
  )
}

function UrlField({ onUrl }: { onUrl: (parts: NonNullable<ReturnType<typeof parsePostgresUrl>>) => void }) {
  const [text, setText] = useState('')
  const [state, setState] = useState<'empty' | 'taken' | 'unknown'>('empty')
  const read = (next: string) => {
    const parts = parsePostgresUrl(next)
    if (parts) {
      onUrl(parts)
      // The URL may hold a password; what it said stands in the fields now.
      setText('')
      setState('taken')
    } else {
      setText(next)
      setState(next.trim() === '' ? 'empty' : 'unknown')
    }
  }
  const hint = {
    empty: 'Fills the fields below.',
    taken: 'Taken: see the fields below.',
    unknown: 'A URL starts with postgresql:// and is taken when it is whole: paste it.',
  }[state]
  return (
    <Field label="Connection URL (optional)" hint={hint}>
      <Input
        value={text}
        placeholder="postgresql://user:password@host:5432/database"
        autoComplete="off"
        spellCheck={false}
        onPaste={(event) => {
          event.preventDefault()
          read(event.clipboardData.getData('text'))
        }}
        onChange={(event) => {
          setText(event.target.value)
          setState(event.target.value.trim() === '' ? 'empty' : 'unknown')
        }}
        onBlur={() => {
          if (text) read(text)
        }}
      />
    </Field>
  )
}
