import { humanize } from '@/lib/format'
import type { Pipeline } from '@/repo/types'
import { observedStatus } from './pipeline-facts'

/** What a list of pipelines is narrowed to; what is left out narrows nothing. */
export interface PipelineSearch {
  q?: string
  state?: string
  source?: string
  destination?: string
}

const VALUES = {
  state: (pipeline: Pipeline) => [observedStatus(pipeline) ?? 'UNKNOWN'],
  source: (pipeline: Pipeline) => [pipeline.source.name],
  destination: (pipeline: Pipeline) => pipeline.destinations.map(({ destination }) => destination.name),
}
export type Facet = keyof typeof VALUES
export const FACETS = Object.keys(VALUES) as Facet[]

/** The pipelines that pass; `without` one facet, those that a choice in it is made among. */
export function narrowed(
  pipelines: readonly Pipeline[],
  search: PipelineSearch,
  without?: Facet,
): Pipeline[] {
  const wanted = (search.q ?? '').toLowerCase()
  return pipelines.filter(
    (pipeline) =>
      [pipeline.name, pipeline.source.name].some((name) => name.toLowerCase().includes(wanted)) &&
      FACETS.every((facet) => {
        const value = search[facet]
        return facet === without || !value || VALUES[facet](pipeline).includes(value)
      }),
  )
}

/** The choices of a facet with how many pipelines each would leave; what is chosen stays among them. */
export function facetOptions(
  pipelines: readonly Pipeline[],
  search: PipelineSearch,
  facet: Facet,
): { value: string; label: string }[] {
  const counts = new Map<string, number>()
  const chosen = search[facet]
  if (chosen) counts.set(chosen, 0)
  for (const pipeline of narrowed(pipelines, search, facet))
    for (const value of VALUES[facet](pipeline)) counts.set(value, (counts.get(value) ?? 0) + 1)
  const word = facet === 'state' ? humanize : (name: string) => name
  return [...counts]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([value, count]) => ({ value, label: `${word(value)} (${count})` }))
}
