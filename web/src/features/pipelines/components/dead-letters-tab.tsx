import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Inbox, RotateCcw, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Pagination } from '@/components/shared/pagination'
import { UpdatedAgo } from '@/components/shared/updated-ago'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Select } from '@/components/ui/select'
import { plural } from '@/lib/format'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { type Selection, parkedQuery, recoverParked } from '@/repo/dead-letters'
import type { ErrorClass, Pipeline } from '@/repo/types'
import { DiscardDialog } from './discard-dialog'
import { ParkedTable } from './parked-table'
import { RecordInspector } from './record-inspector'

const PAGE = 50
const CLASSES = [
  { value: 'all', label: 'Every cause' },
  { value: 'DATA', label: 'Refused by the target' },
  { value: 'OUTAGE', label: 'Target was away' },
]

/** What is parked for one destination: look at it, mend it, try it again, or give it up. */
export default function DeadLettersTab({ pipeline }: { pipeline: Pipeline }) {
  const mayChange = useCan('operator')
  const navigate = useNavigate()
  const asked = useSearch({ strict: false }).destination
  const lanes = pipeline.destinations
  // Decided once: the queue does not change beneath a reader when the last record of it is mended.
  const [first] = useState(() => lanes.find(({ parked_changes }) => parked_changes > 0)?.destination_id)
  const lane =
    lanes.find(({ destination_id }) => destination_id === asked) ??
    lanes.find(({ destination_id }) => destination_id === first) ??
    lanes[0]
  const [cause, setCause] = useState('all')
  const [offset, setOffset] = useState(0)
  const [picked, setPicked] = useState<ReadonlySet<number>>(new Set())
  const [inspected, setInspected] = useState<number | null>(null)
  const [discarding, setDiscarding] = useState(false)
  const at = { pipelineId: pipeline.id, destinationId: lane?.destination_id ?? 0 }
  const filter = cause === 'all' ? {} : { error_class: cause as ErrorClass }
  const query = useQuery({
    ...parkedQuery(at, { ...filter, limit: PAGE, offset, sort: '-id' }, inspected !== null),
    enabled: lane !== undefined,
  })
  const { data, dataUpdatedAt } = query
  const recovering = useMutation({
    ...recoverParked,
    onSuccess: ({ asked: records, complete, warnings }) => {
      told(
        `${plural(records, 'record')} will be tried again now.${complete ? '' : ' There are more: ask again.'}`,
      )
      for (const warning of warnings) told(warning)
      setPicked(new Set())
    },
    onError: (failure) => toldError('Nothing was asked for', failure),
  })
  if (!lane) {
    return (
      <Card>
        <EmptyState
          icon={Inbox}
          title="No destination yet"
          text="Changes are parked for a destination that is away or refuses them."
        />
      </Card>
    )
  }
  const selection: Selection =
    picked.size > 0 ? { ids: [...picked] } : cause === 'all' ? { all: true } : { filter }
  const total = data?.total ?? 0
  const described =
    picked.size > 0
      ? `${plural(picked.size, 'picked record')}`
      : cause === 'all'
        ? total === 1
          ? 'the record'
          : `all ${plural(total, 'record')}`
        : `${plural(total, 'record')} of this cause`
  const move = (next: () => void) => {
    setPicked(new Set())
    setOffset(0)
    next()
  }
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <Select
          aria-label="Destination"
          className="w-48"
          value={String(lane.destination_id)}
          onValueChange={(id) =>
            move(
              () =>
                void navigate({
                  to: '.',
                  search: (old) => ({ ...old, destination: Number(id) }),
                  replace: true,
                }),
            )
          }
          options={lanes.map(({ destination }) => ({
            value: String(destination.id),
            label: destination.name,
          }))}
        />
        <Select
          aria-label="Cause"
          className="w-48"
          value={cause}
          onValueChange={(next) => move(() => setCause(next))}
          options={CLASSES}
        />
        <UpdatedAgo at={dataUpdatedAt} />
        {mayChange && total > 0 && (
          <div className="flex flex-wrap gap-2 sm:ms-auto">
            <Button
              size="sm"
              variant="outline"
              pending={recovering.isPending}
              onClick={() => recovering.mutate({ lane: at, selection })}
            >
              {!recovering.isPending && <RotateCcw aria-hidden />} Retry {described}
            </Button>
            <Button
              size="sm"
              variant="outline"
              className="text-destructive"
              onClick={() => setDiscarding(true)}
            >
              <Trash2 aria-hidden /> Discard…
            </Button>
          </div>
        )}
      </div>
      <Card>
        <Loaded query={query} title="The queue cannot be shown">
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState
                icon={Inbox}
                title="Nothing is parked"
                text={`Every change that ${lane.destination.name} should have is there, or on its way.`}
              />
            ) : (
              <>
                <ParkedTable
                  records={data.items}
                  picked={picked}
                  onPick={setPicked}
                  onInspect={setInspected}
                />
                <Pagination
                  offset={offset}
                  limit={PAGE}
                  total={total}
                  onOffset={(next) => {
                    setPicked(new Set())
                    setOffset(next)
                  }}
                />
              </>
            )
          }
        </Loaded>
      </Card>
      <RecordInspector lane={at} id={inspected} onClose={() => setInspected(null)} />
      {discarding && (
        <DiscardDialog
          lane={at}
          selection={selection}
          described={described}
          onClose={() => (setDiscarding(false), setPicked(new Set()))}
        />
      )}
    </div>
  )
}
