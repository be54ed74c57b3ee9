import { StatusBadge } from '@/components/shared/status-badge'
import { Ago } from '@/components/shared/updated-ago'
import { Card, CardHeader, CardTitle } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatBytes, formatCount, formatSeconds } from '@/lib/format'
import type { Pipeline } from '@/repo/types'

/** How each destination does, as compute last saw it. */
export function DestinationHealth({ pipeline }: { pipeline: Pipeline }) {
  return (
    <Card>
      <CardHeader className="pb-3">
        <CardTitle>Destinations</CardTitle>
      </CardHeader>
      {pipeline.destinations.length === 0 ? (
        <p className="text-muted-foreground border-t px-5 py-4">This pipeline has no destination yet.</p>
      ) : (
        <Table aria-label="Health of the destinations" className="border-t">
          <TableHeader>
            <TableHead>Destination</TableHead>
            <TableHead>State</TableHead>
            <TableHead>Health</TableHead>
            <TableHead className="text-end">Lag</TableHead>
            <TableHead className="text-end">Behind</TableHead>
            <TableHead className="text-end">Parked</TableHead>
            <TableHead className="text-end">Last success</TableHead>
          </TableHeader>
          <TableBody>
            {pipeline.destinations.map(({ id, destination, metadata, parked_changes }) => (
              <TableRow key={id}>
                <TableCell className="font-medium">{destination.name}</TableCell>
                <TableCell>
                  <StatusBadge status={metadata?.status} />
                </TableCell>
                <TableCell>
                  <StatusBadge status={metadata?.health_status} />
                </TableCell>
                <TableCell className="text-end tabular-nums">
                  {formatSeconds(metadata?.lag_seconds)}
                </TableCell>
                <TableCell className="text-end whitespace-nowrap tabular-nums">
                  {formatBytes(metadata?.lag_bytes)}
                </TableCell>
                <TableCell className="text-end tabular-nums">{formatCount(parked_changes)}</TableCell>
                <TableCell className="text-end">
                  <Ago time={metadata?.last_success_time} />
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
    </Card>
  )
}
