"""The backend's settings: the only reader of the environment and of `backend/.env`."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from rosetta.app_env import AppEnv
from rosetta.secrets import check_secret_key
from rosetta.setting_errors import refused_settings

BACKEND_FOLDER = Path(__file__).resolve().parents[2]
# A released package carries the built dashboard; in a checkout `pnpm build` leaves it in web.
_DASHBOARDS = (BACKEND_FOLDER / "app" / "dashboard", BACKEND_FOLDER.parent / "web" / "dist")


def _built_dashboard() -> Path | None:
    return next((folder for folder in _DASHBOARDS if (folder / "index.html").is_file()), None)


class Settings(BaseSettings):
    """Everything that can be set.

    Raises pydantic's ValidationError, naming the variable, or ConfigurationError for a SECRET_KEY of no use.

    Environment variables go before `backend/.env`. Durations are seconds.
    """

    model_config = SettingsConfigDict(
        env_file=BACKEND_FOLDER / ".env", env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr
    secret_key: SecretStr
    # Former keys, as a JSON list, while what they sealed is moved to the new one (`rosetta rotate-key`).
    secret_key_previous: tuple[SecretStr, ...] = ()
    app_env: AppEnv = AppEnv.PRODUCTION
    debug: bool = False
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$")
    log_folder: Path | None = BACKEND_FOLDER / "logs"
    # Where compute's logs can be read, for those of its pipelines; by default where compute puts them in a checkout.
    compute_log_folder: Path | None = BACKEND_FOLDER.parent / "logs"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    # Proxies that are believed who asks (X-Forwarded-For) and by which scheme: addresses or networks, by commas.
    forwarded_allow_ips: str = "127.0.0.1"
    auth_enabled: bool = True
    # A session that is not used for so long ends.
    session_hours: float = Field(default=12, gt=0, le=24 * 365)
    # Requests a minute: of one token or session, of one address that signs in, and of connection tests.
    rate_limit_per_minute: int = Field(default=1200, ge=1)
    sign_in_limit_per_minute: int = Field(default=10, ge=1)
    connection_test_limit_per_minute: int = Field(default=30, ge=1)
    cors_origins: Annotated[list[str], NoDecode] = ["http://localhost:5173"]
    # Where sources and destinations may be: `CIDR` or `CIDR:port`, separated by commas; empty allows every
    # address that is not refused anyway (see app.infrastructure.network).
    connect_allowlist: Annotated[list[str], NoDecode] = []
    connect_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    # The built dashboard, served beside the API; left out: the one that the package or the checkout has, if any.
    dashboard_folder: Path | None = Field(default_factory=_built_dashboard)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    db_pool_size: int = Field(default=20, ge=1)
    db_max_overflow: int = Field(default=10, ge=0)
    db_pool_timeout: float = Field(default=30, gt=0)
    db_pool_recycle: int = Field(default=3600, gt=0)
    redis_url: SecretStr | None = None
    wal_monitor_enabled: bool = True
    wal_monitor_interval_seconds: float = Field(default=300, gt=0)
    wal_monitor_timeout_seconds: float = Field(default=30, gt=0)
    wal_monitor_max_retries: int = Field(default=3, ge=1)
    schema_monitor_interval_seconds: float = Field(default=60, gt=0)
    # Where traces go by OTLP over HTTP; left out: none. OpenTelemetry reads its other OTEL_ variables itself.
    otel_exporter_otlp_endpoint: str | None = None
    otel_sdk_disabled: bool = False
    alert_interval_seconds: float = Field(default=30, gt=0)
    alert_webhook_url: SecretStr | None = None
    alert_webhook_secret: SecretStr | None = None
    alert_slack_url: SecretStr | None = None
    alert_telegram_token: SecretStr | None = None
    alert_telegram_chat: str | None = None
    alert_smtp_url: SecretStr | None = None
    alert_email_from: str = "rosetta@localhost"
    alert_email_to: Annotated[list[str], NoDecode] = []

    @property
    def session_length(self) -> timedelta:
        return timedelta(hours=self.session_hours)

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value

    @field_validator("cors_origins", "connect_allowlist", "alert_email_to", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.auth_enabled and self.app_env is not AppEnv.DEVELOPMENT:
            raise ValueError("AUTH_ENABLED=false needs APP_ENV=development")
        check_secret_key(self.secret_key.get_secret_value(), production=self.app_env is AppEnv.PRODUCTION)
        if self.dashboard_folder is not None and not (self.dashboard_folder / "index.html").is_file():
            raise ValueError("DASHBOARD_FOLDER has no index.html; `pnpm build` makes one")
        if "*" in self.cors_origins:
            raise ValueError("CORS_ORIGINS names origins; `*` is not accepted because requests carry credentials")
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once.

    Raises ConfigurationError, naming the setting and never its value, when one is missing or wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise refused_settings("backend", error) from None
