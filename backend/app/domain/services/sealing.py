"""Keeps the secrets of sources and destinations sealed, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.models import Destination, Source
from rosetta.sealed import is_secret
from rosetta.sealing import seal_found_secrets
from rosetta.secrets import Keyring, is_sealed


def holds_plaintext(row: Source | Destination) -> bool:
    """Whether a secret of the row is not sealed yet, because it was written by SQL."""
    config = {"pg_password": row.pg_password} if isinstance(row, Source) else row.config
    return any(is_secret(key, value) and not is_sealed(str(value)) for key, value in config.items())


async def seal_on_sight(session: AsyncSession, keyring: Keyring, rows: Iterable[Source | Destination]) -> None:
    """Seals plaintext in place, under locks, when one of `rows` shows some; the rows are refreshed."""
    if any(holds_plaintext(row) for row in rows):
        await session.run_sync(seal_found_secrets, keyring)
