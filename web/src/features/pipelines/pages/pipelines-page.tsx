import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Download, Plus, Workflow } from 'lucide-react'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { PageHeader } from '@/components/shared/page-header'
import { RowsPending } from '@/components/shared/page-pending'
import { SearchInput } from '@/components/shared/search-input'
import { UpdatedAgo } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { download, toCsv } from '@/lib/csv'
import { humanize } from '@/lib/format'
import { retainedWalBytes } from '@/lib/retained-wal'
import { useCan } from '@/lib/use-role'
import { pipelinesQuery } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'
import { PipelineTable } from '../components/pipeline-table'
import { observedStatus, parkedChanges, tableCount, worstLagSeconds } from '../data/pipeline-facts'
import { FACETS, type PipelineSearch, facetOptions, narrowed } from '../data/facets'

// No name: those have no space before them.
const ALL = ' all'
const EVERY = { state: 'Every state', source: 'Every source', destination: 'Every destination' }

interface PipelinesPageProps {
  search: PipelineSearch
  onSearch: (search: PipelineSearch) => void
}

function exportCsv(pipelines: readonly Pipeline[]): void {
  const header = [
    'name',
    'source',
    'wanted',
    'state',
    'destinations',
    'tables',
    'lag_seconds',
    'wal_bytes',
    'parked_changes',
  ]
  const rows = pipelines.map((pipeline) => [
    pipeline.name,
    pipeline.source.name,
    pipeline.status,
    observedStatus(pipeline),
    pipeline.destinations.map(({ destination }) => destination.name).join(' '),
    tableCount(pipeline),
    worstLagSeconds(pipeline),
    retainedWalBytes(pipeline),
    parkedChanges(pipeline),
  ])
  download('pipelines.csv', toCsv(header, rows))
}

export function PipelinesPage({ search, onSearch }: PipelinesPageProps) {
  const { data, error, refetch, dataUpdatedAt } = useQuery(pipelinesQuery())
  const mayChange = useCan('operator')
  const all = data?.items ?? []
  const shown = narrowed(all, search)
  const add = mayChange && (
    <Button asChild size="sm">
      <Link to="/pipelines/new">
        <Plus aria-hidden /> Create a pipeline
      </Link>
    </Button>
  )
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Pipelines" description={<UpdatedAgo at={dataUpdatedAt} />} actions={add} />
      {error && !data ? (
        <ErrorPanel error={error} title="The pipelines cannot be shown" onRetry={() => void refetch()} />
      ) : !data ? (
        <Card>
          <RowsPending />
        </Card>
      ) : all.length === 0 ? (
        <Card>
          <EmptyState
            icon={Workflow}
            title="No pipeline yet"
            text="A pipeline reads the changes of one source and writes them to any number of destinations."
          >
            {add}
          </EmptyState>
        </Card>
      ) : (
        <>
          <div className="flex flex-wrap items-center gap-2">
            <SearchInput
              label="Find a pipeline"
              value={search.q ?? ''}
              onChange={(q) => onSearch({ ...search, q: q || undefined })}
            />
            {FACETS.map((facet) => (
              <Select
                key={facet}
                aria-label={humanize(facet)}
                className="w-[calc(50%-0.25rem)] sm:w-44"
                value={search[facet] ?? ALL}
                onValueChange={(value) => onSearch({ ...search, [facet]: value === ALL ? undefined : value })}
                options={[{ value: ALL, label: EVERY[facet] }, ...facetOptions(all, search, facet)]}
              />
            ))}
            <Button
              variant="outline"
              className="ms-auto"
              disabled={shown.length === 0}
              onClick={() => exportCsv(shown)}
            >
              <Download aria-hidden /> CSV
            </Button>
          </div>
          <Card>
            {shown.length > 0 ? (
              <PipelineTable pipelines={shown} />
            ) : (
              <EmptyState icon={Workflow} title="Nothing fits" text="No pipeline is like that.">
                <Button variant="outline" onClick={() => onSearch({})}>
                  Show all
                </Button>
              </EmptyState>
            )}
          </Card>
        </>
      )}
    </div>
  )
}
