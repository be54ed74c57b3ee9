import { queryOptions } from '@tanstack/react-query'
import { ApiError } from './api-error'
import { api } from './client'
import { change } from './freshness'
import type { Actor, Session } from './types'

const ME = ['auth', 'me'] as const

/** The backend sets it beside the session, so that a page without one need not ask and be refused. */
const SIGNED_IN = /(?:^|;\s*)rosetta_signed_in=/

/** Who is signed in; null when nobody is. In development the page comes from elsewhere, and always asks. */
export const meQuery = queryOptions({
  queryKey: ME,
  queryFn: async ({ signal }): Promise<Actor | null> => {
    if (import.meta.env.PROD && !SIGNED_IN.test(document.cookie)) return null
    try {
      return await api.get<Actor>('/auth/me', undefined, signal)
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
})

const signedIn = (session: Session) => [[ME, session.actor]] as const

export const signIn = change({
  call: (body: { email: string; password: string }) => api.post<Session>('/auth/login', body),
  writes: signedIn,
  invalidates: [],
})

export const signInByLink = change({
  call: (token: string) => api.post<Session>('/auth/first-sign-in', { token }),
  writes: signedIn,
  invalidates: [],
})

export const signOut = change({
  call: () => api.post<undefined>('/auth/logout'),
  writes: () => [[ME, null]] as const,
  invalidates: [],
})

export const changePassword = change({
  call: (body: { current_password: string | null; password: string }) =>
    api.put<undefined>('/auth/password', body),
  writes: () => [[ME, null]] as const,
  invalidates: [],
})
