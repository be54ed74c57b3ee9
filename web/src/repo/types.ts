import type { components } from './schema.gen'

type Schemas = components['schemas']

export type Actor = Schemas['Actor']
export type Role = Schemas['Role']
export type Session = Schemas['SessionView']
export type Summary = Schemas['SummaryView']
export type Problem = Schemas['ProblemView']
export type Flow = Schemas['FlowView']
export type PipelineFlow = Schemas['PipelineFlowView']
export type WalMonitor = Schemas['WalMonitorView']
// Required: an answer always has the fields that have a default.
export type Pipeline = Required<Schemas['PipelineView']>
export type PipelineDestination = Schemas['PipelineDestinationView']
export type DesiredStatus = Schemas['DesiredStatus']
export type TableSync = Schemas['TableSyncView']
export type TableRules = Required<
  Pick<Schemas['TableSyncUpdate'], 'columns' | 'filters' | 'masks' | 'custom_sql'>
>
export type RulesPreview = Schemas['RulesPreview']
export type TableSchema = Required<Schemas['TableSchemaView']>
export type Source = Schemas['SourceView']
export type SourceDetail = Schemas['SourceDetailView']
export type SourceTable = Schemas['SourceTableView']
export type SourceConnection = Pick<
  Schemas['SourceCreate'],
  'pg_host' | 'pg_port' | 'pg_database' | 'pg_username' | 'pg_password' | 'sslmode'
>
export type SourceBody = SourceConnection & { name: string; publication_name: string }
export type SourceAnswer = Schemas['ConnectionView']
export type TargetAnswer = Schemas['TargetConnectionView']
/** How a connection test went well. */
export type Connection = SourceAnswer | TargetAnswer
export type Preflight = Schemas['PreflightView']
export type Finding = Schemas['FindingView']
export type Publication = Required<Schemas['PublicationView']>
export type Slots = Required<Schemas['SlotsView']>
export type TableName = Schemas['TableName']
export type Forced = Schemas['ForcedView']
export type SchemaVersion = Required<Schemas['SchemaVersionView']>
export type KeyPair = Schemas['KeyView']
export type Credits = Schemas['CreditsView']
export type Destination = Schemas['DestinationView']
export type DestinationDetail = Schemas['DestinationDetailView']
export type DestinationType = Schemas['DestinationType']
export type DestinationBody = { name: string; type: DestinationType; config: Record<string, unknown> }
export type Backfill = Schemas['BackfillView']
export type BackfillBody = Pick<
  Schemas['BackfillRequest'],
  'schema_name' | 'table_name' | 'filters' | 'destination_ids'
>
export type ParkedRecord = Schemas['DlqView']
export type ParkedDetail = Schemas['DlqDetailView']
export type ParkedPage = Schemas['DlqPage']
export type ParkedGroup = Schemas['DlqGroupView']
export type ParkedGroups = Schemas['DlqGroups']
export type ParkedState = Schemas['DlqState']
export type ErrorClass = Schemas['ErrorClass']
export type Recovered = Schemas['RecoverView']
export type Discarded = Schemas['DiscardView']
export type ParkPolicy = Schemas['ParkPolicy']
export type LogView = Schemas['LogView']
export type LogLine = Schemas['LogLineView']
export type Tag = Schemas['TagView']
export type VerifyRun = Schemas['VerifyRunView']
export type WalMetric = Schemas['WalMetricView']
export type Preset = Omit<Schemas['PresetView'], 'tables'> & { tables: TableName[] }
export type Notification = Schemas['NotificationView']
export type Severity = Schemas['Severity']
export type AuditEntry = Schemas['AuditView']
export type AlertChannel = Schemas['AlertChannelView']
export type ChannelResult = Schemas['ChannelResult']
export type EncryptionKey = Schemas['EncryptionKeyView']
export type Sealed = Schemas['SealedView']
export type User = Schemas['UserView']
export type Token = Schemas['TokenView']
export type TokenCreated = Schemas['TokenCreated']
export type SignInLink = Schemas['LinkView']

export interface Page<Item> {
  items: Item[]
  total: number
  limit: number
  offset: number
}
