export const ROLES = [
  { value: 'viewer', label: 'Viewer: sees everything but row values' },
  { value: 'operator', label: 'Operator: changes pipelines too' },
  { value: 'admin', label: 'Admin: users, tokens, settings too' },
]
