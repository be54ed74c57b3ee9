"""All queries of the config database. Nothing here commits."""

from app.domain.repositories.alert import AlertRepository
from app.domain.repositories.audit import AuditRepository
from app.domain.repositories.backfill import BackfillRepository
from app.domain.repositories.base import BaseRepository
from app.domain.repositories.credit import CreditRepository
from app.domain.repositories.dead_letter import DeadLetterRepository
from app.domain.repositories.destination import DestinationRepository
from app.domain.repositories.encryption_key import EncryptionKeyRepository
from app.domain.repositories.gauge import GaugeRepository
from app.domain.repositories.measurement import FlowRepository, SystemMetricRepository, WalRepository
from app.domain.repositories.notification import NotificationRepository
from app.domain.repositories.pipeline import PipelineDestinationRepository, PipelineRepository
from app.domain.repositories.preset import PresetRepository
from app.domain.repositories.schema_version import SchemaVersionRepository
from app.domain.repositories.setting import SettingRepository
from app.domain.repositories.source import SourceRepository
from app.domain.repositories.summary import SummaryRepository
from app.domain.repositories.table_sync import TableSyncRepository
from app.domain.repositories.tag import TagRepository
from app.domain.repositories.token import TokenRepository
from app.domain.repositories.user import SessionRepository, SignInLinkRepository, UserRepository
from app.domain.repositories.verification import VerifyRunRepository

__all__ = [
    "AlertRepository",
    "AuditRepository",
    "BackfillRepository",
    "BaseRepository",
    "CreditRepository",
    "DeadLetterRepository",
    "DestinationRepository",
    "EncryptionKeyRepository",
    "FlowRepository",
    "GaugeRepository",
    "NotificationRepository",
    "PipelineDestinationRepository",
    "PipelineRepository",
    "PresetRepository",
    "SchemaVersionRepository",
    "SessionRepository",
    "SettingRepository",
    "SignInLinkRepository",
    "SourceRepository",
    "SummaryRepository",
    "SystemMetricRepository",
    "TableSyncRepository",
    "TagRepository",
    "TokenRepository",
    "UserRepository",
    "VerifyRunRepository",
    "WalRepository",
]
