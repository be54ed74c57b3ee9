import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Command } from 'cmdk'
import { Database, HardDriveDownload, Moon, Plus, Sun, Workflow } from 'lucide-react'
import type { ReactNode } from 'react'
import { setTheme, useTheme } from '@/lib/theme'
import { useCan } from '@/lib/use-role'
import { destinationsQuery } from '@/repo/destinations'
import { pipelinesQuery } from '@/repo/pipelines'
import { sourcesQuery } from '@/repo/sources'
import { PLACES } from './navigation'

const item =
  'data-[selected=true]:bg-accent data-[selected=true]:text-accent-foreground flex items-center gap-2.5 rounded-sm px-2.5 py-2 text-sm [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:text-muted-foreground'
const heading =
  '[&_[cmdk-group-heading]]:text-muted-foreground [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:font-medium'

export default function CommandPalette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const { dark } = useTheme()
  const mayChange = useCan('operator')
  const pipelines = useQuery(pipelinesQuery()).data?.items ?? []
  const sources = useQuery(sourcesQuery).data?.items ?? []
  const destinations = useQuery(destinationsQuery).data?.items ?? []
  const pick = (act: () => unknown) => () => {
    onClose()
    act()
  }
  const entry = (key: string, icon: ReactNode, label: string, act: () => unknown) => (
    <Command.Item key={key} value={`${key} ${label}`} onSelect={pick(act)} className={item}>
      {icon}
      <span className="truncate">{label}</span>
    </Command.Item>
  )
  return (
    <Command.Dialog
      open
      onOpenChange={onClose}
      label="Search or jump to"
      overlayClassName="fixed inset-0 z-50 bg-black/50"
      contentClassName="bg-popover text-popover-foreground fixed top-[12vh] left-1/2 z-50 w-[calc(100%-2rem)] max-w-xl -translate-x-1/2 overflow-hidden rounded-lg border shadow-xl"
    >
      <Command.Input
        autoFocus
        placeholder="Search or jump to…"
        className="placeholder:text-muted-foreground h-12 w-full border-b bg-transparent px-4 text-sm outline-none max-sm:text-base"
      />
      <Command.List className="max-h-[min(60vh,26rem)] overflow-y-auto p-2">
        <Command.Empty className="text-muted-foreground px-3 py-8 text-center">
          Nothing is called like that.
        </Command.Empty>
        <Command.Group heading="Go to" className={heading}>
          {PLACES.map(({ to, label, icon: Icon }) =>
            entry(`page ${to}`, <Icon />, label, () => navigate({ to })),
          )}
        </Command.Group>
        {pipelines.length > 0 && (
          <Command.Group heading="Pipelines" className={heading}>
            {pipelines.map(({ id, name }) =>
              entry(`pipeline ${id}`, <Workflow />, name, () =>
                navigate({ to: '/pipelines/$pipelineId', params: { pipelineId: String(id) } }),
              ),
            )}
          </Command.Group>
        )}
        {sources.length > 0 && (
          <Command.Group heading="Sources" className={heading}>
            {sources.map(({ id, name }) =>
              entry(`source ${id}`, <Database />, name, () =>
                navigate({ to: '/sources/$sourceId', params: { sourceId: String(id) } }),
              ),
            )}
          </Command.Group>
        )}
        {destinations.length > 0 && (
          <Command.Group heading="Destinations" className={heading}>
            {destinations.map(({ id, name }) =>
              entry(`destination ${id}`, <HardDriveDownload />, name, () =>
                navigate({ to: '/destinations/$destinationId', params: { destinationId: String(id) } }),
              ),
            )}
          </Command.Group>
        )}
        <Command.Group heading="Do" className={heading}>
          {mayChange && entry('new source', <Plus />, 'Add a source', () => navigate({ to: '/sources/new' }))}
          {mayChange &&
            entry('new destination', <Plus />, 'Add a destination', () =>
              navigate({ to: '/destinations/new' }),
            )}
          {mayChange &&
            entry('new pipeline', <Plus />, 'Create a pipeline', () => navigate({ to: '/pipelines/new' }))}
          {entry('theme', dark ? <Sun /> : <Moon />, dark ? 'Light theme' : 'Dark theme', () =>
            setTheme(dark ? 'light' : 'dark'),
          )}
        </Command.Group>
      </Command.List>
    </Command.Dialog>
  )
}
