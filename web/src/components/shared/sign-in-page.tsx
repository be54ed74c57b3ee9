import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import type { FormEvent } from 'react'
import { Button } from '@/components/ui/button'
import { Input } from '@/components/ui/input'
import { signIn } from '@/repo/auth'
import { ErrorPanel } from './error-panel'
import { Field } from './field'
import { SignInFrame } from './sign-in-frame'

export function SignInPage({ next }: { next: string }) {
  const router = useRouter()
  const signing = useMutation(signIn)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    signing.mutate(
      { email: String(form.get('email')), password: String(form.get('password')) },
      { onSuccess: () => router.history.push(next) },
    )
  }
  return (
    <SignInFrame title="Sign in" text="With the e-mail and password of your account.">
      <form className="flex flex-col gap-4" onSubmit={submit}>
        <Field label="E-mail">
          <Input name="email" type="email" autoComplete="username" required autoFocus />
        </Field>
        <Field label="Password">
          <Input name="password" type="password" autoComplete="current-password" required />
        </Field>
        {signing.isError && <ErrorPanel error={signing.error} title="You are not signed in" />}
        <Button type="submit" pending={signing.isPending}>
          Sign in
        </Button>
      </form>
      <p className="text-muted-foreground border-t pt-4 text-xs leading-relaxed">
        No password yet? Open a one-time link: an administrator makes one under Settings, and whoever runs
        Rosetta with <code className="bg-muted rounded px-1 py-0.5 font-mono">rosetta sign-in-link</code>.
      </p>
    </SignInFrame>
  )
}
