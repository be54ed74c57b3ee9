"""Sources and PostgreSQL destinations through asyncpg."""

from app.infrastructure.postgres.session import Sessions
from app.infrastructure.postgres.source import AsyncpgSource
from app.infrastructure.postgres.target import AsyncpgTarget

__all__ = ["AsyncpgSource", "AsyncpgTarget", "Sessions"]
