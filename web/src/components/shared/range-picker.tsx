import { cn } from '@/lib/cn'

const RANGES = [
  { value: '1h', label: '1 h', minutes: 60, step: 1 },
  { value: '6h', label: '6 h', minutes: 360, step: 5 },
  { value: '1d', label: '1 d', minutes: 1440, step: 15 },
  { value: '7d', label: '7 d', minutes: 10_080, step: 120 },
] as const

export type RangeName = (typeof RANGES)[number]['value']

export function rangeOf(name: RangeName | undefined): (typeof RANGES)[number] {
  return RANGES.find(({ value }) => value === name) ?? RANGES[0]
}

export function RangePicker({ value, onChange }: { value: RangeName; onChange: (value: RangeName) => void }) {
  return (
    <div role="group" aria-label="Time range" className="bg-muted inline-flex rounded-md p-0.5">
      {RANGES.map((range) => (
        <button
          key={range.value}
          type="button"
          aria-pressed={range.value === value}
          onClick={() => onChange(range.value)}
          className={cn(
            'text-muted-foreground focus-visible:ring-ring h-7 rounded-sm px-2.5 text-xs font-medium outline-none focus-visible:ring-2',
            range.value === value && 'bg-card text-foreground shadow-xs',
          )}
        >
          {range.label}
        </button>
      ))}
    </div>
  )
}
