import { PageHeader } from '@/components/shared/page-header'
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs'
import { useCan } from '@/lib/use-role'
import { AlertsPanel } from '../components/alerts-panel'
import { EncryptionKeyPanel } from '../components/encryption-key-panel'
import { PasswordPanel } from '../components/password-panel'
import { ThresholdsForm } from '../components/thresholds-form'
import { TokensPanel } from '../components/tokens-panel'
import { UsersPanel } from '../components/users-panel'

type SettingsPart = 'account' | 'general' | 'users' | 'tokens' | 'key'

export function SettingsPage({
  part,
  onPart,
}: {
  part: SettingsPart | undefined
  onPart: (part: SettingsPart) => void
}) {
  const isAdmin = useCan('admin')
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Settings" />
      <Tabs
        value={isAdmin ? (part ?? 'general') : 'account'}
        onValueChange={(next) => onPart(next as SettingsPart)}
      >
        <TabsList aria-label="Parts of the settings">
          {isAdmin && <TabsTrigger value="general">Thresholds and alerts</TabsTrigger>}
          {isAdmin && <TabsTrigger value="users">Users</TabsTrigger>}
          {isAdmin && <TabsTrigger value="tokens">Tokens</TabsTrigger>}
          {isAdmin && <TabsTrigger value="key">Encryption key</TabsTrigger>}
          <TabsTrigger value="account">Your account</TabsTrigger>
        </TabsList>
        {isAdmin && (
          <>
            <TabsContent value="general">
              <div className="flex max-w-2xl flex-col gap-5">
                <ThresholdsForm />
                <AlertsPanel />
              </div>
            </TabsContent>
            <TabsContent value="users">
              <UsersPanel />
            </TabsContent>
            <TabsContent value="tokens">
              <TokensPanel />
            </TabsContent>
            <TabsContent value="key">
              <EncryptionKeyPanel />
            </TabsContent>
          </>
        )}
        <TabsContent value="account">
          <PasswordPanel />
        </TabsContent>
      </Tabs>
    </div>
  )
}
