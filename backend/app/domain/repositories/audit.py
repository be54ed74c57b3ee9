"""Who did what."""

from __future__ import annotations

from app.domain.models import AuditLog
from app.domain.repositories.base import BaseRepository


class AuditRepository(BaseRepository[AuditLog]):
    model = AuditLog
    entity_type = "audit entry"
