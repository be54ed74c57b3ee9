import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { ErrorPanel } from '@/components/shared/error-panel'
import { NotFound } from '@/components/shared/not-found'
import { PageHeader } from '@/components/shared/page-header'
import { PagePending } from '@/components/shared/page-pending'
import { DeletePanel } from '@/components/shared/delete-panel'
import { TestButton } from '@/components/shared/test-button'
import { UsedBy } from '@/components/shared/used-by'
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs'
import { formatServerVersion } from '@/lib/format'
import { told } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { deleteSource, sourceQuery, testSavedSource, updateSource } from '@/repo/sources'
import type { SourceDetail } from '@/repo/types'
import { SchemaHistory } from '../components/schema-history'
import { SourceForm } from '../components/source-form'
import { SourcePreflight } from '@/components/shared/source-preflight'
import { SourcePresets } from '../components/source-presets'
import { SourceSlots } from '../components/source-slots'
import { SourceTables } from '../components/source-tables'

type SourceTab = 'preflight' | 'tables' | 'history' | 'slots' | 'presets' | 'used-by' | 'settings'

interface SourcePageProps {
  sourceId: number
  tab: SourceTab
  onTab: (tab: SourceTab) => void
}

export function SourcePage({ sourceId, tab, onTab }: SourcePageProps) {
  const { data: source, error, refetch } = useQuery(sourceQuery(sourceId))
  const mayChange = useCan('operator')
  if (!source) {
    if (!error) return <PagePending />
    if (error.status === 404) return <NotFound />
    return <ErrorPanel error={error} title="The source cannot be shown" onRetry={() => void refetch()} />
  }
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        title={source.name}
        description={
          <span className="wrap-anywhere">
            {source.pg_username}@{source.pg_host}:{source.pg_port}/{source.pg_database}
            {source.server_version != null && `, PostgreSQL ${formatServerVersion(source.server_version)}`}
          </span>
        }
        actions={mayChange && <TestButton id={source.id} options={testSavedSource} />}
      />
      <Tabs value={tab} onValueChange={(next) => onTab(next as SourceTab)}>
        <TabsList aria-label="Parts of the source">
          <TabsTrigger value="preflight">Preflight</TabsTrigger>
          <TabsTrigger value="tables">Tables</TabsTrigger>
          <TabsTrigger value="history">Schema history</TabsTrigger>
          <TabsTrigger value="slots">Slots and WAL</TabsTrigger>
          <TabsTrigger value="presets">Presets</TabsTrigger>
          <TabsTrigger value="used-by">Used by</TabsTrigger>
          {mayChange && <TabsTrigger value="settings">Settings</TabsTrigger>}
        </TabsList>
        <TabsContent value="preflight">
          <SourcePreflight sourceId={source.id} />
        </TabsContent>
        <TabsContent value="tables">
          <SourceTables sourceId={source.id} />
        </TabsContent>
        <TabsContent value="history">
          <SchemaHistory sourceId={source.id} />
        </TabsContent>
        <TabsContent value="slots">
          <SourceSlots source={source} />
        </TabsContent>
        <TabsContent value="presets">
          <SourcePresets sourceId={source.id} />
        </TabsContent>
        <TabsContent value="used-by">
          <UsedBy
            filter={{ source_id: source.id }}
            empty="It can be deleted, or a pipeline created for it."
          />
        </TabsContent>
        {mayChange && (
          <TabsContent value="settings">
            <Settings source={source} />
          </TabsContent>
        )}
      </Tabs>
    </div>
  )
}

function Settings({ source }: { source: SourceDetail }) {
  const navigate = useNavigate()
  const saving = useMutation({ ...updateSource, onSuccess: () => told('The source was saved.') })
  const deleting = useMutation({
    ...deleteSource,
    onSuccess: () => {
      told(`${source.name} is deleted.`)
      void navigate({ to: '/sources' })
    },
  })
  return (
    <div className="flex flex-col gap-5">
      <div className="max-w-2xl">
        <SourceForm
          key={source.updated_at}
          initial={{
            name: source.name,
            pg_host: source.pg_host,
            pg_port: source.pg_port,
            pg_database: source.pg_database,
            pg_username: source.pg_username,
            pg_password: '',
            sslmode: source.sslmode,
            publication_name: source.publication_name,
          }}
          hasPassword={source.has_password}
          action="Save"
          pending={saving.isPending}
          error={saving.error}
          onSave={(values, onError) => saving.mutate({ id: source.id, ...values }, { onError })}
        />
      </div>
      <DeletePanel
        what="source"
        name={source.name}
        pending={deleting.isPending}
        error={deleting.error}
        onDelete={() => deleting.mutate({ id: source.id, force: false })}
      >
        Its connection is forgotten. Slots and publications that Rosetta made there are dropped first; a
        source that a pipeline uses cannot be deleted.
      </DeletePanel>
    </div>
  )
}
