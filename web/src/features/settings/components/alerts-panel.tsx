import { useMutation } from '@tanstack/react-query'
import { CircleAlert, CircleCheck, Send } from 'lucide-react'
import { ErrorPanel } from '@/components/shared/error-panel'
import { Button } from '@/components/ui/button'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { humanize } from '@/lib/format'
import { testAlerts } from '@/repo/settings'

export function AlertsPanel() {
  const testing = useMutation(testAlerts)
  return (
    <Card>
      <CardHeader>
        <CardTitle>Alerts</CardTitle>
        <Button
          size="sm"
          variant="outline"
          pending={testing.isPending}
          onClick={() => testing.mutate(undefined)}
        >
          {!testing.isPending && <Send aria-hidden />} Send a test
        </Button>
      </CardHeader>
      <CardContent className="flex flex-col gap-3">
        <p className="text-muted-foreground">
          Notifications also go to a webhook, Slack, Telegram and e-mail. Because their addresses are secrets,
          they are set in the backend's environment:{' '}
          <code className="font-mono text-xs">ALERT_WEBHOOK_URL</code>,{' '}
          <code className="font-mono text-xs">ALERT_SLACK_URL</code>,{' '}
          <code className="font-mono text-xs">ALERT_TELEGRAM_TOKEN</code>,{' '}
          <code className="font-mono text-xs">ALERT_SMTP_URL</code>.
        </p>
        {testing.isError && <ErrorPanel error={testing.error} title="The test was not sent" />}
        {testing.data?.length === 0 && <p role="status">No channel is set up, so nothing was sent.</p>}
        {testing.data && testing.data.length > 0 && (
          <ul role="status" className="flex flex-col gap-2">
            {testing.data.map(({ channel, error }) => (
              <li key={channel} className="flex gap-2">
                {error ? (
                  <CircleAlert className="text-destructive mt-0.5 size-4 shrink-0" aria-hidden />
                ) : (
                  <CircleCheck className="text-success mt-0.5 size-4 shrink-0" aria-hidden />
                )}
                <span className="min-w-0 break-words">
                  <span className="font-medium">{humanize(channel)}</span>: {error ?? 'told'}
                </span>
              </li>
            ))}
          </ul>
        )}
      </CardContent>
    </Card>
  )
}
