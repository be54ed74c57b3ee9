import { CircleAlert, CircleCheck } from 'lucide-react'
import type { CSSProperties } from 'react'
import { Toaster as Sonner } from 'sonner'
import { useTheme } from '@/lib/theme'

/** Our colours: those of the library are too pale to be read by everybody. */
const LOOKS = {
  '--normal-bg': 'var(--popover)',
  '--normal-text': 'var(--popover-foreground)',
  '--normal-border': 'var(--border)',
  // Beside the pages' own buttons, not over them.
  '--width': '20rem',
} as CSSProperties

export function Toaster() {
  const { dark } = useTheme()
  return (
    <Sonner
      theme={dark ? 'dark' : 'light'}
      position="bottom-left"
      closeButton
      style={LOOKS}
      icons={{
        success: <CircleCheck className="text-success size-4" />,
        error: <CircleAlert className="text-destructive size-4" />,
      }}
      toastOptions={{ classNames: { description: '!text-muted-foreground' } }}
    />
  )
}
