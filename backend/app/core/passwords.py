"""Passwords: hashed by Argon2id, off the event loop, and never the reason for a different answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_HASHER = PasswordHasher()  # RFC 9106's low-memory profile, the library's default
# Each takes 64 MiB while it works, and anybody may try to sign in: how many work at once is bounded, the others wait.
_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="passwords")


async def hash_password(password: str) -> str:
    """What is stored of a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


async def password_fits(password: str, password_hash: str | None) -> bool:
    """Whether the password is the one; takes as long for a user who has none, or does not exist."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _fits, password, password_hash)


def _fits(password: str, password_hash: str | None) -> bool:
    try:
        return _HASHER.verify(password_hash or _nobodys_hash(), password) and password_hash is not None
    except VerificationError:
        return False


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    return _HASHER.hash("nobody's password")
