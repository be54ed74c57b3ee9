"""Every status value of the platform, once. The CHECK constraints of the schema are held to these by a test."""

from enum import StrEnum


class DesiredStatus(StrEnum):
    """What a person asked of a pipeline (`pipelines.status`)."""

    START = "START"
    PAUSE = "PAUSE"
    REFRESH = "REFRESH"


class ObservedStatus(StrEnum):
    """What a pipeline really does for one destination (`pipeline_metadata.status`).

    `STARTING`, `PAUSING` and `RESTARTING` are written by the database the moment the wish changes; all
    others only by compute, from what it saw.
    """

    STARTING = "STARTING"
    SNAPSHOTTING = "SNAPSHOTTING"
    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    RESTARTING = "RESTARTING"
    RETRYING = "RETRYING"
    BLOCKED = "BLOCKED"
    RESYNC_REQUIRED = "RESYNC_REQUIRED"
    FAILED = "FAILED"


class HealthStatus(StrEnum):
    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    ERROR = "ERROR"
    UNKNOWN = "UNKNOWN"


class DestinationType(StrEnum):
    SNOWFLAKE = "SNOWFLAKE"
    POSTGRESQL = "POSTGRESQL"


class EngineKind(StrEnum):
    DEBEZIUM = "debezium"
    PGOUTPUT = "pgoutput"


class Profile(StrEnum):
    """How much memory a pipeline's engine may take for speed."""

    SMALL = "small"
    FAST = "fast"


class TableSyncState(StrEnum):
    """Observed state of one table of one destination, written by compute only."""

    PENDING = "PENDING"
    COPYING = "COPYING"
    STREAMING = "STREAMING"
    PAUSED = "PAUSED"
    RESYNC = "RESYNC"
    ERROR = "ERROR"


class TableSyncDesired(StrEnum):
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    RESYNC = "RESYNC"


class SyncMode(StrEnum):
    CURRENT = "current"
    APPEND = "append"


class DeleteMode(StrEnum):
    HARD = "hard"
    SOFT = "soft"


class SchemaPolicy(StrEnum):
    EVOLVE = "evolve"
    IGNORE = "ignore"
    PAUSE = "pause"


class CopyKind(StrEnum):
    INITIAL = "INITIAL"
    RESYNC = "RESYNC"
    BACKFILL = "BACKFILL"


class CopyStatus(StrEnum):
    PENDING = "PENDING"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ParkPolicy(StrEnum):
    BLOCK = "block"
    DETACH = "detach"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class ReplicaIdentity(StrEnum):
    """`pg_class.relreplident`."""

    DEFAULT = "d"
    NOTHING = "n"
    FULL = "f"
    INDEX = "i"


class SslMode(StrEnum):
    """libpq's `sslmode`."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


class WalBudgetPolicy(StrEnum):
    """What happens when a pipeline retains more WAL at its source than `wal_budget_bytes`."""

    WARN = "warn"
    PAUSE = "pause"
    DROP_SLOT = "drop_slot"


class DlqKind(StrEnum):
    """One change, or a whole table-batch parked during an outage."""

    RECORD = "RECORD"
    SEGMENT = "SEGMENT"


class DlqOperation(StrEnum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    TRUNCATE = "TRUNCATE"


class DlqState(StrEnum):
    PARKED = "PARKED"
    RETRYING = "RETRYING"
    RECOVERED = "RECOVERED"
    SUPERSEDED = "SUPERSEDED"
    DISCARDED = "DISCARDED"


class ErrorClass(StrEnum):
    OUTAGE = "OUTAGE"
    DATA = "DATA"


class CleanupKind(StrEnum):
    DROP_SLOT = "DROP_SLOT"
    DROP_PUBLICATION = "DROP_PUBLICATION"
    DROP_STAGING = "DROP_STAGING"


class SeenBy(StrEnum):
    """Who noticed a version of a table's schema: the backend's poll, or compute in the stream."""

    POLL = "poll"
    STREAM = "stream"


class WalMonitorStatus(StrEnum):
    OK = "OK"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"
    ERROR = "ERROR"
    UNKNOWN = "UNKNOWN"


class VerifyStatus(StrEnum):
    PENDING = "PENDING"
    EXECUTING = "EXECUTING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Severity(StrEnum):
    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class ActorKind(StrEnum):
    USER = "user"
    TOKEN = "token"  # noqa: S105
    COMMAND = "command"
    SYSTEM = "system"
