import { X } from 'lucide-react'
import { Dialog as Primitive } from 'radix-ui'
import type { ComponentProps, ReactNode } from 'react'
import { cn } from '@/lib/cn'

export const Dialog = Primitive.Root
export const DialogClose = Primitive.Close

const overlay =
  'data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=closed]:animate-out data-[state=closed]:fade-out-0 fixed inset-0 z-50 bg-black/50'

interface ContentProps extends Omit<ComponentProps<typeof Primitive.Content>, 'title'> {
  title: ReactNode
  description?: ReactNode
}

function Heading({ title, description }: Pick<ContentProps, 'title' | 'description'>) {
  return (
    <div className="flex flex-col gap-1.5 pe-8">
      <Primitive.Title className="text-base leading-snug font-semibold">{title}</Primitive.Title>
      {description && (
        <Primitive.Description className="text-muted-foreground text-sm">{description}</Primitive.Description>
      )}
    </div>
  )
}

function CloseButton() {
  return (
    <Primitive.Close className="text-muted-foreground hover:bg-accent hover:text-foreground focus-visible:ring-ring absolute end-3 top-3 rounded-sm p-1.5 outline-none focus-visible:ring-2">
      <X className="size-4" aria-hidden />
      <span className="sr-only">Close</span>
    </Primitive.Close>
  )
}

export function DialogContent({ title, description, className, children, ...props }: ContentProps) {
  return (
    <Primitive.Portal>
      <Primitive.Overlay className={overlay} />
      <Primitive.Content
        className={cn(
          'bg-popover text-popover-foreground data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-95 data-[state=closed]:animate-out data-[state=closed]:fade-out-0 fixed top-1/2 left-1/2 z-50 flex max-h-[calc(100dvh-2rem)] w-[calc(100%-2rem)] max-w-lg -translate-x-1/2 -translate-y-1/2 flex-col gap-4 overflow-y-auto rounded-lg border p-6 shadow-lg outline-none',
          className,
        )}
        {...(description ? {} : { 'aria-describedby': undefined })}
        {...props}
      >
        <Heading title={title} description={description} />
        {children}
        <CloseButton />
      </Primitive.Content>
    </Primitive.Portal>
  )
}

export function DialogFooter({ className, ...props }: ComponentProps<'div'>) {
  return (
    <div className={cn('flex flex-col-reverse gap-2 sm:flex-row sm:justify-end', className)} {...props} />
  )
}

/** A drawer from the side, for one thing out of a list. */
export function SheetContent({
  title,
  description,
  className,
  children,
  side = 'end',
  ...props
}: ContentProps & { side?: 'start' | 'end' }) {
  return (
    <Primitive.Portal>
      <Primitive.Overlay className={overlay} />
      <Primitive.Content
        className={cn(
          'bg-popover text-popover-foreground data-[state=open]:animate-in data-[state=closed]:animate-out fixed inset-y-0 z-50 flex w-full flex-col shadow-xl outline-none duration-200',
          side === 'end'
            ? 'data-[state=open]:slide-in-from-right data-[state=closed]:slide-out-to-right end-0 max-w-2xl border-s'
            : 'data-[state=open]:slide-in-from-left data-[state=closed]:slide-out-to-left start-0 max-w-64 border-e',
          className,
        )}
        {...(description ? {} : { 'aria-describedby': undefined })}
        {...props}
      >
        <div className="border-b px-5 py-4">
          <Heading title={title} description={description} />
        </div>
        <div className="min-h-0 flex-1 overflow-y-auto">{children}</div>
        <CloseButton />
      </Primitive.Content>
    </Primitive.Portal>
  )
}
