"""Users, what they sign in with, their settings, what they were told and what they did."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import ActorKind, Role, Severity
from rosetta.tables.base import JSON, Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of


class User(Base):
    __tablename__ = "users"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str | None]
    role: Mapped[Role] = one_of("role", Role, Role.VIEWER)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


class UserSession(Base):
    __tablename__ = "user_sessions"
    __table_args__ = (Index("user_sessions_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[Now]


class SignInLink(Base):
    """A link that signs in once."""

    __tablename__ = "sign_in_links"
    __table_args__ = (Index("sign_in_links_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[Role] = one_of("role", Role, Role.ADMIN)
    expires_at: Mapped[datetime]
    created_at: Mapped[Now]


class Token(Base):
    __tablename__ = "tokens"

    id: Mapped[Id]
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    token_prefix: Mapped[str]
    role: Mapped[Role] = one_of("role", Role, Role.VIEWER)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[Now]


class Setting(Base):
    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[object] = mapped_column(JSON)
    updated_at: Mapped[UpdatedAt]


class Notification(Base):
    __tablename__ = "notifications"
    __table_args__ = (
        Index("notifications_open", "dedup_key", unique=True, postgresql_where=text("resolved_at IS NULL")),
        Index("notifications_time", text("created_at DESC")),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    severity: Mapped[Severity] = one_of("severity", Severity)
    dedup_key: Mapped[str]
    pipeline_id: Mapped[int | None] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    destination_id: Mapped[int | None] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    title: Mapped[str]
    message: Mapped[str]
    remedy: Mapped[str | None]
    occurrences: Mapped[Int4] = mapped_column(server_default=text("1"))
    read_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    delivered: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


class AuditLog(Base):
    __tablename__ = "audit_log"
    __table_args__ = (Index("audit_log_time", text("created_at DESC")),)

    id: Mapped[Id]
    actor_kind: Mapped[ActorKind] = one_of("actor_kind", ActorKind)
    actor_id: Mapped[int | None]
    actor_name: Mapped[str]
    action: Mapped[str]
    entity_type: Mapped[str | None]
    entity_id: Mapped[str | None]
    details: Mapped[JsonObject] = mapped_column(server_default=text("'{}'::jsonb"))
    created_at: Mapped[Now]
