import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { lazy } from 'react'
import { DeletePanel } from '@/components/shared/delete-panel'
import { ErrorPanel } from '@/components/shared/error-panel'
import { LazyPart } from '@/components/shared/lazy-part'
import { NotFound } from '@/components/shared/not-found'
import { PageHeader } from '@/components/shared/page-header'
import { PagePending, RowsPending } from '@/components/shared/page-pending'
import { TestButton } from '@/components/shared/test-button'
import { UsedBy } from '@/components/shared/used-by'
import { Badge } from '@/components/ui/badge'
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs'
import { told } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import type { ApiError } from '@/repo/api-error'
import {
  deleteDestination,
  destinationQuery,
  testSavedDestination,
  updateDestination,
} from '@/repo/destinations'
import type { DestinationBody, DestinationDetail } from '@/repo/types'
import { DestinationPreflight } from '../components/destination-preflight'
import { KeyPanel } from '../components/key-panel'
import { PostgresForm } from '../components/postgres-form'
import { SnowflakeForm } from '../components/snowflake-form'
import { placeOf } from '../data/place'

const CreditsTab = lazy(() => import('../components/credits-tab'))

type DestinationTab = 'used-by' | 'preflight' | 'credits' | 'settings'

interface DestinationPageProps {
  destinationId: number
  tab: DestinationTab
  onTab: (tab: DestinationTab) => void
}

export function DestinationPage({ destinationId, tab, onTab }: DestinationPageProps) {
  const { data: destination, error, refetch } = useQuery(destinationQuery(destinationId))
  const mayChange = useCan('operator')
  if (!destination) {
    if (!error) return <PagePending />
    if (error.status === 404) return <NotFound />
    return <ErrorPanel error={error} title="The destination cannot be shown" onRetry={() => void refetch()} />
  }
  const isPostgres = destination.type === 'POSTGRESQL'
  return (
    <div className="flex flex-col gap-5">
      <PageHeader
        title={destination.name}
        aside={<Badge tone="outline">{isPostgres ? 'PostgreSQL' : 'Snowflake'}</Badge>}
        description={<span className="wrap-anywhere">{placeOf(destination)}</span>}
        actions={mayChange && <TestButton id={destination.id} options={testSavedDestination} />}
      />
      <Tabs value={tab} onValueChange={(next) => onTab(next as DestinationTab)}>
        <TabsList aria-label="Parts of the destination">
          <TabsTrigger value="used-by">Used by</TabsTrigger>
          <TabsTrigger value="preflight">Preflight</TabsTrigger>
          {!isPostgres && <TabsTrigger value="credits">Credits</TabsTrigger>}
          {mayChange && <TabsTrigger value="settings">Settings</TabsTrigger>}
        </TabsList>
        <TabsContent value="used-by">
          <UsedBy filter={{ destination_id: destination.id }} empty="Add it to a pipeline, or delete it." />
        </TabsContent>
        <TabsContent value="preflight">
          <DestinationPreflight destinationId={destination.id} />
        </TabsContent>
        {!isPostgres && (
          <TabsContent value="credits">
            <LazyPart pending={<RowsPending />}>
              <CreditsTab destinationId={destination.id} />
            </LazyPart>
          </TabsContent>
        )}
        {mayChange && (
          <TabsContent value="settings">
            <Settings destination={destination} />
          </TabsContent>
        )}
      </Tabs>
    </div>
  )
}

function Settings({ destination }: { destination: DestinationDetail }) {
  const navigate = useNavigate()
  const saving = useMutation({ ...updateDestination, onSuccess: () => told('The destination was saved.') })
  const deleting = useMutation({
    ...deleteDestination,
    onSuccess: () => {
      told(`${destination.name} is deleted.`)
      void navigate({ to: '/destinations' })
    },
  })
  const form = {
    saved: destination,
    action: 'Save',
    pending: saving.isPending,
    error: saving.error,
    onSave: ({ name, config }: DestinationBody, onError: (error: ApiError) => void) =>
      saving.mutate({ id: destination.id, name, config }, { onError }),
  }
  return (
    <div className="flex flex-col gap-5">
      <div className="max-w-2xl" key={destination.updated_at}>
        {destination.type === 'POSTGRESQL' ? <PostgresForm {...form} /> : <SnowflakeForm {...form} />}
      </div>
      {destination.type === 'SNOWFLAKE' && (
        <div className="max-w-2xl">
          <KeyPanel destinationId={destination.id} />
        </div>
      )}
      <DeletePanel
        what="destination"
        name={destination.name}
        pending={deleting.isPending}
        error={deleting.error}
        onDelete={() => deleting.mutate({ id: destination.id, force: false })}
      >
        Its connection is forgotten; its tables and their rows stay. A destination that a pipeline uses cannot
        be deleted.
      </DeletePanel>
    </div>
  )
}
