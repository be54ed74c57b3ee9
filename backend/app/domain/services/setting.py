"""Settings that can be changed while the services run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from app.core.exceptions import InvalidRequestError
from app.domain.repositories import SettingRepository
from app.domain.services.audit import AuditTrail

_KEY = re.compile(r"[a-z][a-z0-9_.]{0,63}")
# GET answers with every setting, so none may be a secret.
_SECRET = re.compile(r"passw|passphrase|secret|token|private|api_?key|credential")


class SettingService:
    def __init__(self, settings: SettingRepository, audit: AuditTrail) -> None:
        self._settings = settings
        self._audit = audit

    async def all(self) -> dict[str, object]:
        return await self._settings.all()

    async def change(self, values: Mapping[str, object]) -> dict[str, object]:
        """Sets the given keys, removes those that are null, leaves the others; answers with all.

        Raises InvalidRequestError for a key that cannot be one, or that names a secret.
        """
        for key in values:
            _check(key)
        await self._settings.put({key: value for key, value in values.items() if value is not None})
        await self._settings.remove([key for key, value in values.items() if value is None])
        await self._audit.record("settings.update", keys=sorted(values))
        return await self._settings.all()


def _check(key: str) -> None:
    if _KEY.fullmatch(key) is None:
        raise InvalidRequestError(
            "A setting's key has up to 64 of a-z, 0-9, `_` and `.`, and starts with a letter.", code="INVALID_KEY"
        )
    if _SECRET.search(key):
        raise InvalidRequestError(
            "Settings are shown in full, so no secret may be one of them.",
            code="SECRET_NOT_ALLOWED",
            remedy="Secrets belong to sources, destinations and the environment.",
            details={"key": key},
        )
