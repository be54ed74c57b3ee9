"""SQLAlchemy mapping of the config database, held to migrations/001_create_table.sql by a test."""

from rosetta.tables.base import Base
from rosetta.tables.connections import Destination, Source
from rosetta.tables.copies import CopyJob, VerifyRun
from rosetta.tables.dead_letters import DlqRecord, DlqTotal
from rosetta.tables.instances import CleanupTask, ComputeInstance, PipelineLease
from rosetta.tables.measurements import DataFlowRecord, DestinationCredit, SystemMetric, WalMetric, WalMonitor
from rosetta.tables.people import AuditLog, Notification, Setting, SignInLink, Token, User, UserSession
from rosetta.tables.pipelines import Pipeline, PipelineDestination, PipelineMetadata, TableSync
from rosetta.tables.selections import Preset, SchemaVersion, TableSyncTag, Tag
from rosetta.tables.types import OneOf, PgLsn

__all__ = [
    "AuditLog",
    "Base",
    "CleanupTask",
    "ComputeInstance",
    "CopyJob",
    "DataFlowRecord",
    "Destination",
    "DestinationCredit",
    "DlqRecord",
    "DlqTotal",
    "Notification",
    "OneOf",
    "PgLsn",
    "Pipeline",
    "PipelineDestination",
    "PipelineLease",
    "PipelineMetadata",
    "Preset",
    "SchemaVersion",
    "Setting",
    "SignInLink",
    "Source",
    "SystemMetric",
    "TableSync",
    "TableSyncTag",
    "Tag",
    "Token",
    "User",
    "UserSession",
    "VerifyRun",
    "WalMetric",
    "WalMonitor",
]
