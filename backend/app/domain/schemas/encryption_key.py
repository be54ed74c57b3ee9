"""The key that secrets are sealed under, by its id."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.domain.schemas.base import View


class SealedView(View):
    """How much is sealed under which key."""

    current: int
    previous: int = Field(description="under former keys that are still known; the rotation moves them")
    unknown: int = Field(description="under keys that are not known, so that nothing opens them")


class EncryptionKeyView(View):
    key_id: str = Field(description="derived from SECRET_KEY, which cannot be found from it")
    previous_key_ids: list[str] = Field(description="of SECRET_KEY_PREVIOUS, the newest first")
    rotated_at: datetime | None = Field(description="when a rotation to this key last ended; null: none has")
    secrets: SealedView = Field(description="passwords and private keys of sources and destinations")
    payloads: SealedView = Field(description="records of the dead letter queue with their values")
    waiting: int = Field(description="open records that are only found by a former key, which must stay until then")
