import { useMutation } from '@tanstack/react-query'
import { Link, useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { Button } from '@/components/ui/button'
import { signInByLink } from '@/repo/auth'
import { ErrorPanel } from './error-panel'
import { SignInFrame } from './sign-in-frame'

/** The token stands behind `#`, so that no server or log on the way sees it. */
function tokenOf(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token')
}

/** A click is asked for, because programs that look at links in messages would otherwise use this one up. */
export function FirstSignInPage() {
  const router = useRouter()
  const [token] = useState(() => tokenOf(window.location.hash))
  const signing = useMutation(signInByLink)
  const signInNow = () => {
    if (token) signing.mutate(token, { onSuccess: () => router.history.replace('/') })
  }
  return (
    <SignInFrame
      title="Welcome to Rosetta"
      text={
        token
          ? 'This link signs you in once, on this browser.'
          : 'This link has no token. Copy the whole link, with what stands behind #.'
      }
    >
      {signing.isError && <ErrorPanel error={signing.error} title="This link did not sign you in" />}
      {token && (
        <Button onClick={signInNow} pending={signing.isPending} autoFocus>
          Sign in
        </Button>
      )}
      {(signing.isError || !token) && (
        <Button asChild variant="outline">
          <Link to="/sign-in">Sign in with a password</Link>
        </Button>
      )}
    </SignInFrame>
  )
}
