import type { Edge, Node } from '@xyflow/react'
import { formatRate } from '@/lib/series'
import type { Pipeline, PipelineDestination, PipelineFlow } from '@/repo/types'

export type FlowNode =
  | Node<{ pipeline: Pipeline }, 'source'>
  | Node<{ pipeline: Pipeline }, 'slot'>
  | Node<{ lane: PipelineDestination; perSecond: number }, 'lane'>

export const NODE_WIDTH = 232
const COLUMN = 330
const LABEL: Partial<Edge> = {
  labelStyle: { fill: 'var(--foreground)', fontSize: 12 },
  labelBgStyle: { fill: 'var(--card)' },
  labelBgPadding: [6, 3],
}
const ROW = 128

/** Records per second that went to each destination over the whole minutes that `flow` covers. */
export function ratesOf(flow: PipelineFlow | undefined): ReadonlyMap<number, number> {
  const rates = new Map<number, number>()
  if (!flow) return rates
  const seconds = flow.minutes * 60
  for (const { destination_id, records } of flow.points)
    rates.set(destination_id, (rates.get(destination_id) ?? 0) + records / seconds)
  return rates
}

/** Source, slot, and one lane below the other. */
export function flowGraph(
  pipeline: Pipeline,
  rates: ReadonlyMap<number, number>,
): { nodes: FlowNode[]; edges: Edge[] } {
  const middle = ((Math.max(1, pipeline.destinations.length) - 1) * ROW) / 2
  const nodes: FlowNode[] = [
    { id: 'source', type: 'source', position: { x: 0, y: middle }, data: { pipeline } },
    { id: 'slot', type: 'slot', position: { x: COLUMN, y: middle }, data: { pipeline } },
    ...pipeline.destinations.map((lane, place) => ({
      id: `lane-${lane.id}`,
      type: 'lane' as const,
      position: { x: 2 * COLUMN + 40, y: place * ROW },
      data: { lane, perSecond: rates.get(lane.destination_id) ?? 0 },
    })),
  ]
  const wanted = pipeline.status !== 'PAUSE'
  const edges: Edge[] = [
    { id: 'read', source: 'source', target: 'slot', animated: wanted },
    ...pipeline.destinations.map((lane) => ({
      id: `write-${lane.id}`,
      source: 'slot',
      target: `lane-${lane.id}`,
      animated: lane.metadata?.status === 'RUNNING',
      label: formatRate(rates.get(lane.destination_id) ?? 0),
      ...LABEL,
    })),
  ]
  return { nodes, edges }
}
