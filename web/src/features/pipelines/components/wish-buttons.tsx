import { useMutation } from '@tanstack/react-query'
import { Pause, Play, RotateCw } from 'lucide-react'
import { Button } from '@/components/ui/button'
import { told, toldError } from '@/lib/notify'
import { useCan } from '@/lib/use-role'
import { type PipelineWish, wishPipeline } from '@/repo/pipelines'
import type { Pipeline } from '@/repo/types'

const SAID: Record<PipelineWish, string> = {
  start: 'is asked to run',
  pause: 'is asked to pause; its slot stays, and the source keeps its WAL',
  refresh: 'is restarted',
}

export function WishButtons({ pipeline }: { pipeline: Pipeline }) {
  const mayChange = useCan('operator')
  const wishing = useMutation({
    ...wishPipeline,
    onSuccess: (_, { wish }) => told(`${pipeline.name} ${SAID[wish]}.`),
    onError: (error) => toldError(`${pipeline.name} was not changed`, error),
  })
  if (!mayChange) return null
  const ask = (wish: PipelineWish) => wishing.mutate({ id: pipeline.id, wish })
  const asked = wishing.isPending ? wishing.variables.wish : null
  return (
    <>
      {pipeline.status === 'PAUSE' ? (
        <Button size="sm" onClick={() => ask('start')} pending={asked === 'start'}>
          {asked !== 'start' && <Play aria-hidden />} Start
        </Button>
      ) : (
        <>
          <Button size="sm" variant="outline" onClick={() => ask('refresh')} pending={asked === 'refresh'}>
            {asked !== 'refresh' && <RotateCw aria-hidden />} Restart
          </Button>
          <Button size="sm" variant="outline" onClick={() => ask('pause')} pending={asked === 'pause'}>
            {asked !== 'pause' && <Pause aria-hidden />} Pause
          </Button>
        </>
      )}
    </>
  )
}
