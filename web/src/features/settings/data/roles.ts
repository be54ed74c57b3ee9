export const ROLES = [
  { value: 'viewer', label: 'Viewer: sees, changes nothing' },
  { value: 'operator', label: 'Operator: runs pipelines' },
  { value: 'admin', label: 'Admin: everything' },
]
