"""Which key secrets are sealed under."""

from __future__ import annotations

from app.domain.repositories import EncryptionKeyRepository
from app.domain.schemas.encryption_key import EncryptionKeyView, SealedView
from rosetta.secrets import Keyring


class EncryptionKeyService:
    def __init__(self, keys: EncryptionKeyRepository, keyring: Keyring) -> None:
        self._keys = keys
        self._keyring = keyring

    async def view(self) -> EncryptionKeyView:
        """What may be known of the key: its id, and what is sealed under it and under others."""
        use = await self._keys.use(self._keyring)
        return EncryptionKeyView(
            key_id=self._keyring.key_id,
            previous_key_ids=list(self._keyring.previous_key_ids),
            rotated_at=await self._keys.rotated_at(self._keyring.key_id),
            secrets=SealedView.model_validate(use.secrets),
            payloads=SealedView.model_validate(use.payloads),
            waiting=use.waiting,
        )
