import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { PageHeader } from '@/components/shared/page-header'
import { Steps } from '@/components/shared/steps'
import { Button } from '@/components/ui/button'
import { createSource } from '@/repo/sources'
import type { Source } from '@/repo/types'
import { SourceForm } from '../components/source-form'
import { SourcePreflight } from '@/components/shared/source-preflight'
import { EMPTY_SOURCE } from '../data/source-form'

const STEPS = ['Connect', 'Check'] as const

export function NewSourcePage() {
  const [source, setSource] = useState<Source | null>(null)
  const creating = useMutation({ ...createSource, onSuccess: setSource })
  return (
    <div className="mx-auto flex w-full max-w-3xl flex-col gap-5">
      <PageHeader
        title={source ? `Check ${source.name}` : 'Add a source'}
        description="A PostgreSQL database whose changes are replicated."
      />
      <Steps names={STEPS} current={source ? 1 : 0} />
      {source ? (
        <>
          <SourcePreflight sourceId={source.id} />
          <div className="flex flex-wrap justify-end gap-2">
            <Button asChild variant="outline">
              <Link to="/sources/$sourceId" params={{ sourceId: String(source.id) }}>
                Open the source
              </Link>
            </Button>
            <Button asChild>
              <Link to="/pipelines/new" search={{ source: source.id }}>
                Create a pipeline
              </Link>
            </Button>
          </div>
        </>
      ) : (
        <SourceForm
          initial={EMPTY_SOURCE}
          action="Save and check"
          pending={creating.isPending}
          error={creating.error}
          onSave={(values, onError) => creating.mutate(values, { onError })}
        />
      )}
    </div>
  )
}
