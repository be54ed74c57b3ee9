import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Database, HardDriveDownload } from 'lucide-react'
import { EmptyState } from '@/components/shared/empty-state'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { RowsPending } from '@/components/shared/page-pending'
import { SourcePreflight } from '@/components/shared/source-preflight'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Input } from '@/components/ui/input'
import { formatBytes, formatCount, plural } from '@/lib/format'
import { destinationsQuery } from '@/repo/destinations'
import { sourceTablesQuery, sourcesQuery } from '@/repo/sources'
import { type Draft, chosenTables } from '../data/draft'
import { ChoiceList } from './choice-list'
import { PresetBar } from './preset-bar'
import { TablePicker } from './table-picker'

interface StepProps {
  draft: Draft
  onDraft: (change: Partial<Draft>) => void
}

export function SourceStep({ draft, onDraft }: StepProps) {
  const { data, error, refetch } = useQuery(sourcesQuery)
  if (error && !data)
    return <ErrorPanel error={error} title="The sources cannot be shown" onRetry={() => void refetch()} />
  if (!data) return <RowsPending rows={2} />
  if (data.items.length === 0) {
    return (
      <Card>
        <EmptyState icon={Database} title="No source yet" text="A pipeline starts at a source.">
          <Button asChild>
            <Link to="/sources/new">Add a source</Link>
          </Button>
        </EmptyState>
      </Card>
    )
  }
  return (
    <ChoiceList
      label="Source"
      kind="radio"
      icon={Database}
      choices={data.items.map(({ id, name, pg_host, pg_port, pg_database }) => ({
        id,
        name,
        detail: `${pg_host}:${pg_port}/${pg_database}`,
      }))}
      chosen={draft.sourceId === null ? [] : [draft.sourceId]}
      onChoose={(sourceId) => onDraft({ sourceId, picked: new Set() })}
    />
  )
}

export function DestinationsStep({ draft, onDraft }: StepProps) {
  const { data, error, refetch } = useQuery(destinationsQuery)
  if (error && !data)
    return (
      <ErrorPanel error={error} title="The destinations cannot be shown" onRetry={() => void refetch()} />
    )
  if (!data) return <RowsPending rows={2} />
  if (data.items.length === 0) {
    return (
      <Card>
        <EmptyState
          icon={HardDriveDownload}
          title="No destination yet"
          text="A pipeline writes to one or more destinations."
        >
          <Button asChild>
            <Link to="/destinations/new">Add a destination</Link>
          </Button>
        </EmptyState>
      </Card>
    )
  }
  const chosen = draft.destinationIds
  return (
    <ChoiceList
      label="Destinations"
      kind="checkbox"
      icon={HardDriveDownload}
      choices={data.items.map(({ id, name, type }) => ({
        id,
        name,
        detail: type === 'POSTGRESQL' ? 'PostgreSQL' : 'Snowflake',
      }))}
      chosen={chosen}
      onChoose={(id) =>
        onDraft({
          destinationIds: chosen.includes(id) ? chosen.filter((other) => other !== id) : [...chosen, id],
        })
      }
    />
  )
}

export function TablesStep({ draft, onDraft, sourceId }: StepProps & { sourceId: number }) {
  const { data, error, refetch } = useQuery(sourceTablesQuery(sourceId))
  if (error && !data)
    return <ErrorPanel error={error} title="The tables cannot be shown" onRetry={() => void refetch()} />
  if (!data) return <RowsPending rows={4} />
  const published = data.items.filter(({ in_publication }) => in_publication).length
  return (
    <div className="flex flex-col gap-4">
      <fieldset className="flex flex-col gap-2">
        <legend className="sr-only">Which tables</legend>
        {[
          {
            all: true,
            label: `Every table of the publication (${formatCount(published)} now), and those that join it later`,
          },
          { all: false, label: 'Only the tables that I choose' },
        ].map(({ all, label }) => (
          <label key={String(all)} className="flex items-center gap-3">
            <input
              type="radio"
              name="which"
              className="accent-primary size-4"
              checked={draft.allTables === all}
              onChange={() => onDraft({ allTables: all })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      {!draft.allTables && (
        <>
          <TablePicker tables={data.items} picked={draft.picked} onPick={(picked) => onDraft({ picked })} />
          <PresetBar
            sourceId={sourceId}
            tables={data.items}
            picked={draft.picked}
            onPick={(picked) => onDraft({ picked })}
          />
        </>
      )}
    </div>
  )
}

export function ReviewStep({
  draft,
  onDraft,
  sourceId,
  nameError,
}: StepProps & { sourceId: number; nameError?: string }) {
  const source = useQuery(sourcesQuery).data?.items.find(({ id }) => id === sourceId)
  const destinations = useQuery(destinationsQuery).data?.items ?? []
  const tables = chosenTables(draft, useQuery(sourceTablesQuery(sourceId)).data?.items ?? [])
  const unpublished = tables.filter(({ in_publication }) => !in_publication).length
  const facts = [
    ['From', source?.name ?? '–'],
    [
      'To',
      draft.destinationIds.map((id) => destinations.find((one) => one.id === id)?.name ?? '–').join(', '),
    ],
    [
      'Tables',
      `${plural(tables.length, 'table')}${draft.allTables ? ', and those that join the publication' : ''}`,
    ],
    ['First copy', formatBytes(tables.reduce((sum, { size_bytes }) => sum + size_bytes, 0))],
  ]
  return (
    <div className="flex flex-col gap-5">
      <Card className="gap-5 p-5">
        <Field label="Name of the pipeline" error={nameError}>
          <Input
            value={draft.name}
            maxLength={200}
            onChange={(event) => onDraft({ name: event.target.value })}
            autoComplete="off"
          />
        </Field>
        <dl className="grid gap-x-6 gap-y-3 sm:grid-cols-2">
          {facts.map(([name, value]) => (
            <div key={name}>
              <dt className="text-muted-foreground text-xs">{name}</dt>
              <dd className="font-medium break-words">{value}</dd>
            </div>
          ))}
        </dl>
        {unpublished > 0 && (
          <p className="text-muted-foreground">
            {plural(unpublished, 'table')} will be added to the publication.
          </p>
        )}
      </Card>
      <SourcePreflight sourceId={sourceId} />
    </div>
  )
}
