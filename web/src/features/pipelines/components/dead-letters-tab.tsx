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
import { CAUSES, type ParkedSearch, filterOf } from '../data/parked-groups'
import { DiscardDialog } from './discard-dialog'
import { ParkedGroups } from './parked-groups'
import { ParkedTable } from './parked-table'
import { RecordInspector } from './record-inspector'

const PAGE = 50
const CLASSES = [
  { value: 'all', label: 'Every cause' },
  ...Object.entries(CAUSES).map(([value, label]) => ({ value, label })),
]

/** What is parked for one destination: look at it, mend it, try it again, or give it up. */
export default function DeadLettersTab({ pipeline }: { pipeline: Pipeline }) {
  const mayChange = useCan('operator')
  const navigate = useNavigate()
  const { destination: asked, cause, schema, table, code } = useSearch({ strict: false })
  const search: ParkedSearch = { cause, schema, table, code }
  const lanes = pipeline.destinations
  // Decided once: the queue does not change beneath a reader when the last record of it is mended.
  const [first] = useState(() => lanes.find(({ parked_changes }) => parked_changes > 0)?.destination_id)
  const lane =
    lanes.find(({ destination_id }) => destination_id === asked) ??
    lanes.find(({ destination_id }) => destination_id === first) ??
    lanes[0]
  const [offset, setOffset] = useState(0)
  const [picked, setPicked] = useState<ReadonlySet<number>>(new Set())
  const [inspected, setInspected] = useState<number | null>(null)
  const [discarding, setDiscarding] = useState(false)
  const at = { pipelineId: pipeline.id, destinationId: lane?.destination_id ?? 0 }
  const filter = filterOf(search)
  const narrowed = Object.values(search).some(Boolean)
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
  const selection: Selection = picked.size > 0 ? { ids: [...picked] } : narrowed ? { filter } : { all: true }
  const total = data?.total ?? 0
  const described =
    picked.size > 0
      ? `${plural(picked.size, 'picked record')}`
      : narrowed
        ? `${plural(total, 'record')} of this ${table ? 'group' : 'cause'}`
        : total === 1
          ? 'the record'
          : `all ${plural(total, 'record')}`
  const show = (wanted: ParkedSearch, destination = lane.destination_id) => {
    setPicked(new Set())
    setOffset(0)
    void navigate({
      to: '.',
      search: (old) => ({
        ...old,
        destination,
        cause: wanted.cause,
        schema: wanted.schema,
        table: wanted.table,
        code: wanted.code,
      }),
      replace: true,
    })
  }
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        <Select
          aria-label="Destination"
          className="w-48"
          value={String(lane.destination_id)}
          onValueChange={(id) => show({ cause }, Number(id))}
          options={lanes.map(({ destination }) => ({
            value: String(destination.id),
            label: destination.name,
          }))}
        />
        <Select
          aria-label="Cause"
          className="w-48"
          value={cause ?? 'all'}
          onValueChange={(next) => show({ cause: next === 'all' ? undefined : (next as ErrorClass) })}
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
      <ParkedGroups lane={at} search={search} paused={inspected !== null} onChoose={show} />
      <Card>
        <Loaded query={query} title="The queue cannot be shown">
          {(data) =>
            data.items.length > 0 ? (
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
            ) : narrowed ? (
              <EmptyState icon={Inbox} title="Nothing fits" text="Nothing that is parked now is like that.">
                <Button variant="outline" onClick={() => show({})}>
                  Show all
                </Button>
              </EmptyState>
            ) : (
              <EmptyState
                icon={Inbox}
                title="Nothing is parked"
                text={`Every change that ${lane.destination.name} should have is there, or on its way.`}
              />
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
