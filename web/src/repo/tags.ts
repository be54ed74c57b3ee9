import { queryOptions } from '@tanstack/react-query'
import { api } from './client'
import { change } from './freshness'
import { PIPELINES } from './pipelines'
import type { Page, Tag } from './types'

const TAGS = ['tags'] as const

/** Names that group tables, over all pipelines. */
export const tagsQuery = queryOptions({
  queryKey: TAGS,
  queryFn: ({ signal }) => api.get<Page<Tag>>('/tags', { limit: 500, sort: 'name' }, signal),
})

export const createTag = change({
  call: (name: string) => api.post<Tag>('/tags', { name }),
  invalidates: [TAGS],
})

interface TagsOfTable {
  pipelineId: number
  destinationId: number
  syncId: number
  tags: string[]
}

export const tagTable = change({
  call: ({ pipelineId, destinationId, syncId, tags }: TagsOfTable) =>
    api.put(`/pipelines/${pipelineId}/destinations/${destinationId}/tables/${syncId}`, { tags }),
  invalidates: [TAGS, PIPELINES],
})
