import { useQuery } from '@tanstack/react-query'
import { CodeBlock } from '@/components/shared/code-block'
import { Loaded } from '@/components/shared/loaded'
import { Card } from '@/components/ui/card'
import { keyQuery } from '@/repo/destinations'

/** The key pair that a Snowflake destination signs in with, and the statements that Snowflake knows it by. */
export function KeyPanel({ destinationId }: { destinationId: number }) {
  const query = useQuery(keyQuery(destinationId))
  return (
    <Card>
      <Loaded query={query} title="The key cannot be shown" rows={2}>
        {({ fingerprint, register_sql, rotate_sql, retire_sql, retire_rotated_sql, problem, remedy }) => {
          const steps = [
            ['Make the key known', register_sql],
            ['Make it known beside another one', rotate_sql],
            ['Forget the key of the first slot', retire_sql],
            ['Forget the key of the second slot', retire_rotated_sql],
          ] as const
          return (
            <div className="flex flex-col gap-4 p-5">
              <h2 className="font-semibold">Key pair</h2>
              {problem && <p className="break-words">{[problem, remedy].filter(Boolean).join(' ')}</p>}
              {fingerprint && (
                <p>
                  Fingerprint <code className="text-xs wrap-anywhere">{fingerprint}</code>{' '}
                  <span className="text-muted-foreground text-xs">as DESCRIBE USER shows it</span>
                </p>
              )}
              {steps.map(
                ([what, sql]) =>
                  sql && (
                    <div key={what} className="flex flex-col gap-1.5">
                      <h3 className="text-muted-foreground text-xs">{what}</h3>
                      <CodeBlock code={sql} />
                    </div>
                  ),
              )}
            </div>
          )
        }}
      </Loaded>
    </Card>
  )
}
