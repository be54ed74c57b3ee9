import { type UseMutationOptions, useMutation } from '@tanstack/react-query'
import { PlugZap } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { told, toldError } from '@/lib/notify'
import type { ApiError } from '@/repo/api-error'
import type { Connection } from '@/repo/types'

/** Tests what is saved, and says how it went. */
export function TestButton<Answer extends Connection>({
  id,
  options,
}: {
  id: number
  options: UseMutationOptions<Answer, ApiError, number>
}) {
  const testing = useMutation({
    ...options,
    onSuccess: ({ message }) => told(message),
    onError: (error) => toldError('The connection failed', error),
  })
  return (
    <Button size="sm" variant="outline" pending={testing.isPending} onClick={() => testing.mutate(id)}>
      {!testing.isPending && <PlugZap aria-hidden />} Test the connection
    </Button>
  )
}
