import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useTheme } from '@/lib/theme'

export interface Series {
  label: string
  values: (number | null)[]
  /** A custom property of the theme, e.g. `--chart-1`. */
  color: string
  /** Not measured: drawn as a broken line, without the area beneath. */
  dashed?: boolean
}

interface LineChartProps {
  /** Read in place of the picture. */
  label: string
  /** Seconds since 1970, ascending. */
  times: number[]
  series: Series[]
  format: (value: number) => string
  /** How far apart lines across may be, ascending; without it, decimal steps. */
  steps?: number[]
  height?: number
  /** Which point is pointed at; null when none is. */
  onPoint: (index: number | null) => void
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const exactClock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const DAY_SECONDS = 86_400

/** As exact as the ticks are close: days, hours and minutes, or seconds too. */
function timeLabels(ticks: number[]): string[] {
  const step = (ticks[1] ?? Infinity) - (ticks[0] ?? 0)
  const form = step < 60 ? exactClock : ticks.length > 1 && step >= DAY_SECONDS ? day : clock
  return ticks.map((tick) => form.format(tick * 1000))
}

/** The places of values without a neighbour. */
function lonely({ data }: uPlot, series: number): number[] {
  const values: (number | null | undefined)[] = Array.from(data[series] ?? [])
  return values.flatMap((value, place) =>
    value != null && values[place - 1] == null && values[place + 1] == null ? [place] : [],
  )
}

const FONT = '11px ui-sans-serif, system-ui, sans-serif'

function optionsOf(
  { series, format, steps, height = 200, onPoint }: LineChartProps,
  width: number,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const color = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: color('--muted-foreground'),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: color('--border'), width: 1 },
  }
  return {
    width,
    height,
    padding: [12, 24, 0, 0],
    cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    legend: { show: false },
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 30, values: (_, ticks) => timeLabels(ticks) },
      {
        ...axis,
        size: 64,
        space: 36,
        ...(steps && { incrs: steps }),
        values: (_, ticks) => ticks.map(format),
      },
    ],
    series: [
      {},
      ...series.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 2,
        fill: line.dashed ? undefined : `color-mix(in oklab, ${color(line.color)} 12%, transparent)`,
        dash: line.dashed ? [5, 4] : undefined,
        // A line needs two points: a value between two that are not known would not be seen.
        points: { show: true, size: 6, fill: color(line.color), width: 0, filter: lonely },
      })),
    ],
  }
}

/** Values over time. It is drawn anew only when its form changes; new values are given to the same picture. */
export function LineChart(props: LineChartProps) {
  const { label, times, series, height = 200 } = props
  const frame = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const newest = useRef(props)
  const { dark } = useTheme()
  useEffect(() => {
    newest.current = props
    chart.current?.setData([times, ...series.map(({ values }) => values)])
  })
  useEffect(() => {
    const element = frame.current
    if (!element) return
    const current = newest.current
    const plot = new uPlot(
      optionsOf(current, element.clientWidth),
      [current.times, ...current.series.map(({ values }) => values)],
      element,
    )
    chart.current = plot
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
      chart.current = null
    }
  }, [dark, height])
  return (
    <div
      ref={frame}
      role="img"
      aria-label={label}
      className="text-muted-foreground min-w-0 text-xs"
      style={{ minHeight: height }}
    />
  )
}
