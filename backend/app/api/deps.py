"""The only wiring: from a request to its session, services and adapters.

All of it is async, though little of it waits: a plain function would be run in a thread, of which there are few.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.config import Settings
from app.core.database import DatabaseManager
from app.domain.models import TableSync
from app.domain.ports import CreditMeter, PipelineLogs, SourceAddress, SourceDatabase, TargetAddress, TargetDatabase
from app.domain.repositories import (
    AuditRepository,
    BackfillRepository,
    CreditRepository,
    DeadLetterRepository,
    DestinationRepository,
    EncryptionKeyRepository,
    FlowRepository,
    GaugeRepository,
    NotificationRepository,
    PipelineDestinationRepository,
    PipelineRepository,
    PresetRepository,
    SchemaVersionRepository,
    SessionRepository,
    SettingRepository,
    SignInLinkRepository,
    SourceRepository,
    SummaryRepository,
    SystemMetricRepository,
    TableSyncRepository,
    TagRepository,
    TokenRepository,
    UserRepository,
    VerifyRunRepository,
    WalRepository,
)
from app.domain.schemas.base import MAX_ID
from app.domain.schemas.identity import Actor
from app.domain.services import (
    AuditTrail,
    BackfillService,
    DeadLetterService,
    DestinationService,
    EncryptionKeyService,
    FanOutService,
    MonitoringService,
    NotificationService,
    PipelineService,
    PresetService,
    PublicationService,
    SchemaMonitorService,
    SettingService,
    SignInService,
    SlotService,
    SourceService,
    TableRulesService,
    TableSyncService,
    TagService,
    TokenService,
    UserService,
    VerificationService,
    WalMonitorService,
)
from app.domain.services.alert import AlertChannels
from app.domain.services.table_rules import RULES, parsed_rules
from app.domain.services.thresholds import Thresholds
from app.infrastructure.channels import channels_of, missing_settings
from app.infrastructure.events import EventFeed
from app.infrastructure.network import AllowedNetwork, ConnectPolicy
from app.infrastructure.postgres import AsyncpgSource, AsyncpgTarget, Sessions
from app.infrastructure.snowflake import SnowflakeCredits, SnowflakeSessions, SnowflakeTarget
from app.infrastructure.targets import MetersByType, TargetsByType
from app.infrastructure.tasks.passes import wal_schedule
from rosetta.app_env import AppEnv
from rosetta.custom_sql import Sandbox
from rosetta.enums import DestinationType
from rosetta.secrets import Keyring
from rosetta.table_rules import MaskingKey, TableRules

PathId = Annotated[int, Path(ge=1, le=MAX_ID)]


def connect_policy(settings: Settings, own: list[tuple[str, int]]) -> ConnectPolicy:
    """Rosetta's own services are refused as sources outside development, where one server often plays all parts."""
    allowed = [AllowedNetwork.parse(entry) for entry in settings.connect_allowlist]
    return ConnectPolicy(allowed, own if settings.app_env is AppEnv.PRODUCTION else [])


def targets_of(postgres: Sessions, snowflake: SnowflakeSessions) -> TargetsByType:
    """The adapter of every type of destination."""
    return TargetsByType(
        {DestinationType.POSTGRESQL: AsyncpgTarget(postgres), DestinationType.SNOWFLAKE: SnowflakeTarget(snowflake)}
    )


def meters_of(snowflake: SnowflakeSessions) -> MetersByType:
    """The meter of every type that bills by use."""
    return MetersByType({DestinationType.SNOWFLAKE: SnowflakeCredits(snowflake)})


