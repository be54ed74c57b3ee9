import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Button } from '@/components/ui/button'
import { Checkbox } from '@/components/ui/checkbox'
import { Dialog, DialogClose, DialogContent, DialogFooter } from '@/components/ui/dialog'
import { Input } from '@/components/ui/input'
import { told } from '@/lib/notify'
import { createTag, tagTable, tagsQuery } from '@/repo/tags'
import type { TableRow } from '../data/pipeline-facts'

interface TagsDialogProps {
  pipelineId: number
  row: TableRow
  onClose: () => void
}

/** Which tags a table has, and new ones. */
export function TagsDialog({ pipelineId, row, onClose }: TagsDialogProps) {
  const known = useQuery(tagsQuery)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(row.tags))
  const [name, setName] = useState('')
  const toggle = (tag: string) => {
    const next = new Set(chosen)
    if (!next.delete(tag)) next.add(tag)
    setChosen(next)
  }
  const creating = useMutation({
    ...createTag,
    onSuccess: (tag) => {
      setName('')
      setChosen((before) => new Set(before).add(tag.name))
    },
  })
  const saving = useMutation({
    ...tagTable,
    onSuccess: () => {
      told(`The tags of ${row.source} were saved.`)
      onClose()
    },
  })
  const add = (event: FormEvent) => {
    event.preventDefault()
    if (name.trim()) creating.mutate(name.trim())
  }
  const names = [...new Set([...(known.data?.items.map((tag) => tag.name) ?? []), ...chosen])].sort()
  const error = known.error ?? creating.error ?? saving.error
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogContent
        title={`Tags of ${row.source}`}
        description={`At ${row.destinationName}. Tables are found and grouped by their tags.`}
      >
        {names.length > 0 && (
          <ul className="flex max-h-60 flex-col gap-2 overflow-y-auto">
            {names.map((tag, place) => (
              <li key={tag} className="flex items-center gap-2">
                <Checkbox id={`tag-${place}`} checked={chosen.has(tag)} onCheckedChange={() => toggle(tag)} />
                <label htmlFor={`tag-${place}`} className="min-w-0 break-words">
                  {tag}
                </label>
              </li>
            ))}
          </ul>
        )}
        <form onSubmit={add} className="flex gap-2">
          <Input
            aria-label="New tag"
            placeholder="New tag"
            value={name}
            maxLength={200}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit" variant="outline" disabled={!name.trim()} pending={creating.isPending}>
            Add
          </Button>
        </form>
        {error && <ErrorPanel error={error} title="The tags were not saved" />}
        <DialogFooter>
          <DialogClose asChild>
            <Button variant="outline">Cancel</Button>
          </DialogClose>
          <Button
            pending={saving.isPending}
            onClick={() =>
              saving.mutate({
                pipelineId,
                destinationId: row.destinationId,
                syncId: row.id,
                tags: [...chosen].sort(),
              })
            }
          >
            Save
          </Button>
        </DialogFooter>
      </DialogContent>
    </Dialog>
  )
}
