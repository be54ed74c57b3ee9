import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { change } from './freshness'
import type { ChannelResult, Page, Role, SignInLink, Token, TokenCreated, User } from './types'

export type Settings = Record<string, unknown>

export const settingsQuery = queryOptions({
  queryKey: ['settings'],
  queryFn: ({ signal }) => api.get<Settings>('/settings', undefined, signal),
})

/** Sets the given keys; null removes one, so that its default counts again. */
export const updateSettings = change({
  call: (values: Settings) => api.put<Settings>('/settings', values),
  writes: (settings) => [[['settings'], settings]],
  invalidates: [],
})

export const testAlerts = change({
  call: () => api.post<ChannelResult[]>('/settings/alerts/test'),
  invalidates: [],
})

export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => api.get<Page<User>>('/users', { limit: 500, sort: 'email' }, signal),
})

export const createUser = change({
  call: (body: { email: string; role: Role }) => api.post<User>('/users', body),
  invalidates: [['users']],
})

export const updateUser = change({
  call: ({ id, ...body }: { id: number; role?: Role; is_active?: boolean }) =>
    api.put<User>(`/users/${id}`, body),
  invalidates: [['users']],
})

export const deleteUser = change({
  call: (id: number) => api.delete(`/users/${id}`),
  invalidates: [['users'], ['tokens']],
})

export const createSignInLink = change({
  call: (id: number) => api.post<SignInLink>(`/users/${id}/sign-in-link`),
  invalidates: [],
})

export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => api.get<Page<Token>>('/tokens', { limit: 500, sort: '-id' }, signal),
})

export const createToken = change({
  call: (body: { name: string; role: Role; expires_at: string | null }) =>
    api.post<TokenCreated>('/tokens', body),
  invalidates: [['tokens']],
})

export const revokeToken = change({
  call: (id: number) => api.delete(`/tokens/${id}`),
  invalidates: [['tokens']],
})
