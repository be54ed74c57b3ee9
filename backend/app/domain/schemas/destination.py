"""Bodies and answers of /destinations, in the nested form and in the flat one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, model_validator

from app.domain.schemas.base import Body, Identifier, Name, PageRequest, Stamped, Text, View
from app.domain.schemas.cleanup import CleanupView
from app.domain.schemas.source import Host, Port
from rosetta.enums import DestinationType, SslMode
from rosetta.sealed import SECRET_CONFIG_KEYS, is_secret
from rosetta.secrets import is_sealed

Setting = Annotated[Text, Field(min_length=1, max_length=1024)]


class PostgresConfig(BaseModel):
    """`config` of a PostgreSQL destination. `pg_schema` left out: tables go to schemas of their own name."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    pg_host: Host
    pg_port: Port = 5432
    pg_database: Identifier
    pg_username: Identifier
    pg_password: SecretStr | None = Field(default=None, max_length=1024)
    pg_schema: Identifier | None = None
    sslmode: SslMode = SslMode.PREFER


class SnowflakeConfig(BaseModel):
    """`config` of a Snowflake destination: a key by its path, or pasted in any form (see `load_key`).

    A file need only be there where pipelines run.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    snowflake_account: Setting
    snowflake_user: Setting
    snowflake_database: Setting = Field(validation_alias=AliasChoices("snowflake_database", "snowflake_db"))
    snowflake_schema: Setting
    snowflake_role: Setting | None = None
    snowflake_warehouse: Setting | None = None
    snowflake_host: Host | None = None
    snowflake_private_key_path: Setting | None = None
    snowflake_private_key: SecretStr | None = Field(default=None, max_length=16_384)
    snowflake_private_key_passphrase: SecretStr | None = Field(default=None, max_length=1024)
    snowflake_streaming: bool | None = Field(
        default=None, description="changes by Snowpipe Streaming, which needs a warehouse only to merge current rows"
    )
    snowflake_flush_seconds: float | None = Field(default=None, ge=0, le=86_400, description="60 if left out")
    snowflake_flush_rows: int | None = Field(default=None, ge=1, le=10**9, description="100,000 if left out")
    snowflake_flush_bytes: int | None = Field(default=None, ge=1, le=10**12, description="64 MB if left out")
    snowflake_preserve_names: bool | None = Field(default=None, description="names as at the source, not in capitals")
    snowflake_numeric_scale: int | None = Field(
        default=None, ge=0, le=37, description="numerics without a precision are NUMBER(38, scale) instead of text"
    )
    snowflake_local_time: bool | None = Field(default=None, description="timestamptz as TIMESTAMP_LTZ")

    @model_validator(mode="before")
    @classmethod
    def _pasted_as_path(cls, config: Any) -> Any:
        """A PEM pasted where its path belongs is taken for what it is, so that it is sealed."""
        path = config.get("snowflake_private_key_path") if isinstance(config, Mapping) else None
        if not isinstance(path, str) or "PRIVATE KEY-----" not in path:
            return config
        others = {key: value for key, value in config.items() if key != "snowflake_private_key_path"}
        return {**others, "snowflake_private_key": path}

    @model_validator(mode="after")
    def _has_key(self) -> SnowflakeConfig:
        if not (self.snowflake_private_key_path or self.snowflake_private_key):
            raise ValueError("give snowflake_private_key_path, or the key itself as snowflake_private_key")
        return self


CONFIG_MODELS: Final[Mapping[DestinationType, type[PostgresConfig | SnowflakeConfig]]] = {
    DestinationType.POSTGRESQL: PostgresConfig,
    DestinationType.SNOWFLAKE: SnowflakeConfig,
}
FLAT_KEYS: Final = frozenset(PostgresConfig.model_fields) | frozenset(SnowflakeConfig.model_fields) | {"snowflake_db"}


def nest_config(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with its flat keys moved into `config`; the type, when left out, follows from their names."""
    nested = {key: value for key, value in body.items() if key not in FLAT_KEYS}
    flat = {key: value for key, value in body.items() if key in FLAT_KEYS}
    config = nested.get("config")
    if flat and (config is None or isinstance(config, Mapping)):
        nested["config"] = {**(config or {}), **flat}
    if "type" not in nested and isinstance(nested.get("config"), Mapping):
        keys = nested["config"].keys()
        if any(key.startswith("snowflake_") for key in keys):
            nested["type"] = DestinationType.SNOWFLAKE
        elif any(key.startswith("pg_") for key in keys):
            nested["type"] = DestinationType.POSTGRESQL
    return nested


def plain_config(config: PostgresConfig | SnowflakeConfig) -> dict[str, Any]:
    """The config as it is stored, before its secrets are sealed; keys without a value are left out."""
    values = ((name, getattr(config, name)) for name in type(config).model_fields)
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in values
        if value is not None
    }


def _is_public(key: str, value: object) -> bool:
    return key not in SECRET_CONFIG_KEYS and not is_secret(key, value) and not is_sealed(str(value))


class DestinationTest(Body):
    """A destination as the form has it before it is saved."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "created_at", "updated_at", "secrets", "has_password", "pending_cleanup"}
    )

    type: DestinationType
    config: PostgresConfig | SnowflakeConfig
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, body: Any) -> Any:
        if not isinstance(body, Mapping):
            return body
        nested = nest_config(body)
        config, kind = nested.get("config"), nested.get("type")
        if isinstance(config, Mapping) and kind in set(DestinationType):
            nested["config"] = CONFIG_MODELS[DestinationType(kind)].model_validate(config)
        return nested


class DestinationCreate(DestinationTest):
    name: Name


class DestinationUpdate(Body):
    """`config` is laid over the stored one: what it leaves out stays, null removes; a secret only ever changes."""

    read_only: ClassVar[frozenset[str]] = DestinationTest.read_only

    name: Name | None = None
    type: DestinationType | None = None
    config: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _nested(cls, body: Any) -> Any:
        if not isinstance(body, Mapping):
            return body
        stated = body.get("type")
        nested = nest_config(body)
        return {**nested, "type": stated}


class DestinationView(Stamped):
    """A destination; `secrets` says which of its write-only values are set."""

    name: str
    type: DestinationType
    config: dict[str, Any]
    secrets: dict[str, bool]
    has_password: bool

    @model_validator(mode="before")
    @classmethod
    def _hide(cls, row: Any) -> Any:
        if isinstance(row, dict):
            return row
        known = CONFIG_MODELS[DestinationType(row.type)].model_fields
        secrets = {key: bool(row.config.get(key)) for key in known if key in SECRET_CONFIG_KEYS}
        return {
            "id": row.id,
            "name": row.name,
            "type": row.type,
            # only keys that are known to be no secret: a row written by hand may hold anything
            "config": {key: row.config[key] for key in known if key in row.config and _is_public(key, row.config[key])},
            "secrets": secrets,
            "has_password": secrets.get("pg_password", False),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
        }


class DestinationDetailView(DestinationView):
    pending_cleanup: list[CleanupView] = Field(description="what compute still has to remove there")


class DestinationName(View):
    """A destination where it is nested in something else."""

    id: int
    name: str
    type: DestinationType


class DestinationQuery(PageRequest):
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
    type: DestinationType | None = None
