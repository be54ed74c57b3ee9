"""What can be set of the compute service, as plain values: each pipeline's process is handed them as they are.

Nothing is imported for them that only reading the environment needs (`compute.config.environment`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rosetta.app_env import AppEnv

COMPUTE_FOLDER: Final = Path(__file__).resolve().parent.parent


def _within(**bounds: float) -> Mapping[str, Any]:
    """A field's bounds, as pydantic names them; they are checked where the environment is read."""
    return MappingProxyType(bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of compute; the names are those of the environment in lower case. Secrets are not in its repr.

    `config_database_url`: as libpq reads it.
    """

    secret_key: str = field(repr=False, metadata=_within(min_length=1))
    secret_key_previous: tuple[str, ...] = field(default=(), repr=False)
    config_database_url: str = field(repr=False, metadata=_within(min_length=1))
    app_env: AppEnv = AppEnv.DEVELOPMENT
    debug: bool = False
    log_level: str = "INFO"
    log_folder: Path | None = COMPUTE_FOLDER.parent / "logs"
    log_stream_lines: int = field(default=2_000, metadata=_within(ge=0))
    redis_url: str = field(default="redis://localhost:6379/0", repr=False)

    dlq_key_prefix: str = "rosetta:dlq"
    dlq_check_interval: int = field(default=30, metadata=_within(gt=0))
    dlq_batch_size: int = field(default=100, metadata=_within(gt=0))
    dlq_max_retry_count: int = field(default=10, metadata=_within(gt=0))
    dlq_max_age_days: int = field(default=7, metadata=_within(gt=0))

    pipeline_pool_max_conn: int = field(default=3, metadata=_within(ge=2))
    pipeline_max_batch_size: int | None = field(default=None, metadata=_within(gt=0))
    pipeline_max_queue_size: int | None = field(default=None, metadata=_within(gt=0))
    backfill_batch_size: int = field(default=10_000, metadata=_within(gt=0))
    backfill_max_rows_per_second: int = field(default=0, metadata=_within(ge=0))
    verify_max_seconds: int = field(default=6 * 3600, metadata=_within(gt=0))
    park_max_bytes: int = field(default=5_000_000_000, metadata=_within(gt=0))
    park_max_age_seconds: int = field(default=7 * 86_400, metadata=_within(gt=0))
    park_min_free_bytes: int = field(default=1_000_000_000, metadata=_within(ge=0))

    lease_seconds: float = field(default=15.0, metadata=_within(ge=1.0))
    poll_seconds: float = field(default=10.0, metadata=_within(gt=0))
    slot_check_seconds: float = field(default=10.0, metadata=_within(gt=0))
    drain_seconds: float = field(default=8.0, metadata=_within(gt=0))
    stuck_seconds: float = field(default=30.0, metadata=_within(gt=0))
    startup_seconds: float = field(default=90.0, metadata=_within(gt=0))
    health_host: str = "127.0.0.1"
    health_port: int = field(default=8001, metadata=_within(ge=0, le=65535))
    # Where traces go by OTLP over HTTP; left out: none. OpenTelemetry reads its other OTEL_ variables itself.
    otel_exporter_otlp_endpoint: str | None = field(default=None, repr=False)
    otel_sdk_disabled: bool = False

    rosetta_failpoint: str = ""
    rosetta_plant: str = ""

    @property
    def effective_log_level(self) -> str:
        return "DEBUG" if self.debug else self.log_level
