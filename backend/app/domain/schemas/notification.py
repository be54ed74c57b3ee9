"""What people are told, and where."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field

from app.domain.schemas.base import Body, Id, PageRequest, Stamped, Text, View
from rosetta.enums import ActorKind, Severity


class NotificationView(Stamped):
    kind: str
    severity: Severity
    pipeline_id: int | None
    source_id: int | None
    destination_id: int | None
    title: str
    message: str
    remedy: str | None
    occurrences: int
    read_at: datetime | None
    resolved_at: datetime | None
    delivered: dict[str, Any] = Field(
        description="per channel: when it was told, or why that failed and when it is tried again"
    )


class NotificationQuery(PageRequest):
    sort: str | None = Field(default="-id", max_length=64)
    severity: Severity | None = None
    kind: Text | None = Field(default=None, max_length=64)
    pipeline_id: Id | None = None
    unread: bool | None = None
    open: bool | None = None


class ReadAllView(View):
    read: int


class AuditView(View):
    id: int
    actor_kind: ActorKind
    actor_id: int | None
    actor_name: str
    action: str
    entity_type: str | None
    entity_id: str | None
    details: dict[str, Any]
    created_at: datetime


class AuditQuery(PageRequest):
    sort: str | None = Field(default="-id", max_length=64)
    action: Text | None = Field(default=None, max_length=100, description="part of the action, e.g. pipeline.")
    actor_name: Text | None = Field(default=None, max_length=200)
    entity_type: Text | None = Field(default=None, max_length=100)
    entity_id: Text | None = Field(default=None, max_length=100)


class AlertChannel(StrEnum):
    """By what people are reached, in the order in which pages list them."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    TELEGRAM = "telegram"
    EMAIL = "email"


class AlertChannelView(View):
    channel: AlertChannel
    missing: list[str] = Field(description="variables of the backend's environment that it still needs; none: it is on")


class ChannelTest(Body):
    channel: AlertChannel


class ChannelResult(View):
    """How the test of one alert channel went; `error`, `code` and `remedy` are null when it was told."""

    channel: AlertChannel
    error: str | None = None
    code: str | None = None
    remedy: str | None = None
