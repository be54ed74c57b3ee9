import { Select } from '@/components/ui/select'
import type { Pipeline } from '@/repo/types'

interface DestinationSelectProps {
  pipeline: Pipeline
  className?: string
  /** Null: every destination. */
  value: number | null
  onChange: (destinationId: number | null) => void
}

export function DestinationSelect({ pipeline, className, value, onChange }: DestinationSelectProps) {
  return (
    <Select
      aria-label="Destination"
      className={className}
      value={value === null ? 'all' : String(value)}
      onValueChange={(next) => onChange(next === 'all' ? null : Number(next))}
      options={[
        { value: 'all', label: 'Every destination' },
        ...pipeline.destinations.map(({ destination: { id, name } }) => ({ value: String(id), label: name })),
      ]}
    />
  )
}
