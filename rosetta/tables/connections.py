"""Where changes come from and where they go."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, FetchedValue, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import DestinationType, SslMode
from rosetta.tables.base import JSON, Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of


class Source(Base):
    __tablename__ = "sources"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    pg_host: Mapped[str]
    pg_port: Mapped[Int4] = mapped_column(CheckConstraint("pg_port BETWEEN 1 AND 65535"), server_default=text("5432"))
    pg_database: Mapped[str]
    pg_username: Mapped[str]
    pg_password: Mapped[str | None]
    sslmode: Mapped[SslMode] = one_of("sslmode", SslMode, SslMode.PREFER)
    publication_name: Mapped[str]
    publication_owned: Mapped[bool] = mapped_column(server_default=text("false"))
    # The source's id when left out, by trigger.
    replication_id: Mapped[int] = mapped_column(server_default=FetchedValue())
    replication_name: Mapped[str | None] = mapped_column(CheckConstraint("replication_name ~ '^[a-z0-9_]{1,40}$'"))
    system_identifier: Mapped[str | None]
    server_version: Mapped[Int4 | None]
    slot_failover: Mapped[bool] = mapped_column(server_default=text("true"))
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


def _folded(column: str) -> Mapped[str | None]:
    """An input column: a trigger folds its value into `config` and empties it."""
    return mapped_column(column, Text, CheckConstraint(f"{column} IS NULL"), nullable=True)


class Destination(Base):
    __tablename__ = "destinations"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    type: Mapped[DestinationType] = one_of("type", DestinationType)
    config: Mapped[JsonObject] = mapped_column(
        JSON, CheckConstraint("jsonb_typeof(config) = 'object'"), server_default=text("'{}'::jsonb")
    )
    snowflake_account: Mapped[str | None] = _folded("snowflake_account")
    snowflake_user: Mapped[str | None] = _folded("snowflake_user")
    snowflake_db: Mapped[str | None] = _folded("snowflake_db")
    snowflake_schema: Mapped[str | None] = _folded("snowflake_schema")
    snowflake_role: Mapped[str | None] = _folded("snowflake_role")
    snowflake_warehouse: Mapped[str | None] = _folded("snowflake_warehouse")
    snowflake_host: Mapped[str | None] = _folded("snowflake_host")
    snowflake_private_key_path: Mapped[str | None] = _folded("snowflake_private_key_path")
    snowflake_private_key_passphrase: Mapped[str | None] = _folded("snowflake_private_key_passphrase")
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]
