import {
  Activity,
  Database,
  HardDriveDownload,
  LayoutDashboard,
  LifeBuoy,
  type LucideIcon,
  Settings,
  Workflow,
} from 'lucide-react'
import type { Role } from '@/repo/types'

interface Place {
  to: '/' | '/pipelines' | '/sources' | '/destinations' | '/activity' | '/settings' | '/common-errors'
  label: string
  icon: LucideIcon
  role?: Role
}

export const PLACES: readonly Place[] = [
  { to: '/', label: 'Dashboard', icon: LayoutDashboard },
  { to: '/pipelines', label: 'Pipelines', icon: Workflow },
  { to: '/sources', label: 'Sources', icon: Database },
  { to: '/destinations', label: 'Destinations', icon: HardDriveDownload },
  { to: '/activity', label: 'Activity', icon: Activity },
  { to: '/settings', label: 'Settings', icon: Settings },
  { to: '/common-errors', label: 'Common errors', icon: LifeBuoy },
]
