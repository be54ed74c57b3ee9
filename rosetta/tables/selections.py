"""Schemas of the sources over time, saved table selections, and tags."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from rosetta.enums import SeenBy
from rosetta.tables.base import Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of


class SchemaVersion(Base):
    __tablename__ = "schema_versions"
    __table_args__ = (UniqueConstraint("source_id", "schema_name", "table_name", "version"),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    schema_name: Mapped[str]
    table_name: Mapped[str]
    version: Mapped[Int4]
    definition: Mapped[JsonObject]
    diff: Mapped[JsonObject | None]
    seen_by: Mapped[SeenBy] = one_of("seen_by", SeenBy, SeenBy.POLL)
    created_at: Mapped[Now]


class Preset(Base):
    __tablename__ = "presets"
    __table_args__ = (UniqueConstraint("source_id", "name"),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    name: Mapped[str]
    definition: Mapped[JsonObject]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    color: Mapped[str | None]
    created_at: Mapped[Now]
    # No column: how many table syncs have it, where a query asks for it.
    table_syncs: Mapped[int | None] = query_expression()


class TableSyncTag(Base):
    __tablename__ = "table_sync_tags"
    __table_args__ = (Index("table_sync_tags_tag_id", "tag_id"),)

    table_sync_id: Mapped[int] = mapped_column(ForeignKey("table_syncs.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
