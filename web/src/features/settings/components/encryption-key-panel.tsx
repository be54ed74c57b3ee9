import { useQuery } from '@tanstack/react-query'
import { CircleAlert, CircleCheck, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { CodeBlock } from '@/components/shared/code-block'
import { Loaded } from '@/components/shared/loaded'
import { Ago } from '@/components/shared/updated-ago'
import { Card, CardContent, CardHeader, CardTitle } from '@/components/ui/card'
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from '@/components/ui/table'
import { formatCount } from '@/lib/format'
import { encryptionKeyQuery } from '@/repo/settings'
import type { EncryptionKey, Sealed } from '@/repo/types'
import { ROTATION, keyState } from '../data/encryption-key'

const SIGNS = {
  success: <CircleCheck className="text-success mt-0.5 size-4 shrink-0" aria-hidden />,
  warning: <TriangleAlert className="text-warning mt-0.5 size-4 shrink-0" aria-hidden />,
  danger: <CircleAlert className="text-destructive mt-0.5 size-4 shrink-0" aria-hidden />,
}

/** Which key seals secrets, what is still sealed under others, and how it is changed. The key itself is never asked. */
export function EncryptionKeyPanel() {
  const query = useQuery(encryptionKeyQuery)
  return (
    <div className="flex max-w-2xl flex-col gap-5">
      <Card>
        <CardHeader>
          <CardTitle>Encryption key</CardTitle>
        </CardHeader>
        <Loaded query={query} title="The key cannot be shown" rows={3}>
          {(key) => <Use encryptionKey={key} />}
        </Loaded>
      </Card>
      <Rotation />
    </div>
  )
}

function Use({ encryptionKey }: { encryptionKey: EncryptionKey }) {
  const { key_id, previous_key_ids, rotated_at, secrets, payloads } = encryptionKey
  const states = keyState(encryptionKey)
  return (
    <>
      <CardContent className="flex flex-col gap-4">
        <dl className="grid gap-x-6 gap-y-3 sm:grid-cols-2">
          <Fact name="Key in use" value={<Id>{key_id}</Id>} />
          <Fact
            name="Last rotation to it"
            value={rotated_at ? <Ago time={rotated_at} /> : 'None since the installation'}
          />
          {previous_key_ids.length > 0 && (
            <Fact
              name="Former keys that still open"
              value={
                <span className="flex flex-wrap gap-x-3">
                  {previous_key_ids.map((id) => (
                    <Id key={id}>{id}</Id>
                  ))}
                </span>
              }
            />
          )}
        </dl>
        <ul aria-label="State of the key" className="flex flex-col gap-2">
          {states.map(({ tone, text }) => (
            <li key={text} className="flex gap-2">
              {SIGNS[tone]}
              <span className="min-w-0">{text}</span>
            </li>
          ))}
        </ul>
      </CardContent>
      <div className="border-t">
        <Table aria-label="What is sealed under which key">
          <TableHeader>
            <TableHead>Sealed</TableHead>
            {['This key', 'Former', 'Unknown'].map((name) => (
              <TableHead key={name} className="px-2 text-end sm:px-4">
                {name}
              </TableHead>
            ))}
          </TableHeader>
          <TableBody>
            <SealedRow what="Passwords and private keys" sealed={secrets} />
            <SealedRow what="Parked changes" sealed={payloads} />
          </TableBody>
        </Table>
      </div>
    </>
  )
}

function SealedRow({ what, sealed }: { what: string; sealed: Sealed }) {
  return (
    <TableRow>
      <TableCell className="font-medium">{what}</TableCell>
      {[sealed.current, sealed.previous, sealed.unknown].map((count, place) => (
        <TableCell key={place} className="px-2 text-end tabular-nums sm:px-4">
          {formatCount(count)}
        </TableCell>
      ))}
    </TableRow>
  )
}

function Rotation() {
  return (
    <Card>
      <CardHeader>
        <CardTitle>Rotate the key</CardTitle>
      </CardHeader>
      <CardContent>
        <ol className="flex flex-col gap-4">
          {ROTATION.map(({ text, code }, place) => (
            <li key={text} className="flex flex-col gap-1.5">
              <p>
                {place + 1}. {text}
              </p>
              {code && <CodeBlock code={code} />}
            </li>
          ))}
        </ol>
      </CardContent>
    </Card>
  )
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <dt className="text-muted-foreground text-xs">{name}</dt>
      <dd className="font-medium">{value}</dd>
    </div>
  )
}

function Id({ children }: { children: string }) {
  return <code className="font-mono text-xs wrap-anywhere">{children}</code>
}
