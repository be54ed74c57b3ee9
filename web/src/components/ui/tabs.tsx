import { Tabs as Primitive } from 'radix-ui'
import { type ComponentProps, useEffect, useRef } from 'react'
import { cn } from '@/lib/cn'

export const Tabs = Primitive.Root

export function TabsList({ className, ...props }: ComponentProps<typeof Primitive.List>) {
  const frame = useRef<HTMLDivElement>(null)
  // On a phone the tab of a deep link may lie beyond the edge.
  useEffect(() => {
    const list = frame.current
    const active = list?.querySelector<HTMLElement>('[data-state=active]')
    if (list && active) list.scrollLeft = active.offsetLeft - (list.clientWidth - active.offsetWidth) / 2
  }, [])
  return (
    <div ref={frame} className="relative -mx-4 overflow-x-auto px-4 [scrollbar-width:none] sm:mx-0 sm:px-0">
      <Primitive.List className={cn('flex min-w-max gap-1 border-b', className)} {...props} />
    </div>
  )
}

export function TabsTrigger({ className, ...props }: ComponentProps<typeof Primitive.Trigger>) {
  return (
    <Primitive.Trigger
      className={cn(
        'text-muted-foreground hover:text-foreground data-[state=active]:border-primary data-[state=active]:text-foreground focus-visible:ring-ring -mb-px inline-flex h-10 items-center gap-2 rounded-t-sm border-b-2 border-transparent px-3 text-sm font-medium whitespace-nowrap outline-none focus-visible:ring-2 focus-visible:ring-inset',
        className,
      )}
      {...props}
    />
  )
}

export function TabsContent({ className, ...props }: ComponentProps<typeof Primitive.Content>) {
  return (
    <Primitive.Content
      className={cn('focus-visible:ring-ring rounded-sm pt-5 outline-none focus-visible:ring-2', className)}
      {...props}
    />
  )
}
