import { Toaster as Sonner } from 'sonner'
import { useTheme } from '@/lib/theme'

export function Toaster() {
  const { dark } = useTheme()
  return <Sonner theme={dark ? 'dark' : 'light'} position="bottom-right" richColors closeButton />
}
