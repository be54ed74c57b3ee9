import { CodeBlock } from '@/components/shared/code-block'
import { Button } from '@/components/ui/button'
import { Dialog, DialogClose, DialogContent, DialogFooter } from '@/components/ui/dialog'

interface ShownOnceProps {
  title: string
  description: string
  text: string
  onClose: () => void
}

/** A secret that can be read now and never again. */
export function ShownOnce({ title, description, text, onClose }: ShownOnceProps) {
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogContent title={title} description={description}>
        <CodeBlock code={text} />
        <DialogFooter>
          <DialogClose asChild>
            <Button>I have it</Button>
          </DialogClose>
        </DialogFooter>
      </DialogContent>
    </Dialog>
  )
}
