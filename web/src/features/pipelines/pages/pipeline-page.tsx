import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { LazyPart } from '@/components/shared/lazy-part'
import { NotFound } from '@/components/shared/not-found'
import { PageHeader } from '@/components/shared/page-header'
import { PagePending, RowsPending } from '@/components/shared/page-pending'
import { DesiredBadge, StatusBadge } from '@/components/shared/status-badge'
import { UpdatedAgo } from '@/components/shared/updated-ago'
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs'
import { formatCompact } from '@/lib/format'
import { pipelineQuery } from '@/repo/pipelines'
import { DestinationsTab } from '../components/destinations-tab'
import { OverviewTab } from '../components/overview-tab'
import { SettingsTab } from '../components/settings-tab'
import { TablesTab } from '../components/tables-tab'
import { WishButtons } from '../components/wish-buttons'
import { observedStatus, parkedChanges, tableCount } from '../data/pipeline-facts'
import type { PipelineTab } from '../data/pipeline-tabs'

const BackfillsTab = lazy(() => import('../components/backfills-tab'))
const DeadLettersTab = lazy(() => import('../components/dead-letters-tab'))
const VerifyTab = lazy(() => import('../components/verify-tab'))
const LogsTab = lazy(() => import('../components/logs-tab'))
const FlowTab = lazy(() => import('../components/flow-tab'))

interface PipelinePageProps {
  pipelineId: number
  tab: PipelineTab
  onTab: (tab: PipelineTab) => void
}

function Count({ count }: { count: number }) {
  if (count === 0) return null
  return (
    <span className="bg-muted text-muted-foreground rounded-full px-1.5 text-xs tabular-nums">
      {formatCompact(count)}
    </span>
  )
}

export function PipelinePage({ pipelineId, tab, onTab }: PipelinePageProps) {
  const { data: pipeline, error, refetch, dataUpdatedAt } = useQuery(pipelineQuery(pipelineId))
  if (!pipeline) {
    if (!error) return <PagePending />
    if (error.status === 404) return <NotFound />
    return <ErrorPanel error={error} title="The pipeline cannot be shown" onRetry={() => void refetch()} />
  }
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        title={pipeline.name}
        aside={
          <>
            <StatusBadge status={observedStatus(pipeline)} />
            <DesiredBadge status={pipeline.status} />
          </>
        }
        description={
          <span className="flex flex-wrap items-center gap-x-3">
            <span>
              from{' '}
              <Link
                to="/sources/$sourceId"
                params={{ sourceId: String(pipeline.source_id) }}
                className="text-foreground rounded-sm font-medium hover:underline"
              >
                {pipeline.source.name}
              </Link>
            </span>
            <UpdatedAgo at={dataUpdatedAt} />
          </span>
        }
        actions={<WishButtons pipeline={pipeline} />}
      />
      <Tabs value={tab} onValueChange={(next) => onTab(next as PipelineTab)}>
        <TabsList aria-label="Parts of the pipeline">
          <TabsTrigger value="overview">Overview</TabsTrigger>
          <TabsTrigger value="tables">
            Tables <Count count={tableCount(pipeline)} />
          </TabsTrigger>
          <TabsTrigger value="destinations">
            Destinations <Count count={pipeline.destinations.length} />
          </TabsTrigger>
          <TabsTrigger value="backfills">Backfills</TabsTrigger>
          <TabsTrigger value="dlq">
            Dead letter queue <Count count={parkedChanges(pipeline)} />
          </TabsTrigger>
          <TabsTrigger value="verify">Verify</TabsTrigger>
          <TabsTrigger value="flow">Flow</TabsTrigger>
          <TabsTrigger value="logs">Logs</TabsTrigger>
          <TabsTrigger value="settings">Settings</TabsTrigger>
        </TabsList>
        <TabsContent value="overview">
          <OverviewTab pipeline={pipeline} />
        </TabsContent>
        <TabsContent value="tables">
          <TablesTab pipeline={pipeline} />
        </TabsContent>
        <TabsContent value="destinations">
          <DestinationsTab pipeline={pipeline} />
        </TabsContent>
        <TabsContent value="backfills">
          <LazyPart pending={<RowsPending />}>
            <BackfillsTab pipeline={pipeline} />
          </LazyPart>
        </TabsContent>
        <TabsContent value="dlq">
          <LazyPart pending={<RowsPending />}>
            <DeadLettersTab pipeline={pipeline} />
          </LazyPart>
        </TabsContent>
        <TabsContent value="verify">
          <LazyPart pending={<RowsPending />}>
            <VerifyTab pipeline={pipeline} />
          </LazyPart>
        </TabsContent>
        <TabsContent value="flow">
          <LazyPart pending={<RowsPending />}>
            <FlowTab pipeline={pipeline} />
          </LazyPart>
        </TabsContent>
        <TabsContent value="logs">
          <LazyPart pending={<RowsPending />}>
            <LogsTab pipeline={pipeline} />
          </LazyPart>
        </TabsContent>
        <TabsContent value="settings">
          <SettingsTab pipeline={pipeline} />
        </TabsContent>
      </Tabs>
    </div>
  )
}
