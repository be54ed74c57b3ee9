"""A reader that only collects."""

from __future__ import annotations


class Collector:
    """Takes every message as it comes."""

    def __init__(self) -> None:
        self.seen = 0
        self.got: list[tuple[bytes, int]] = []

    def run(self, _buffer: bytes, at: int) -> int:
        return at

    def read(self, payload: bytes, lsn: int) -> None:
        self.seen = lsn
        self.got.append((payload, lsn))
