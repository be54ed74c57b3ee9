import { queryOptions } from '@tanstack/react-query'
import { ApiError } from './api-error'
import { api } from './client'
import { change } from './freshness'
import type {
  AlertChannel,
  ChannelResult,
  EncryptionKey,
  Page,
  Role,
  SignInLink,
  Token,
  TokenCreated,
  User,
} from './types'

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

export const alertChannelsQuery = queryOptions({
  queryKey: ['alert-channels'],
  queryFn: ({ signal }) => api.get<AlertChannel[]>('/settings/alerts', undefined, signal),
})

/** Fails, too, with what the channel answered where it did not take the message. */
export const testChannel = change({
  call: async (channel: AlertChannel['channel']) => {
    const result = await api.post<ChannelResult>('/settings/alerts/test', { channel })
    const { error, code, remedy } = result
    if (error) throw new ApiError(200, code ?? 'ALERT_NOT_SENT', error, remedy)
    return result
  },
  invalidates: [],
})

/** Counted anew each time it is asked, over all that is sealed. */
export const encryptionKeyQuery = queryOptions({
  queryKey: ['encryption-key'],
  queryFn: ({ signal }) => api.get<EncryptionKey>('/settings/encryption-key', undefined, signal),
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
