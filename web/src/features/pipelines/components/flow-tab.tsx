import '@xyflow/react/dist/base.css'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Handle, type NodeProps, Position, ReactFlow } from '@xyflow/react'
import { Cable, Database, HardDriveDownload, type LucideIcon } from 'lucide-react'
import type { ReactNode } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { DesiredBadge, StatusBadge } from '@/components/shared/status-badge'
import { formatBytes, formatSeconds, plural } from '@/lib/format'
import { formatRate } from '@/lib/series'
import { useNarrow } from '@/lib/use-narrow'
import { pipelineFlowQuery } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { type FlowNode, INDENT, NODE_WIDTH, flowGraph, ratesOf } from '../data/flow-graph'
import { retainedWalBytes } from '@/lib/retained-wal'

const MINUTES = 5
type Of<Kind extends FlowNode['type']> = NodeProps<Extract<FlowNode, { type: Kind }>>

/** From the source by its slot to each destination, with what flows and what waits. */
export default function FlowTab({ pipeline }: { pipeline: Pipeline }) {
  const upright = useNarrow()
  const { data, error, refetch } = useQuery(pipelineFlowQuery(pipeline.id, MINUTES, 1))
  const { nodes, edges } = flowGraph(pipeline, ratesOf(data), upright)
  return (
    <div className="flex flex-col gap-3">
      {error && !data && (
        <ErrorPanel error={error} title="The rates cannot be shown" onRetry={() => void refetch()} />
      )}
      <div
        role="region"
        aria-label="Flow from the source to the destinations"
        className="bg-card rounded-lg border shadow-xs"
        style={{ height: heightOf(pipeline.destinations.length, upright) }}
      >
        <ReactFlow
          key={`${pipeline.destinations.length} ${upright}`}
          nodes={nodes}
          edges={edges}
          defaultEdgeOptions={{ style: { stroke: 'var(--chart-1)', strokeWidth: 1.5 } }}
          nodeTypes={KINDS}
          fitView
          fitViewOptions={{ padding: 0.12, maxZoom: 1 }}
          minZoom={0.2}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          preventScrolling={false}
          proOptions={{ hideAttribution: true }}
        />
      </div>
      <p className="text-muted-foreground text-xs">Records per second over the last {MINUTES} minutes.</p>
    </div>
  )
}

function heightOf(lanes: number, upright: boolean): number {
  return upright ? (lanes + 2) * 150 : Math.min(640, Math.max(320, lanes * 140))
}

interface BoxProps {
  icon: LucideIcon
  kind: string
  name: ReactNode
  children: ReactNode
  enter?: Position
  leave?: Position
  /** Where lanes hang, the line leaves at the side of them. */
  trunk?: boolean
}

function Box({ icon: Icon, kind, name, children, enter, leave, trunk }: BoxProps) {
  return (
    <div
      className="bg-background flex flex-col gap-1.5 rounded-lg border p-3 text-xs shadow-xs"
      style={{ width: NODE_WIDTH }}
    >
      {enter && <Handle type="target" position={enter} className="opacity-0" />}
      <span className="text-muted-foreground flex items-center gap-1.5">
        <Icon className="size-3.5" aria-hidden /> {kind}
      </span>
      <span className="truncate text-sm font-semibold">{name}</span>
      {children}
      {leave && (
        <Handle
          type="source"
          position={leave}
          className="opacity-0"
          style={trunk ? { left: INDENT / 2 } : undefined}
        />
      )}
    </div>
  )
}

function SourceBox({ data: { pipeline } }: Of<'source'>) {
  const { source } = pipeline
  const upright = useNarrow()
  return (
    <Box
      icon={Database}
      kind="Source"
      leave={upright ? Position.Bottom : Position.Right}
      name={
        <Link to="/sources/$sourceId" params={{ sourceId: String(source.id) }} className="hover:underline">
          {source.name}
        </Link>
      }
    >
      <span className="text-muted-foreground">keeps {formatBytes(retainedWalBytes(pipeline))} of WAL</span>
    </Box>
  )
}

function SlotBox({ data: { pipeline } }: Of<'slot'>) {
  const upright = useNarrow()
  return (
    <Box
      icon={Cable}
      kind="One slot for all"
      enter={upright ? Position.Top : Position.Left}
      leave={upright ? Position.Bottom : Position.Right}
      trunk={upright}
      name={pipeline.slot_name ?? 'made at the first start'}
    >
      <span className="flex">
        <DesiredBadge status={pipeline.status} />
      </span>
    </Box>
  )
}

function LaneBox({ data: { lane, perSecond } }: Of<'lane'>) {
  const upright = useNarrow()
  const { destination, metadata, parked_changes } = lane
  return (
    <Box
      icon={HardDriveDownload}
      kind={destination.type === 'POSTGRESQL' ? 'PostgreSQL' : 'Snowflake'}
      enter={Position.Left}
      name={
        <Link
          to="/destinations/$destinationId"
          params={{ destinationId: String(destination.id) }}
          className="hover:underline"
        >
          {destination.name}
        </Link>
      }
    >
      <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <StatusBadge status={metadata?.status} />
        <span className="text-muted-foreground tabular-nums">lag {formatSeconds(metadata?.lag_seconds)}</span>
        {upright && <span className="tabular-nums">{formatRate(perSecond)}</span>}
        {parked_changes > 0 && (
          <span className="text-warning">{plural(parked_changes, 'change')} parked</span>
        )}
      </span>
    </Box>
  )
}

const KINDS = { source: SourceBox, slot: SlotBox, lane: LaneBox }
