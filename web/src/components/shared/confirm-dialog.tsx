import { type ReactNode, useState } from 'react'
import { Button } from '@/components/ui/button'
import { Dialog, DialogClose, DialogContent, DialogFooter } from '@/components/ui/dialog'
import { Input } from '@/components/ui/input'
import { ErrorPanel } from './error-panel'
import { Field } from './field'

interface ConfirmDialogProps {
  open: boolean
  onOpenChange: (open: boolean) => void
  title: string
  /** What will happen, and what will not. */
  children: ReactNode
  action: string
  /** When given, it must be typed before the button works. */
  typed?: string
  destructive?: boolean
  pending: boolean
  error: unknown
  onConfirm: () => void
}

export function ConfirmDialog(props: ConfirmDialogProps) {
  const {
    open,
    onOpenChange,
    title,
    children,
    action,
    typed,
    destructive = true,
    pending,
    error,
    onConfirm,
  } = props
  const [text, setText] = useState('')
  const ready = typed === undefined || text === typed
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setText('')
        onOpenChange(next)
      }}
    >
      <DialogContent title={title}>
        <form
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault()
            if (ready) onConfirm()
          }}
        >
          <div className="flex flex-col gap-2">{children}</div>
          {typed !== undefined && (
            <Field label={`Type ${typed} to confirm`}>
              <Input
                value={text}
                onChange={(event) => setText(event.target.value)}
                autoComplete="off"
                spellCheck={false}
              />
            </Field>
          )}
          {error != null && <ErrorPanel error={error} title="This was not done" />}
          <DialogFooter>
            <DialogClose asChild>
              <Button variant="outline">Cancel</Button>
            </DialogClose>
            <Button
              type="submit"
              variant={destructive ? 'destructive' : 'default'}
              disabled={!ready}
              pending={pending}
            >
              {action}
            </Button>
          </DialogFooter>
        </form>
      </DialogContent>
    </Dialog>
  )
}
