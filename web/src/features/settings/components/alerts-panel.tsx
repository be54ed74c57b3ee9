import { useMutation, useQuery } from '@tanstack/react-query'
import { CircleCheck, Send } from 'lucide-react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Loaded } from '@/components/shared/loaded'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card, CardHeader, CardTitle } from '@/components/ui/card'
import { alertChannelsQuery, testChannel } from '@/repo/settings'
import type { AlertChannel } from '@/repo/types'

const NAMES: Record<AlertChannel['channel'], string> = {
  webhook: 'Webhook',
  slack: 'Slack',
  telegram: 'Telegram',
  email: 'E-mail',
}

export function AlertsPanel() {
  const query = useQuery(alertChannelsQuery)
  return (
    <Card>
      <CardHeader>
        <CardTitle>Alerts</CardTitle>
      </CardHeader>
      <p className="text-muted-foreground px-5 pt-3 pb-4">
        Where notifications also go. Addresses are secrets, so channels are set up in the backend's
        environment.
      </p>
      <Loaded query={query} title="The channels cannot be shown" rows={4}>
        {(channels) => (
          <ul aria-label="Alert channels" className="divide-y border-t">
            {channels.map((channel) => (
              <Channel key={channel.channel} {...channel} />
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

function Channel({ channel, missing }: AlertChannel) {
  const testing = useMutation(testChannel)
  const name = NAMES[channel]
  const isOn = missing.length === 0
  return (
    <li className="flex flex-col gap-3 px-5 py-3">
      <div className="flex items-center justify-between gap-4">
        <div className="flex min-w-0 flex-col gap-1">
          <span className="flex flex-wrap items-center gap-2 font-medium">
            {name} {isOn ? <Badge tone="success">On</Badge> : <Badge>Off</Badge>}
          </span>
          {!isOn && (
            <span className="text-muted-foreground text-xs wrap-anywhere">
              Needs <code className="font-mono">{missing.join(', ')}</code>
            </span>
          )}
        </div>
        <Button
          size="sm"
          variant="outline"
          aria-label={`Send a test by ${name}`}
          disabled={!isOn}
          pending={testing.isPending}
          onClick={() => testing.mutate(channel)}
        >
          {!testing.isPending && <Send aria-hidden />} Send a test
        </Button>
      </div>
      {testing.isSuccess && (
        <p role="status" className="flex items-center gap-2">
          <CircleCheck className="text-success size-4 shrink-0" aria-hidden /> {name} took the test.
        </p>
      )}
      {testing.isError && <ErrorPanel error={testing.error} title={`${name} did not take the test`} />}
    </li>
  )
}
