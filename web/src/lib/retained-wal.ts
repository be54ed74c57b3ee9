import type { Pipeline } from '@/repo/types'

/** What a pipeline's slot retains at the source; null while nobody has looked. */
export function retainedWalBytes(pipeline: Pipeline): number | null {
  const sizes = pipeline.destinations.flatMap(({ metadata }) => metadata?.wal_size ?? [])
  return sizes.length > 0 ? Math.max(...sizes) : null
}
