"""What is shown of a column instead of its value, and the key that it is made with."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

REDACTED: Final = "***"
_ID_CHARACTERS: Final = 16


class MaskKind(StrEnum):
    """What a table sync shows of a column instead of its value (`table_syncs.masks`). NULL stays NULL by each."""

    HASH = "hash"  # HMAC-SHA-256 of its text under the deployment's masking key, in hex: equal values stay equal
    REDACT = "redact"  # a fixed text
    NULL = "null"


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