def _of_app(name: str) -> Any:
    """What `create_app` left under this name in the application's state."""

    async def get(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(get)


async def get_actor(request: Request) -> Actor:
    actor: Actor = request.state.actor
    return actor


DatabaseDep = Annotated[DatabaseManager, _of_app("database")]
SettingsDep = Annotated[Settings, _of_app("settings")]
KeyringDep = Annotated[Keyring, _of_app("keyring")]
SessionsDep = Annotated[Sessions, _of_app("sessions")]
EventFeedDep = Annotated[EventFeed, _of_app("events")]
TargetDatabaseDep = Annotated[TargetDatabase, _of_app("targets")]
CreditMeterDep = Annotated[CreditMeter, _of_app("meters")]
PipelineLogsDep = Annotated[PipelineLogs, _of_app("logs")]
ActorDep = Annotated[Actor, Depends(get_actor)]


async def get_session(database: DatabaseDep) -> AsyncIterator[AsyncSession]:
    """The request's one transaction."""
    async with database.transaction() as session:
        yield session


# scope="function": the commit comes before the response, so a client never reads of what then is not there.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_audit(session: SessionDep, actor: ActorDep) -> AuditTrail:
    return AuditTrail(AuditRepository(session), actor)


AuditDep = Annotated[AuditTrail, Depends(get_audit)]
Repository = TypeVar("Repository")


def _of_session(make: Callable[[AsyncSession], object]) -> Any:
    async def get(session: SessionDep) -> object:
        return make(session)

    return Depends(get)


def _audited(
    service: Callable[[Repository, AuditTrail], object], repository: Callable[[AsyncSession], Repository]
) -> Any:
    """A service that needs its repository and the audit log, and nothing else."""

    async def get(session: SessionDep, audit: AuditDep) -> object:
        return service(repository(session), audit)

    return Depends(get)


async def get_source_service(session: SessionDep, keyring: KeyringDep, audit: AuditDep) -> SourceService:
    return SourceService(SourceRepository(session), keyring, audit)


async def get_destination_service(session: SessionDep, keyring: KeyringDep, audit: AuditDep) -> DestinationService:
    return DestinationService(DestinationRepository(session), keyring, audit)


async def get_fan_out_service(session: SessionDep, audit: AuditDep) -> FanOutService:
    return FanOutService(PipelineDestinationRepository(session), audit)


FanOutServiceDep = Annotated[FanOutService, Depends(get_fan_out_service)]


async def get_pipeline_service(session: SessionDep, fan_out: FanOutServiceDep, audit: AuditDep) -> PipelineService:
    return PipelineService(PipelineRepository(session), fan_out, audit)


async def get_dead_letter_service(
    session: SessionDep, keyring: KeyringDep, audit: AuditDep, actor: ActorDep
) -> DeadLetterService:
    return DeadLetterService(DeadLetterRepository(session), keyring, audit, actor)


async def get_backfill_service(session: SessionDep, audit: AuditDep, actor: ActorDep) -> BackfillService:
    return BackfillService(BackfillRepository(session), audit, actor)


async def get_schema_monitor(session: SessionDep) -> SchemaMonitorService:
    return SchemaMonitorService(SchemaVersionRepository(session))


async def get_sign_in_service(session: SessionDep, settings: SettingsDep) -> SignInService:
    return SignInService(
        UserRepository(session),
        SessionRepository(session),
        SignInLinkRepository(session),
        AuditRepository(session),
        settings.session_length,
    )


async def get_user_service(session: SessionDep, audit: AuditDep) -> UserService:
    return UserService(UserRepository(session), SessionRepository(session), SignInLinkRepository(session), audit)


async def get_monitoring_service(session: SessionDep) -> MonitoringService:
    return MonitoringService(
        PipelineRepository(session),
        WalRepository(session),
        FlowRepository(session),
        SystemMetricRepository(session),
        SummaryRepository(session),
    )


async def get_wal_monitor_service(session: SessionDep, settings: SettingsDep) -> WalMonitorService:
    thresholds = Thresholds.of(await SettingRepository(session).all())
    return WalMonitorService(WalRepository(session), thresholds, wal_schedule(settings))


async def get_notification_service(session: SessionDep, audit: AuditDep) -> NotificationService:
    return NotificationService(NotificationRepository(session), AuditRepository(session), audit)


async def get_alert_channels(settings: SettingsDep, audit: AuditDep) -> AlertChannels:
    return AlertChannels(channels_of(settings), missing_settings(settings), audit)


async def get_encryption_key(session: SessionDep, keyring: KeyringDep) -> EncryptionKeyService:
    return EncryptionKeyService(EncryptionKeyRepository(session), keyring)


async def get_source_database(sessions: SessionsDep) -> SourceDatabase:
    return AsyncpgSource(sessions)


SourceDatabaseDep = Annotated[SourceDatabase, Depends(get_source_database)]
CreditRepositoryDep = Annotated[CreditRepository, _of_session(CreditRepository)]


async def get_publication_service(
    session: SessionDep, database: SourceDatabaseDep, audit: AuditDep
) -> PublicationService:
    return PublicationService(SourceRepository(session), database, audit)


async def get_slot_service(session: SessionDep, database: SourceDatabaseDep, audit: AuditDep) -> SlotService:
    return SlotService(PipelineRepository(session), database, audit)


async def get_source_address(
    source_id: PathId, database: DatabaseDep, keyring: KeyringDep, actor: ActorDep
) -> SourceAddress:
    """Read in a transaction of its own, so that no connection of the pool waits for somebody else's server."""
    async with database.transaction() as session:
        audit = AuditTrail(AuditRepository(session), actor)
        return await SourceService(SourceRepository(session), keyring, audit).address(source_id)


async def get_target_address(
    destination_id: PathId, database: DatabaseDep, keyring: KeyringDep, actor: ActorDep
) -> TargetAddress:
    """As `get_source_address`, for a destination."""
    async with database.transaction() as session:
        audit = AuditTrail(AuditRepository(session), actor)
        return await DestinationService(DestinationRepository(session), keyring, audit).address(destination_id)


@lru_cache(maxsize=1)
def _sandbox() -> Sandbox:
    return Sandbox()


async def get_sandbox() -> Sandbox:
    """One process for custom SQL, which starts with the first statement and ends with this one."""
    return _sandbox()


async def get_table_rules_service(
    pipeline_id: PathId,
    database: DatabaseDep,
    keyring: KeyringDep,
    actor: ActorDep,
    source_database: SourceDatabaseDep,
    sandbox: Annotated[Sandbox, Depends(get_sandbox)],
) -> TableRulesService:
    """For the source of the pipeline in the path."""

    async def address() -> SourceAddress:
        async with database.transaction() as session:
            pipeline = await PipelineRepository(session).get(pipeline_id)
        return await get_source_address(pipeline.source_id, database, keyring, actor)

    return TableRulesService(address, source_database, MaskingKey(keyring.masking_key), sandbox)


async def get_saved_sync(
    pipeline_id: PathId, destination_id: PathId, sync_id: PathId, database: DatabaseDep
) -> TableSync:
    """The table sync in the path, as it is saved; read as by `get_source_address`."""
    async with database.transaction() as session:
        join = await PipelineDestinationRepository(session).of(pipeline_id, destination_id)
        return await TableSyncRepository(session).of(join.id, sync_id)


FormerRules = Callable[[int | None], Awaitable[TableRules | None]]


async def get_former_rules(pipeline_id: PathId, destination_id: PathId, database: DatabaseDep) -> FormerRules:
    """What a table sync of the destination in the path does now; None for none."""

    async def former(sync_id: int | None) -> TableRules | None:
        if sync_id is None:
            async with database.transaction() as session:
                await PipelineDestinationRepository(session).plain(pipeline_id, destination_id)
            return None
        saved = await get_saved_sync(pipeline_id, destination_id, sync_id, database)
        return parsed_rules({name: getattr(saved, name) for name in RULES})

    return former


async def get_existing_pipeline(pipeline_id: PathId, database: DatabaseDep) -> int:
    """The id in the path, which is a pipeline's; known in a transaction of its own, as above."""
    async with database.transaction() as session:
        await PipelineRepository(session).require([pipeline_id])
    return pipeline_id


SourceServiceDep = Annotated[SourceService, Depends(get_source_service)]
DestinationServiceDep = Annotated[DestinationService, Depends(get_destination_service)]
PipelineServiceDep = Annotated[PipelineService, Depends(get_pipeline_service)]
TableSyncServiceDep = Annotated[TableSyncService, _audited(TableSyncService, TableSyncRepository)]
TagServiceDep = Annotated[TagService, _audited(TagService, TagRepository)]
DeadLetterServiceDep = Annotated[DeadLetterService, Depends(get_dead_letter_service)]
BackfillServiceDep = Annotated[BackfillService, Depends(get_backfill_service)]
VerificationServiceDep = Annotated[VerificationService, _audited(VerificationService, VerifyRunRepository)]
PresetServiceDep = Annotated[PresetService, _audited(PresetService, PresetRepository)]
SchemaMonitorDep = Annotated[SchemaMonitorService, Depends(get_schema_monitor)]
SettingServiceDep = Annotated[SettingService, _audited(SettingService, SettingRepository)]
MonitoringServiceDep = Annotated[MonitoringService, Depends(get_monitoring_service)]
WalMonitorServiceDep = Annotated[WalMonitorService, Depends(get_wal_monitor_service)]
NotificationServiceDep = Annotated[NotificationService, Depends(get_notification_service)]
GaugeRepositoryDep = Annotated[GaugeRepository, _of_session(GaugeRepository)]
AlertChannelsDep = Annotated[AlertChannels, Depends(get_alert_channels)]
EncryptionKeyDep = Annotated[EncryptionKeyService, Depends(get_encryption_key)]
SignInServiceDep = Annotated[SignInService, Depends(get_sign_in_service)]
UserServiceDep = Annotated[UserService, Depends(get_user_service)]
TokenServiceDep = Annotated[TokenService, _audited(TokenService, TokenRepository)]
PublicationServiceDep = Annotated[PublicationService, Depends(get_publication_service)]
SlotServiceDep = Annotated[SlotService, Depends(get_slot_service)]
SourceAddressDep = Annotated[SourceAddress, Depends(get_source_address)]
TableRulesServiceDep = Annotated[TableRulesService, Depends(get_table_rules_service)]
SavedSyncDep = Annotated[TableSync, Depends(get_saved_sync)]
FormerRulesDep = Annotated[FormerRules, Depends(get_former_rules)]
ExistingPipelineDep = Annotated[int, Depends(get_existing_pipeline)]
TargetAddressDep = Annotated[TargetAddress, Depends(get_target_address)]
