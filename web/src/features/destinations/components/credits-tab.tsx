import { useQuery } from '@tanstack/react-query'
import { Coins } from 'lucide-react'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Ago } from '@/components/shared/updated-ago'
import { Card } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatCredits } from '@/lib/format'
import { creditsQuery } from '@/repo/destinations'
import type { Credits } from '@/repo/types'
import { largestDay } from '../data/credits'

const DAYS = 30

/** What the warehouse of a Snowflake destination used, day by day. */
export default function CreditsTab({ destinationId }: { destinationId: number }) {
  const query = useQuery(creditsQuery(destinationId, DAYS))
  return (
    <Card>
      <Loaded query={query} title="The credits cannot be shown">
        {(credits) => <Used credits={credits} />}
      </Loaded>
    </Card>
  )
}

function Used({ credits }: { credits: Credits }) {
  const { readable, reason, remedy, read_at, total, days } = credits
  if (!readable && days.length === 0)
    return <EmptyState icon={Coins} title={reason ?? 'Not readable'} text={remedy ?? ''} />
  if (days.length === 0)
    return <EmptyState icon={Coins} title="No credits used" text={`None in the last ${DAYS} days.`} />
  const largest = largestDay(days)
  return (
    <div className="flex flex-col gap-3 py-4">
      <p className="px-5">
        <span className="text-2xl font-semibold tabular-nums">{formatCredits(total)}</span> credits in {DAYS}{' '}
        days{' '}
        <span className="text-muted-foreground text-xs">
          as Snowflake said <Ago time={read_at} />; it is up to three hours behind
        </span>
      </p>
      {!readable && <p className="px-5 break-words">{[reason, remedy].filter(Boolean).join(' ')}</p>}
      <Table aria-label="Credits by day">
        <TableHeader>
          <TableHead>Day (UTC)</TableHead>
          <TableHead>Warehouse</TableHead>
          <TableHead className="text-end">Credits</TableHead>
          <TableHead className="w-1/2">
            <span className="sr-only">Share of the largest</span>
          </TableHead>
        </TableHeader>
        <TableBody>
          {days.map(({ day, warehouse, credits: used }) => (
            <TableRow key={`${day} ${warehouse}`}>
              <TableCell className="whitespace-nowrap tabular-nums">{day}</TableCell>
              <TableCell>{warehouse}</TableCell>
              <TableCell className="text-end tabular-nums">{formatCredits(used)}</TableCell>
              <TableCell>
                <div
                  className="bg-primary h-2 rounded-sm"
                  style={{ width: largest > 0 ? `${(Number(used) / largest) * 100}%` : 0 }}
                />
              </TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </div>
  )
}
