import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { Select } from '@/components/ui/select'
import { told } from '@/lib/notify'
import { createUser } from '@/repo/settings'
import type { Role } from '@/repo/types'
import { ROLES } from '../data/roles'

/** A user without a password: a sign-in link lets them in, and they choose one themselves. */
export function NewUser() {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const creating = useMutation({
    ...createUser,
    onSuccess: (user) => {
      setEmail('')
      told(`${user.email} is created. Make a sign-in link for them.`)
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    creating.mutate({ email: email.trim(), role })
  }
  return (
    <Card className="gap-3 p-5">
      <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
        <Field label="E-mail of a new user" className="min-w-56 flex-1">
          <Input
            type="email"
            required
            value={email}
            autoComplete="off"
            onChange={(event) => setEmail(event.target.value)}
          />
        </Field>
        <Field label="Role" className="w-full sm:w-72">
          <Select value={role} onValueChange={(next) => setRole(next as Role)} options={ROLES} />
        </Field>
        <Button type="submit" pending={creating.isPending}>
          Add
        </Button>
      </form>
      {creating.isError && <ErrorPanel error={creating.error} title="The user was not created" />}
    </Card>
  )
}
