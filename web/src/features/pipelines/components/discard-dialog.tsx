import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Field } from '@/components/shared/field'
import { Button } from '@/components/ui/button'
import { Dialog, DialogClose, DialogContent, DialogFooter } from '@/components/ui/dialog'
import { Textarea } from '@/components/ui/input'
import { plural } from '@/lib/format'
import { told } from '@/lib/notify'
import { type Lane, type Selection, discardParked } from '@/repo/dead-letters'

interface DiscardDialogProps {
  lane: Lane
  selection: Selection
  /** Which records are meant, in words. */
  described: string
  onClose: () => void
}

export function DiscardDialog({ lane, selection, described, onClose }: DiscardDialogProps) {
  const [reason, setReason] = useState('')
  const discarding = useMutation({
    ...discardParked,
    onSuccess: ({ discarded, complete }) => {
      told(`${plural(discarded, 'record')} discarded.${complete ? '' : ' There are more: discard again.'}`)
      onClose()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (reason.trim()) discarding.mutate({ lane, selection, reason: reason.trim() })
  }
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogContent
        title={`Discard ${described}?`}
        description="These changes never reach the destination. This cannot be undone; the audit log keeps who did it and why."
      >
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Field label="Reason">
            <Textarea
              value={reason}
              onChange={(event) => setReason(event.target.value)}
              maxLength={1000}
              required
            />
          </Field>
          {discarding.isError && <ErrorPanel error={discarding.error} title="Nothing was discarded" />}
          <DialogFooter>
            <DialogClose asChild>
              <Button variant="outline">Cancel</Button>
            </DialogClose>
            <Button
              type="submit"
              variant="destructive"
              disabled={!reason.trim()}
              pending={discarding.isPending}
            >
              Discard {described}
            </Button>
          </DialogFooter>
        </form>
      </DialogContent>
    </Dialog>
  )
}
