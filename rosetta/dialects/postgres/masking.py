"""Masked values, as SQL makes them of a column's text. Pure SQL text."""

from __future__ import annotations

from typing import Final

_BLOCK_BYTES: Final = 64  # of SHA-256
_INNER: Final = 0x36
_OUTER: Final = 0x5C


def hmac_sql(text: str, key: bytes) -> str:
    """The HMAC-SHA-256 (RFC 2104) of a text expression's UTF-8 bytes, in hex; NULL of NULL.

    Spelled out with `sha256()`, which every server has, where `hmac()` would need an extension. `key` has at most 64
    bytes. Whoever can read the statement can compute masks: it is only to be sent to a server that has the values.
    """
    inner, outer = (_pad(key, byte) for byte in (_INNER, _OUTER))
    return f"encode(sha256({outer} || sha256({inner} || convert_to({text}, 'UTF8'))), 'hex')"


def redacted_sql(text: str, shown: str) -> str:
    """`shown`, an SQL literal, for every value that is not NULL."""
    return f"CASE WHEN {text} IS NOT NULL THEN {shown}::text END"


def _pad(key: bytes, byte: int) -> str:
    return "'\\x" + bytes(part ^ byte for part in key.ljust(_BLOCK_BYTES, b"\0")).hex() + "'::bytea"
