import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import { createToken } from '@/repo/settings'
import type { Role } from '@/repo/types'
import { ROLES } from '../data/roles'
import { ShownOnce } from './shown-once'

const DAY_MS = 86_400_000
const LIVES = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'a year' },
  { value: '0', label: 'forever' },
]

export function NewToken() {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [days, setDays] = useState('90')
  const creating = useMutation({ ...createToken, onSuccess: () => setName('') })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const expires_at = days === '0' ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString()
    creating.mutate({ name: name.trim(), role, expires_at })
  }
  return (
    <Card className="gap-3 p-5">
      <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
        <Field label="Name of a new token" className="min-w-48 flex-1">
          <Input
            required
            maxLength={200}
            value={name}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field label="Role" className="w-full sm:w-72">
          <Select value={role} onValueChange={(next) => setRole(next as Role)} options={ROLES} />
        </Field>
        <Field label="Valid for" className="w-32">
          <Select value={days} onValueChange={setDays} options={LIVES} />
        </Field>
        <Button type="submit" pending={creating.isPending}>
          Create
        </Button>
      </form>
      {creating.isError && <ErrorPanel error={creating.error} title="The token was not created" />}
      {creating.data && (
        <ShownOnce
          title={`Token ${creating.data.name}`}
          description="Send it as the header Authorization: Bearer. It is shown only now; only its hash is kept."
          text={creating.data.token}
          onClose={() => creating.reset()}
        />
      )}
    </Card>
  )
}
