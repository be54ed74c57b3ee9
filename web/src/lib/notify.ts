import { toast } from 'sonner'
import { asApiError } from '@/repo/api-error'

export const told = (message: string) => toast.success(message)

/** Says that something was not done, why, and what mends it. */
export function toldError(title: string, error: unknown): void {
  const { message, remedy, code } = asApiError(error)
  toast.error(title, {
    description: [message, remedy, `(${code})`].filter(Boolean).join(' '),
    duration: 12_000,
  })
}
