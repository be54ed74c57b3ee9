/** Apart from the page, so that the address can be checked before the page is loaded. */
export const PIPELINE_TABS = [
  'overview',
  'tables',
  'destinations',
  'backfills',
  'dlq',
  'verify',
  'flow',
  'logs',
  'settings',
] as const

export type PipelineTab = (typeof PIPELINE_TABS)[number]
