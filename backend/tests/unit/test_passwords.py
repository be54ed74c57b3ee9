"""Hashing takes memory on purpose, so only so many passwords are looked at at once."""

from __future__ import annotations

import asyncio
import threading

import pytest
from app.core import passwords


class Hasher:
    """Works on two at a time, or breaks; `most` is how many there were at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._both = threading.Barrier(2, timeout=10)
        self._now = self.most = 0

    def verify(self, _hash: str, password: str) -> bool:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self._both.wait()
        with self._lock:
            self._now -= 1
        return password == "right"

    def hash(self, password: str) -> str:
        self.verify("", password)
        return f"hash of {password}"


async def test_two_are_looked_at_at_once_however_many_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = Hasher()
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    asked = [passwords.password_fits("right" if number % 2 else "wrong", "hash") for number in range(11)]
    *answers, made = await asyncio.gather(*asked, passwords.hash_password("new"))
    assert answers == [False, True] * 5 + [False]
    assert made == "hash of new"
    assert hasher.most == 2


async def test_who_has_none_fits_with_none() -> None:
    kept = await passwords.hash_password("correct horse")
    assert kept.startswith("$argon2id$")
    assert [await passwords.password_fits(text, kept) for text in ("correct horse", "wrong")] == [True, False]
    assert not await passwords.password_fits("correct horse", None)
    assert not await passwords.password_fits("nobody's password", None)
