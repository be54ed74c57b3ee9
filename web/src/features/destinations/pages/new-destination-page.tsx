import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Database, Snowflake } from 'lucide-react'
import { useState } from 'react'
import { PageHeader } from '@/components/shared/page-header'
import { Steps } from '@/components/shared/steps'
import { Button } from '@/components/ui/button'
import { cn } from '@/lib/cn'
import type { ApiError } from '@/repo/api-error'
import { createDestination } from '@/repo/destinations'
import type { Destination, DestinationBody, DestinationType } from '@/repo/types'
import { DestinationPreflight } from '../components/destination-preflight'
import { PostgresForm } from '../components/postgres-form'
import { SnowflakeForm } from '../components/snowflake-form'

const STEPS = ['Connect', 'Check'] as const
const KINDS = [
  { type: 'POSTGRESQL', label: 'PostgreSQL', text: 'A database of your own', icon: Database },
  { type: 'SNOWFLAKE', label: 'Snowflake', text: 'With a key pair', icon: Snowflake },
] as const

export function NewDestinationPage() {
  const [type, setType] = useState<DestinationType>('POSTGRESQL')
  const [destination, setDestination] = useState<Destination | null>(null)
  const creating = useMutation({ ...createDestination, onSuccess: setDestination })
  const form = {
    action: 'Save and check',
    pending: creating.isPending,
    error: creating.error,
    onSave: (body: DestinationBody, onError: (error: ApiError) => void) => creating.mutate(body, { onError }),
  }
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-5">
      <PageHeader
        title={destination ? `Check ${destination.name}` : 'Add a destination'}
        description="Where replicated rows are written."
      />
      <Steps names={STEPS} current={destination ? 1 : 0} />
      {destination ? (
        <>
          <DestinationPreflight destinationId={destination.id} />
          <div className="flex flex-wrap justify-end gap-2">
            <Button asChild variant="outline">
              <Link to="/destinations/$destinationId" params={{ destinationId: String(destination.id) }}>
                Open the destination
              </Link>
            </Button>
            <Button asChild>
              <Link to="/pipelines/new">Create a pipeline</Link>
            </Button>
          </div>
        </>
      ) : (
        <>
          <div role="group" aria-label="Kind of destination" className="grid grid-cols-2 gap-3">
            {KINDS.map((kind) => (
              <button
                key={kind.type}
                type="button"
                aria-pressed={kind.type === type}
                onClick={() => setType(kind.type)}
                className={cn(
                  'bg-card hover:border-ring focus-visible:ring-ring flex items-center gap-3 rounded-lg border p-4 text-start shadow-xs outline-none focus-visible:ring-2',
                  kind.type === type && 'border-primary ring-primary/30 ring-1',
                )}
              >
                <kind.icon
                  className={cn(
                    'size-5 shrink-0',
                    kind.type === type ? 'text-primary' : 'text-muted-foreground',
                  )}
                  aria-hidden
                />
                <span className="flex flex-col">
                  <span className="font-semibold">{kind.label}</span>
                  <span className="text-muted-foreground text-xs">{kind.text}</span>
                </span>
              </button>
            ))}
          </div>
          {type === 'POSTGRESQL' ? <PostgresForm {...form} /> : <SnowflakeForm {...form} />}
        </>
      )}
    </div>
  )
}
