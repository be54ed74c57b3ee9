import { PageHeader } from '@/components/shared/page-header'
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/components/ui/tabs'
import { useCan } from '@/lib/use-role'
import { AuditLog } from '../components/audit-log'
import { NotificationList } from '../components/notification-list'

type ActivityTab = 'notifications' | 'audit'

export function ActivityPage({ tab, onTab }: { tab: ActivityTab; onTab: (tab: ActivityTab) => void }) {
  const maySeeAudit = useCan('admin')
  return (
    <div className="flex flex-col gap-5">
      <PageHeader title="Activity" description="What Rosetta had to say, and who changed what." />
      <Tabs value={maySeeAudit ? tab : 'notifications'} onValueChange={(next) => onTab(next as ActivityTab)}>
        <TabsList aria-label="Parts of the activity">
          <TabsTrigger value="notifications">Notifications</TabsTrigger>
          {maySeeAudit && <TabsTrigger value="audit">Audit log</TabsTrigger>}
        </TabsList>
        <TabsContent value="notifications">
          <NotificationList />
        </TabsContent>
        {maySeeAudit && (
          <TabsContent value="audit">
            <AuditLog />
          </TabsContent>
        )}
      </Tabs>
    </div>
  )
}
