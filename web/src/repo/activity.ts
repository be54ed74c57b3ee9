import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { CALM_POLL_MS, change } from './freshness'
import type { AuditEntry, Notification, Page, Severity } from './types'

export interface NotificationFilter {
  severity?: Severity
  unread?: boolean
  open?: boolean
  pipeline_id?: number
  limit?: number
  offset?: number
}

const NOTIFICATIONS = ['notifications'] as const
const TOUCHED = [NOTIFICATIONS, ['dashboard', 'summary']]

export const notificationsQuery = (filter: NotificationFilter) =>
  queryOptions({
    queryKey: [...NOTIFICATIONS, filter],
    queryFn: ({ signal }) => api.get<Page<Notification>>('/notifications', { ...filter }, signal),
    refetchInterval: CALM_POLL_MS,
    placeholderData: keepPreviousData,
  })

export const readNotification = change({
  call: (id: number) => api.post<Notification>(`/notifications/${id}/read`),
  invalidates: TOUCHED,
})

export const readAllNotifications = change({
  call: () => api.post<{ read: number }>('/notifications/read-all'),
  invalidates: TOUCHED,
})

export const deleteNotification = change({
  call: (id: number) => api.delete(`/notifications/${id}`),
  invalidates: TOUCHED,
})

interface AuditFilter {
  action?: string
  actor_name?: string
  entity_type?: string
  entity_id?: string
  limit?: number
  offset?: number
}

export const auditQuery = (filter: AuditFilter) =>
  queryOptions({
    queryKey: ['audit-log', filter],
    queryFn: ({ signal }) => api.get<Page<AuditEntry>>('/audit-log', { ...filter }, signal),
    refetchInterval: CALM_POLL_MS * 3,
    placeholderData: keepPreviousData,
  })
