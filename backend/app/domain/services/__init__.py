"""What the API can do. A service works inside its caller's transaction and never commits."""

from app.domain.services.alert import AlertService
from app.domain.services.audit import AuditTrail
from app.domain.services.backfill import BackfillService
from app.domain.services.dead_letter import DeadLetterService
from app.domain.services.destination import DestinationService
from app.domain.services.encryption_key import EncryptionKeyService
from app.domain.services.fan_out import FanOutService
from app.domain.services.monitoring import MonitoringService
from app.domain.services.notification import NotificationService
from app.domain.services.pipeline import PipelineService
from app.domain.services.preset import PresetService
from app.domain.services.publication import PublicationService
from app.domain.services.schema_monitor import SchemaMonitorService
from app.domain.services.setting import SettingService
from app.domain.services.sign_in import SignInService
from app.domain.services.slot import SlotService
from app.domain.services.source import SourceService
from app.domain.services.table_rules import TableRulesService
from app.domain.services.table_sync import TableSyncService
from app.domain.services.tag import TagService
from app.domain.services.token import TokenService
from app.domain.services.user import UserService
from app.domain.services.verification import VerificationService
from app.domain.services.wal_monitor import WalMonitorService

__all__ = [
    "AlertService",
    "AuditTrail",
    "BackfillService",
    "DeadLetterService",
    "DestinationService",
    "EncryptionKeyService",
    "FanOutService",
    "MonitoringService",
    "NotificationService",
    "PipelineService",
    "PresetService",
    "PublicationService",
    "SchemaMonitorService",
    "SettingService",
    "SignInService",
    "SlotService",
    "SourceService",
    "TableRulesService",
    "TableSyncService",
    "TagService",
    "TokenService",
    "UserService",
    "VerificationService",
    "WalMonitorService",
]
