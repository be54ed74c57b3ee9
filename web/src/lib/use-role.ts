import { useQuery } from '@tanstack/react-query'
import { meQuery } from '@/repo/auth'
import type { Role } from '@/repo/types'

const RANK: Record<Role, number> = { viewer: 0, operator: 1, admin: 2 }

/** Whether who is signed in has at least this role. The backend decides; this only hides what it would refuse. */
export function useCan(role: Role): boolean {
  const { data } = useQuery(meQuery)
  return data ? RANK[data.role] >= RANK[role] : false
}
