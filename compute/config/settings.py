"""Settings of the compute service: the environment and `compute/.env`, read here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from rosetta.errors import ConfigurationError
from rosetta.secrets import check_secret_key

COMPUTE_FOLDER = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every setting of compute; the names are those of `product.md` section 5 in capitals."""

    model_config = SettingsConfigDict(
        env_file=COMPUTE_FOLDER / ".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    secret_key: SecretStr = Field(min_length=1)
    secret_key_previous: tuple[SecretStr, ...] = ()
    config_database_url: SecretStr = Field(min_length=1)
    app_env: Literal["development", "test", "production"] = "development"
    debug: bool = False
    log_level: str = "INFO"
    log_folder: Path | None = COMPUTE_FOLDER.parent / "logs"
    redis_url: SecretStr = SecretStr("redis://localhost:6379/0")

    dlq_key_prefix: str = "rosetta:dlq"
    dlq_check_interval: int = Field(default=30, gt=0)
    dlq_batch_size: int = Field(default=100, gt=0)
    dlq_max_retry_count: int = Field(default=10, gt=0)
    dlq_max_age_days: int = Field(default=7, gt=0)

    pipeline_pool_max_conn: int = Field(default=3, ge=2)
    pipeline_max_batch_size: int | None = Field(default=None, gt=0)
    pipeline_max_queue_size: int | None = Field(default=None, gt=0)
    backfill_batch_size: int = Field(default=10_000, gt=0)
    park_max_bytes: int = Field(default=5_000_000_000, gt=0)
    park_max_age_seconds: int = Field(default=7 * 86_400, gt=0)
    park_min_free_bytes: int = Field(default=1_000_000_000, ge=0)

    lease_seconds: float = Field(default=15.0, ge=1.0)
    poll_seconds: float = Field(default=10.0, gt=0)
    slot_check_seconds: float = Field(default=10.0, gt=0)
    drain_seconds: float = Field(default=8.0, gt=0)
    stuck_seconds: float = Field(default=30.0, gt=0)
    startup_seconds: float = Field(default=90.0, gt=0)
    health_host: str = "127.0.0.1"
    health_port: int = Field(default=8001, ge=0, le=65535)

    rosetta_failpoint: str = ""
    rosetta_plant: str = ""


def load_settings() -> Settings:
    """The settings of this process.

    Raises ConfigurationError, naming the setting and never its value, when one is missing or wrong.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigurationError(
            f"compute cannot start: {problems}",
            remedy="Set it in the environment or in compute/.env; compute/.env.example lists every setting.",
        ) from None
    check_secret_key(settings.secret_key.get_secret_value(), settings.app_env == "production")
    return settings
