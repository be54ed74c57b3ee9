import { useMutation, useQuery } from '@tanstack/react-query'
import { KeyRound } from 'lucide-react'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/shared/confirm-dialog'
import { EmptyState } from '@/components/shared/empty-state'
import { Loaded } from '@/components/shared/loaded'
import { Ago } from '@/components/shared/updated-ago'
import { Badge } from '@/components/ui/badge'
import { Button } from '@/components/ui/button'
import { Card } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatTime, humanize } from '@/lib/format'
import { told } from '@/lib/notify'
import { useNow } from '@/lib/use-now'
import { revokeToken, tokensQuery } from '@/repo/settings'
import type { Token } from '@/repo/types'
import { NewToken } from './new-token'

export function TokensPanel() {
  const query = useQuery(tokensQuery)
  return (
    <div className="flex flex-col gap-3">
      <NewToken />
      <Card>
        <Loaded query={query} title="The tokens cannot be shown">
          {(data) =>
            data.items.length === 0 ? (
              <EmptyState
                icon={KeyRound}
                title="No token yet"
                text="A program calls the API with a token of its own."
              />
            ) : (
              <Table aria-label="Tokens">
                <TableHeader>
                  <TableHead>Name</TableHead>
                  <TableHead>Begins with</TableHead>
                  <TableHead>Role</TableHead>
                  <TableHead>Expires</TableHead>
                  <TableHead>Last used</TableHead>
                  <TableHead>
                    <span className="sr-only">Actions</span>
                  </TableHead>
                </TableHeader>
                <TableBody>
                  {data.items.map((token) => (
                    <TokenRow key={token.id} token={token} />
                  ))}
                </TableBody>
              </Table>
            )
          }
        </Loaded>
      </Card>
    </div>
  )
}

function TokenRow({ token }: { token: Token }) {
  const [asking, setAsking] = useState(false)
  const now = useNow(60_000)
  const expired = token.expires_at !== null && Date.parse(token.expires_at) < now
  const revoking = useMutation({
    ...revokeToken,
    onSuccess: () => {
      setAsking(false)
      told(`${token.name} is revoked.`)
    },
  })
  return (
    <TableRow>
      <TableCell className="font-medium">
        <span className="flex flex-wrap items-center gap-2">
          {token.name}
          {token.revoked_at ? <Badge>revoked</Badge> : expired && <Badge tone="warning">expired</Badge>}
        </span>
      </TableCell>
      <TableCell className="font-mono text-xs">{token.token_prefix}</TableCell>
      <TableCell>{humanize(token.role)}</TableCell>
      <TableCell className="whitespace-nowrap">
        {token.expires_at ? formatTime(token.expires_at) : 'never'}
      </TableCell>
      <TableCell>
        <Ago time={token.last_used_at} />
      </TableCell>
      <TableCell className="text-end">
        {!token.revoked_at && (
          <Button
            size="sm"
            variant="ghost"
            className="text-destructive"
            aria-label={`Revoke ${token.name}`}
            onClick={() => setAsking(true)}
          >
            Revoke…
          </Button>
        )}
        <ConfirmDialog
          open={asking}
          onOpenChange={setAsking}
          title={`Revoke ${token.name}?`}
          action="Revoke the token"
          pending={revoking.isPending}
          error={revoking.error}
          onConfirm={() => revoking.mutate(token.id)}
        >
          <p className="text-start">Programs that use it are refused at once. This cannot be undone.</p>
        </ConfirmDialog>
      </TableCell>
    </TableRow>
  )
}
