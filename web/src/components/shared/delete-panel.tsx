import { type ReactNode, useState } from 'react'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { ConfirmDialog } from './confirm-dialog'

interface DeletePanelProps {
  what: 'source' | 'destination'
  name: string
  children: ReactNode
  pending: boolean
  error: unknown
  onDelete: () => void
}

/** The danger zone of what can be deleted once nothing uses it. */
export function DeletePanel({ what, name, children, pending, error, onDelete }: DeletePanelProps) {
  const [asking, setAsking] = useState(false)
  return (
    <Card className="border-destructive/40 max-w-2xl">
      <CardHeader>
        <CardTitle className="text-destructive">Danger zone</CardTitle>
      </CardHeader>
      <CardContent className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-muted-foreground max-w-md">{children}</p>
        <Button variant="destructive" onClick={() => setAsking(true)}>
          Delete…
        </Button>
      </CardContent>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete ${name}?`}
        action={`Delete the ${what}`}
        typed={name}
        pending={pending}
        error={error}
        onConfirm={onDelete}
      >
        <p>{children}</p>
      </ConfirmDialog>
    </Card>
  )
}
