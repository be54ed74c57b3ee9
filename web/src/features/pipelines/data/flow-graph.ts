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
/** Upright, lanes hang on a trunk at their left, in the middle of this: twice how far the lines bend before a box. */
export const INDENT = 40

/** Records per second that went to each destination over the whole minutes that `flow` covers. */
export function ratesOf(flow: PipelineFlow | undefined): ReadonlyMap<number, number> {
  const rates = new Map<number, number>()
  if (!flow) return rates
  const seconds = flow.minutes * 60
  for (const { destination_id, records } of flow.points)
    rates.set(destination_id, (rates.get(destination_id) ?? 0) + records / seconds)
  return rates
}

/**
 * Source, slot, and one lane below the other. Upright, where there is little room, all are below each other, and a lane's
 * rate stands in its box.
 */
export function flowGraph(
  pipeline: Pipeline,
  rates: ReadonlyMap<number, number>,
  upright: boolean,
): { nodes: FlowNode[]; edges: Edge[] } {
  const middle = upright ? 0 : ((Math.max(1, pipeline.destinations.length) - 1) * ROW) / 2
  const at = (column: number, place: number) =>
    upright
      ? { x: column === 2 ? INDENT : 0, y: (column + place) * (ROW + 24) }
      : { x: column * COLUMN, y: middle }
  const nodes: FlowNode[] = [
    { id: 'source', type: 'source', position: at(0, 0), data: { pipeline } },
    { id: 'slot', type: 'slot', position: at(1, 0), data: { pipeline } },
    ...pipeline.destinations.map((lane, place) => ({
      id: `lane-${lane.id}`,
      type: 'lane' as const,
      position: upright ? at(2, place) : { x: 2 * COLUMN + 40, y: place * ROW },
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
      ...(upright
        ? { type: 'smoothstep' }
        : { label: formatRate(rates.get(lane.destination_id) ?? 0), ...LABEL }),
    })),
  ]
  return { nodes, edges }
}
