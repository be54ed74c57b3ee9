"""The config database's tables, as mapped once for all services in `rosetta.tables`."""

from rosetta.tables import (
    AuditLog,
    CleanupTask,
    Destination,
    DlqRecord,
    Pipeline,
    PipelineDestination,
    PipelineMetadata,
    Preset,
    Setting,
    SignInLink,
    Source,
    TableSync,
    Token,
    User,
    UserSession,
)

__all__ = [
    "AuditLog",
    "CleanupTask",
    "Destination",
    "DlqRecord",
    "Pipeline",
    "PipelineDestination",
    "PipelineMetadata",
    "Preset",
    "Setting",
    "SignInLink",
    "Source",
    "TableSync",
    "Token",
    "User",
    "UserSession",
]
