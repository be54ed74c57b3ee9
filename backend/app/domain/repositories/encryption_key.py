"""What is sealed in the config database, and the rotations it went through."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models import AuditLog
from rosetta.key_use import KeyUse, key_use
from rosetta.rotation import ROTATED
from rosetta.secrets import Keyring


class EncryptionKeyRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def use(self, keyring: Keyring) -> KeyUse:
        """Under which keys what is stored is sealed; reads every row that is."""
        return await self.session.run_sync(key_use, keyring)

    async def rotated_at(self, key_id: str) -> datetime | None:
        """When a rotation to this key last ended; None when none has."""
        return await self.session.scalar(
            select(func.max(AuditLog.created_at)).where(AuditLog.action == ROTATED, AuditLog.entity_id == key_id)
        )
