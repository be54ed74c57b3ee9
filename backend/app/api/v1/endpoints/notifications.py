"""Notifications, the audit log, and the alert channels with a test of each."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.access import requires
from app.api.deps import AlertChannelsDep, NotificationServiceDep, PathId
from app.domain.schemas.base import Page
from app.domain.schemas.notification import (
    AlertChannelView,
    AuditQuery,
    AuditView,
    ChannelResult,
    ChannelTest,
    NotificationQuery,
    NotificationView,
    ReadAllView,
)
from rosetta.enums import Role

router = APIRouter(tags=["monitoring"])


@router.get("/notifications")
@requires(Role.VIEWER)
async def list_notifications(
    query: Annotated[NotificationQuery, Query()], service: NotificationServiceDep
) -> Page[NotificationView]:
    return Page[NotificationView].of(*await service.page(query), query)


@router.post("/notifications/read-all")
@requires(Role.OPERATOR)
async def read_all_notifications(service: NotificationServiceDep) -> ReadAllView:
    return ReadAllView(read=await service.read_all())


@router.post("/notifications/{notification_id}/read")
@requires(Role.OPERATOR)
async def read_notification(notification_id: PathId, service: NotificationServiceDep) -> NotificationView:
    return NotificationView.model_validate(await service.read(notification_id))


@router.delete("/notifications/{notification_id}", status_code=HTTPStatus.NO_CONTENT)
@requires(Role.OPERATOR)
async def delete_notification(notification_id: PathId, service: NotificationServiceDep) -> None:
    await service.delete(notification_id)


@router.get("/audit-log")
@requires(Role.ADMIN)
async def list_audit_log(query: Annotated[AuditQuery, Query()], service: NotificationServiceDep) -> Page[AuditView]:
    """Who changed what, the newest first; never a secret or a row value."""
    return Page[AuditView].of(*await service.audit_page(query), query)


@router.get("/settings/alerts")
@requires(Role.ADMIN)
async def list_alert_channels(channels: AlertChannelsDep) -> list[AlertChannelView]:
    """Every alert channel, and what those that are off still need."""
    return channels.views()


@router.post("/settings/alerts/test")
@requires(Role.ADMIN)
async def test_alert_channel(body: ChannelTest, channels: AlertChannelsDep) -> ChannelResult:
    """Sends a test message by one channel, and says how it went."""
    return await channels.test(body.channel)
