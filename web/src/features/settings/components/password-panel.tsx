import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { told } from '@/lib/notify'
import { changePassword, meQuery } from '@/repo/auth'

const SHORTEST = 12

export function PasswordPanel() {
  const { data: actor } = useQuery(meQuery)
  const navigate = useNavigate()
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const changing = useMutation({
    ...changePassword,
    onSuccess: () => {
      told('The password was changed. Sign in with it.')
      void navigate({ to: '/sign-in' })
    },
  })
  if (actor?.kind !== 'user') {
    return <p className="text-muted-foreground">You are {actor?.name}, who has no password.</p>
  }
  const tooShort = password !== '' && password.length < SHORTEST
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (password.length >= SHORTEST) changing.mutate({ current_password: current || null, password })
  }
  return (
    <Card className="max-w-md">
      <CardHeader>
        <CardTitle>Password of {actor.name}</CardTitle>
      </CardHeader>
      <CardContent>
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label="Current password" hint="Leave it empty if you have none yet.">
            <Input
              type="password"
              autoComplete="current-password"
              value={current}
              onChange={(event) => setCurrent(event.target.value)}
            />
          </Field>
          <Field
            label="New password"
            hint={`At least ${SHORTEST} characters. Every session of yours ends, this one too.`}
            error={tooShort ? `At least ${SHORTEST} characters` : undefined}
          >
            <Input
              type="password"
              autoComplete="new-password"
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          </Field>
          {changing.isError && <ErrorPanel error={changing.error} title="The password was not changed" />}
          <Button
            type="submit"
            className="self-end"
            disabled={password.length < SHORTEST}
            pending={changing.isPending}
          >
            Change the password
          </Button>
        </form>
      </CardContent>
    </Card>
  )
}
