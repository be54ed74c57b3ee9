"""API tokens, session tokens and sign-in links: random, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

PREFIX: Final = "rst_"
_TOKEN_BYTES: Final = 32
_SHOWN_CHARACTERS: Final = 8


def new_token() -> str:
    """A token with 256 random bits, safe in URLs and headers."""
    return PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """What is stored of a token: its SHA-256. A random 256-bit token needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def token_prefix(token: str) -> str:
    """The first characters, by which people tell their tokens apart."""
    return token[: len(PREFIX) + _SHOWN_CHARACTERS]
