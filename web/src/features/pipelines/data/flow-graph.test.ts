import { describe, expect, it } from 'vitest'
import type { Pipeline, PipelineFlow } from '@/repo/types'
import { INDENT, flowGraph, ratesOf } from './flow-graph'

const lane = (id: number, status: string) => ({ id, destination_id: id * 10, metadata: { status } })
const PIPELINE = {
  status: 'START',
  destinations: [lane(1, 'RUNNING'), lane(2, 'RETRYING')],
} as unknown as Pipeline
const FLOW = {
  minutes: 5,
  points: [
    { destination_id: 10, records: 200 },
    { destination_id: 10, records: 100 },
    { destination_id: 20, records: 30 },
  ],
} as unknown as PipelineFlow

describe('flowGraph', () => {
  it('says what goes to each destination, and moves only where it does', () => {
    const { edges } = flowGraph(PIPELINE, ratesOf(FLOW), false)
    expect(edges.map(({ target, label, animated }) => [target, label, animated])).toEqual([
      ['slot', undefined, true],
      ['lane-1', '1/s', true],
      ['lane-2', '0.1/s', false],
    ])
  })

  it('puts no box over another', () => {
    for (const upright of [true, false]) {
      const { nodes } = flowGraph(PIPELINE, new Map(), upright)
      const places = nodes.map(({ position: { x, y } }) => `${x},${y}`)
      expect(new Set(places).size).toBe(places.length)
      if (upright) expect(nodes.map(({ position }) => position.x)).toEqual([0, 0, INDENT, INDENT])
    }
  })

  it('knows no rate before it was told', () => expect(ratesOf(undefined).size).toBe(0))
})
