import type { ComponentProps } from 'react'
import { cn } from '@/lib/cn'

const style =
  'border-input bg-card placeholder:text-muted-foreground w-full min-w-0 rounded-md border px-3 text-sm shadow-xs transition-[color,box-shadow] outline-none focus-visible:border-ring focus-visible:ring-2 focus-visible:ring-ring/40 disabled:cursor-not-allowed disabled:opacity-50 aria-invalid:border-destructive aria-invalid:ring-destructive/25 max-sm:text-base'

export function Input({ className, type, ...props }: ComponentProps<'input'>) {
  return <input type={type} className={cn(style, 'h-9', className)} {...props} />
}

export function Textarea({ className, ...props }: ComponentProps<'textarea'>) {
  return <textarea className={cn(style, 'min-h-16 py-2', className)} {...props} />
}
