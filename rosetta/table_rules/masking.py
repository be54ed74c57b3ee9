"""The key that values are masked with."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

REDACTED: Final = "***"
_ID_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class MaskingKey:
    """One per deployment, so that equal values of any table and source have equal masks, and can be joined.

    Derived from SECRET_KEY (`Keyring.masking_key`), from the oldest that the keyring still has: masks stay what they
    are while a key is rotated, until the former key is taken out of SECRET_KEY_PREVIOUS. From then on new masks
    differ, and tables with masks have to be copied again.
    """

    secret: bytes = field(repr=False)

    @property
    def identity(self) -> str:
        """Tells two keys apart without giving either away."""
        return hashlib.sha256(b"rosetta masking key " + self.secret).hexdigest()[:_ID_CHARACTERS]

    def mask(self, value: str) -> str:
        """The HMAC-SHA-256 of a value's text, in hex."""
        return hmac.digest(self.secret, value.encode(), "sha256").hex()
