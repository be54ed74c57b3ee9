import { Check, ChevronDown } from 'lucide-react'
import { Select as Primitive } from 'radix-ui'
import type { ComponentProps } from 'react'
import { cn } from '@/lib/cn'

interface SelectOption {
  value: string
  label: string
}

interface SelectProps extends Pick<ComponentProps<'button'>, 'id' | 'className' | 'disabled'> {
  value: string
  onValueChange: (value: string) => void
  options: readonly SelectOption[]
  placeholder?: string
  'aria-label'?: string
  'aria-invalid'?: boolean
  'aria-describedby'?: string
}

/** One of a few values. */
export function Select({
  value,
  onValueChange,
  options,
  placeholder,
  className,
  disabled,
  ...props
}: SelectProps) {
  return (
    <Primitive.Root value={value} onValueChange={onValueChange} disabled={disabled}>
      <Primitive.Trigger
        className={cn(
          'border-input bg-card flex h-9 w-full items-center justify-between gap-2 rounded-md border px-3 text-sm whitespace-nowrap shadow-xs outline-none',
          'focus-visible:border-ring focus-visible:ring-ring/40 data-placeholder:text-muted-foreground focus-visible:ring-2 disabled:opacity-50 [&>span]:truncate',
          className,
        )}
        {...props}
      >
        <Primitive.Value placeholder={placeholder} />
        <Primitive.Icon asChild>
          <ChevronDown className="text-muted-foreground size-4 shrink-0" />
        </Primitive.Icon>
      </Primitive.Trigger>
      <Primitive.Portal>
        <Primitive.Content
          position="popper"
          sideOffset={4}
          className="bg-popover text-popover-foreground data-[state=open]:animate-in data-[state=open]:fade-in-0 data-[state=open]:zoom-in-95 z-50 max-h-(--radix-select-content-available-height) min-w-(--radix-select-trigger-width) overflow-hidden rounded-md border shadow-md"
        >
          <Primitive.Viewport className="p-1">
            {options.map((option) => (
              <Primitive.Item
                key={option.value}
                value={option.value}
                className="focus:bg-accent focus:text-accent-foreground relative flex items-center rounded-sm py-1.5 ps-2 pe-8 text-sm outline-none select-none"
              >
                <Primitive.ItemText>{option.label}</Primitive.ItemText>
                <Primitive.ItemIndicator className="absolute end-2">
                  <Check className="size-4" />
                </Primitive.ItemIndicator>
              </Primitive.Item>
            ))}
          </Primitive.Viewport>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  )
}
